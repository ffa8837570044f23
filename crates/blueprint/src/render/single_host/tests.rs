use super::*;
use crate::model::Container;
use crate::render::fixture;

/// The fixture's `forge`, beside a helper with a folder on a local disk.
fn model() -> Model {
    let mut model = fixture::model();
    let service = model.services.get_mut("forge").unwrap();
    service.variants = [Variant::Quadlet, Variant::Swarm].into();
    service.nodes = ["store".parse().unwrap()].into();
    service.images.insert("helper".to_owned(), "example/helper:2".to_owned());
    service.environment = [("DATA".to_owned(), "/media/ada/my nas/data/forge".to_owned())].into();
    let volume = Volume {
        source: "/srv/forge/helper".parse().unwrap(),
        target: "/config".parse().unwrap(),
        read_only: false,
    };
    let environment = [("NOTE".to_owned(), "50% of $HOME".to_owned())].into();
    let limit = Some("512Mi".to_owned());
    let helper =
        Container { volumes: vec![volume], environment, memory_limit: limit, ..Container::default() };
    service.containers = [("helper".to_owned(), helper)].into();
    model
}

fn file(model: &Model, name: &str) -> String {
    let files = tree(model, &Pins::default()).unwrap();
    let path = format!("compose/forge/{name}");
    String::from_utf8(files.get(&path).unwrap_or_else(|| panic!("{path}")).content.clone()).unwrap()
}

#[test]
fn units_wait_for_real_mounts_and_name_literal_paths() {
    let unit = file(&model(), "quadlet/forge.container");
    assert!(unit.contains("RequiresMountsFor=\"/media/ada/my nas/data/forge\"\n"), "{unit}");
    assert!(unit.contains("wait-mount --timeout-secs 150 \"/media/ada/my nas\"\n"), "{unit}");
    assert!(unit.contains("TimeoutStartSec=450s\n"), "longer than it waits: {unit}");
    assert!(unit.contains("Secret=FORGE_KEY,type=env\n") && !unit.contains("FORGE_KEY="), "{unit}");
    // Without a disk of its own the share's folder is on the server's root, and no mount will ever come.
    let mut bare = model();
    bare.shares.get_mut("nas").unwrap().device = None;
    let unit = file(&bare, "quadlet/forge.container");
    assert!(!unit.contains("wait-mount --") && !unit.contains("RequiresMountsFor="), "{unit}");
}

#[test]
fn labels_are_for_local_folders_alone() {
    let mut model = model();
    assert!(file(&model, "quadlet/helper.container").contains("Volume=/srv/forge/helper:/config:Z\n"));
    assert!(file(&model, "quadlet/forge.container").contains("Volume=/media/ada/my nas/data/forge:/data\n"));
    let labels = file(&model, "docker-compose.forge.selinux.yml");
    assert!(labels.contains("helper:") && !labels.contains("my nas") && !labels.contains("DATA"), "{labels}");
    // Two containers write to one folder; and a folder that is others' too.
    let service = model.services.get_mut("forge").unwrap();
    let shared = service.containers["helper"].clone();
    service.images.insert("second".to_owned(), "example/helper:2".to_owned());
    service.containers.insert("second".to_owned(), shared);
    assert!(file(&model, "quadlet/helper.container").contains(":/config:z\n"));
    let helper = model.services.get_mut("forge").unwrap().containers.get_mut("helper").unwrap();
    helper.volumes[0].source = "/srv/forge".parse().unwrap();
    assert!(file(&model, "quadlet/helper.container").contains("Volume=/srv/forge:/config\n"));
}

#[test]
fn values_stay_what_they_are_in_each_language() {
    let model = model();
    assert!(file(&model, "docker-compose.forge.yml").contains("50% of $$HOME"));
    assert!(file(&model, "quadlet/helper.container").contains("Environment=\"NOTE=50%% of $$HOME\"\n"));
    let example = file(&model, ".env.example");
    assert!(example.contains("DATA='/media/ada/my nas/data/forge'\n"), "{example}");
    assert!(example.contains("\nFORGE_KEY=\n"), "{example}");
}

#[test]
fn local_folders_are_made_for_the_person_and_those_on_shares_left_alone() {
    let model = model();
    let all = resources(&model, &model.nodes["store"], &Pins::default()).unwrap();
    let ids: Vec<&str> = all.iter().map(|resource| resource.id.as_str()).collect();
    assert_eq!(ids, ["directory:/srv/forge/helper"]);
    assert!(resources(&model, &model.nodes["maker"], &Pins::default()).unwrap().is_empty());
}
