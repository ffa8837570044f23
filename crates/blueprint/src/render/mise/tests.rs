//! What a user would notice of the mise family.

use std::collections::BTreeMap;

use desired::resource::Want;
use desired::{Arch, Mode, Pinned};

use crate::model::{Pin, Pins};
use crate::render::fixture::model;

#[test]
fn a_service_is_deployed_where_it_lives_and_asked_for_from_elsewhere() {
    let model = model();
    let config = |node: &str| super::config(&model, Some(&model.nodes[node])).unwrap();
    let read: toml::Table = toml::from_str(&config("maker")).unwrap();
    assert_eq!(read["tools"]["chezmoi"].as_str(), Some("2.72.1"));
    assert!(read["tools"].get("docker-compose").is_none(), "FIELD C14");
    let task = &read["tasks"]["deploy:forge"];
    assert_eq!(task["dir"].as_str(), Some("{{env.HOME}}/.config/docker/compose/forge"));
    let run: Vec<&str> = task["run"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(
        run,
        [
            "docker network inspect lab-net >/dev/null 2>&1 || docker network create --subnet 172.20.0.0/16 lab-net",
            "infisical run --projectId \"${INFISICAL_PROJECT_ID:?the id of the project in Infisical}\" --env \"${INFISICAL_ENVIRONMENT:-prod}\" --path /forge --domain \"${INFISICAL_DOMAIN:?the URL of Infisical}\" -- docker compose --project-name forge --env-file ../node.env up --detach --wait",
            "docker ps --quiet --filter label=com.docker.compose.project=forge --filter label=com.docker.compose.service=forge --filter status=running | grep -q . || { echo 'forge of forge does not run' >&2; exit 1; }",
        ]
    );
    let read: toml::Table = toml::from_str(&config("mac")).unwrap();
    let run = read["tasks"]["deploy:forge"]["run"].as_array().unwrap();
    assert_eq!(run[0].as_str(), Some("ssh ada@100.64.0.2 mise run deploy:forge"));
}

#[test]
fn the_binary_comes_from_its_pin() {
    let model = model();
    let node = &model.nodes["maker"];
    assert!(super::resources(&model, node, &Pins::default()).unwrap().is_empty());
    let pin = Pin {
        version: "2026.9.15".to_owned(),
        file: "mise".to_owned(),
        mode: Mode::EXECUTABLE,
        pinned: Pinned::Downloads([desired::Digest::sha256_of(b"tgz")].into()),
    };
    let pins = Pins::new(BTreeMap::from([(("mise".parse().unwrap(), Arch::Arm64), pin)]));
    let all = super::resources(&model, node, &pins).unwrap();
    let Want::Artifact { path, pinned, .. } = &all[0].want else { panic!("{all:?}") };
    assert_eq!(path.as_str(), "/usr/local/bin/mise");
    assert!(
        pinned.file_digest().is_none(),
        "pinned by the archive it comes in, it is a resource all the same"
    );
    for other in ["worker", "mac"] {
        assert!(super::resources(&model, &model.nodes[other], &Pins::default()).unwrap().is_empty());
    }
}
