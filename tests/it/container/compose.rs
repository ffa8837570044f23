//! A project by the real Compose and engine: up, drifted, brought back, with a secret, taken down.

use super::carried::{JOIN, PLAN};
use anyhow::{Context as _, ensure};
use desired::resource::{Owner, Resource, SecretPart, Want};
use desired::{AbsPath, Mode};
use host::process::Output;
use std::collections::{BTreeMap, BTreeSet};
use tests::lab::node::Release;
use tests::lab::twin::Twin;
use tests::lab::{Lab, Need};
use tests::node::Node;
use tests::programs::{self, answering, folder, said};
use tests::ring::{Ring, Trial};

const PROJECT: &str = "trial-garden";
const SECRET: &str = "s3cret-of-the-garden";

pub fn trials() -> Vec<Trial> {
    // The node's image is one that the engine has without any network.
    let needs = [Need::Engine, Need::Node, Need::Compose];
    vec![
        Trial::new(Ring::Container, "compose::a_project_is_up_and_drift_is_told_by_service", project)
            .needs(&needs),
    ]
}

/// Two services; `motto` changes one, and one ends at once where `dies`.
fn resources(motto: &str, dies: bool) -> anyhow::Result<Vec<Resource>> {
    let path = |text: &str| text.parse::<AbsPath>();
    let image = Release::Trixie.image();
    let command = if dies { "exit 3" } else { "exec sleep 3600" };
    let content = format!(
        "services:\n  web:\n    image: {image}\n    entrypoint: [sleep, '3600']\n    environment:\n      MOTTO: {motto}\n      \
         TOKEN: ${{TRIAL_TOKEN:?}}\n    volumes: [seeds:/seeds]\n  db:\n    image: {image}\n    \
         entrypoint: [sh, -c, '{command}']\nvolumes:\n  seeds: {{}}\n"
    );
    let file = Resource::new(Want::File {
        path: path("/etc/trial/compose.yaml")?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content,
    });
    let secret = Resource::new(Want::SecretFile {
        path: path("/etc/trial/token")?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret("env:TRIAL_TOKEN".parse()?)],
    });
    let project = Resource::new(Want::Compose {
        project: PROJECT.to_owned(),
        file: path("/etc/trial/compose.yaml")?,
        environment: BTreeMap::new(),
        secrets: BTreeMap::from([("TRIAL_TOKEN".to_owned(), path("/etc/trial/token")?)]),
        restart_on: BTreeSet::from([file.id.clone(), secret.id.clone()]),
    });
    Ok(vec![project, secret, file])
}

struct Place<'lab> {
    lab: &'lab Lab,
    twin: Twin,
}

impl Place<'_> {
    fn run(&self, desk: &Node, words: &[&str], secret: bool) -> anyhow::Result<Output> {
        let bundle = self.twin.root().join("opt/bundle.tar.gz");
        std::fs::create_dir_all(self.twin.root().join("opt"))?;
        std::fs::copy(desk.archive(), bundle)?;
        let call = self.twin.call(folder()?.join("bootstrap")).args(words.iter().copied());
        let call = call.env("DOCKER_HOST", self.lab.engine().address()).env("MOTTO", "of nobody");
        let call = if secret { call.env("TRIAL_TOKEN", SECRET) } else { call };
        Ok(answering(call).run()?)
    }
    fn docker(&self, words: &[&str]) -> anyhow::Result<String> {
        Ok(self.lab.engine().docker().args(words.iter().copied()).run()?.text())
    }
    fn running(&self) -> anyhow::Result<BTreeSet<String>> {
        let filter = format!("label=com.docker.compose.project={PROJECT}");
        let format = "{{.Label \"com.docker.compose.service\"}}";
        let text = self.docker(&["ps", "--filter", &filter, "--format", format])?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

fn expect(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    ensure!(!said(output).contains(SECRET), "the secret is told:\n{}", said(output));
    programs::expect(output, code, words)
}

fn project(lab: &Lab) -> anyhow::Result<()> {
    let place = Place { lab, twin: Twin::new()? };
    let address = lab.engine().address();
    let socket = std::path::Path::new(address.trim_start_matches("unix://"));
    place.twin.show(socket.parent().context("a socket lies in a folder")?)?;
    let named = |words: &[&'static str]| [words, &["--node", tests::node::NODE]].concat();
    let (join, plan) = (named(&JOIN), named(&PLAN));
    let both = BTreeSet::from(["db".to_owned(), "web".to_owned()]);

    let desk = Node::new(&resources("grow", false)?)?;
    expect(&place.run(&desk, &join, true)?, 0, &["done     compose:trial-garden", "converged"])?;
    ensure!(place.running()? == both, "running: {:?}", place.running()?);
    // The secret lies in its own file, so the next run does without it; our own environment fills in nothing.
    expect(&place.run(&desk, &join, false)?, 0, &["nothing to do"])?;
    expect(&place.run(&desk, &plan, false)?, 0, &["nothing to do"])?;

    // Somebody stops one: drift by its name, and it is brought back.
    let stopped = ["ps", "--quiet", "--filter", "label=com.docker.compose.service=db"];
    place.docker(&["kill", &place.docker(&stopped)?])?;
    expect(&place.run(&desk, &plan, false)?, 3, &["~ compose:trial-garden", "db exited (137) → up"])?;
    expect(&place.run(&desk, &join, false)?, 0, &["done     compose:trial-garden", "converged"])?;
    ensure!(place.running()? == both, "running: {:?}", place.running()?);

    // Another configuration of one service: told before, made by the same run.
    let web = ["ps", "--quiet", "--filter", "label=com.docker.compose.service=db"];
    let untouched = place.docker(&web)?;
    let desk = Node::new(&resources("bloom", false)?)?;
    expect(&place.run(&desk, &plan, false)?, 3, &["restart, for file:/etc/trial/compose.yaml"])?;
    expect(&place.run(&desk, &join, false)?, 0, &["done     compose:trial-garden", "converged"])?;
    ensure!(place.docker(&web)? == untouched, "what did not change was made anew");

    // One that ends instead of running is an error that names it, and the rest is up.
    let desk = Node::new(&resources("bloom", true)?)?;
    expect(&place.run(&desk, &join, false)?, 1, &["FAILED", "compose:trial-garden", "db"])?;

    let volumes = || place.docker(&["volume", "ls", "--quiet", "--filter", "name=seeds"]);
    let kept = volumes()?;
    ensure!(!kept.is_empty(), "there is a volume");
    expect(&place.run(&desk, &["leave", "--yes"], false)?, 0, &["compose:trial-garden", "volumes stay"])?;
    ensure!(place.running()?.is_empty() && volumes()? == kept, "containers stayed or the volume went");
    let networks = place.docker(&["network", "ls", "--quiet", "--filter", "name=trial-garden"])?;
    ensure!(networks.is_empty(), "its network stayed");
    Ok(())
}
