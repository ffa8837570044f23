//! A service on one machine, in each form that document 000 names, as the real readers of those forms take it.

#[path = "single_host/migration.rs"]
mod migration;

use anyhow::{Context as _, ensure};
use blueprint::model::Pins;
use host::process::Invocation;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;
use tests::clusters::{models, pour};
use tests::consumers::{quadlet, units};
use tests::lab::{Lab, Need};
use tests::programs::{answering, said, scratch};
use tests::ring::{Ring, Trial};

/// Programs that are on the node and not here.
const ON_NODES: [&str; 3] = ["/usr/local/bin/bootstrap", "/usr/bin/podman", "/usr/bin/docker"];
/// What a person puts into `.env` for what the example leaves empty.
const SECRETS: [(&str, &str); 2] = [("KOMF_KOMGA_USER", "reader"), ("KOMF_KOMGA_PASSWORD", "not a real one")];

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>, needs: &[Need]| {
        Trial::new(Ring::Static, format!("single_host::{name}"), body).needs(needs)
    };
    vec![
        trial(
            "podman_takes_the_units_and_they_wait_for_mounts",
            podman_takes_the_units,
            &[Need::Quadlet, Need::SystemdAnalyze],
        ),
        trial("compose_takes_a_fresh_clone_with_its_env", compose_takes_a_fresh_clone, &[Need::DockerCli]),
        trial("a_variable_that_is_not_set_is_named", a_missing_variable_is_named, &[Need::DockerCli]),
        trial("the_old_loader_takes_the_stack", the_old_loader_takes_the_stack, &[Need::DockerCli]),
        trial("a_volume_becomes_a_folder_whatever_stops_it", migration::moves, &[]),
        trial("a_migration_survives_a_full_disk", migration::full_disk, &[]),
        trial("our_own_rules_find_nothing", |_| our_own_rules_find_nothing(), &[]),
    ]
}

/// `compose/komga` of cluster vnext.
fn komga() -> anyhow::Result<TempDir> {
    let folder = scratch()?;
    let models = models()?;
    let model = models.iter().find(|model| model.name.as_str() == "vnext").context("there is vnext")?;
    let files = blueprint::render::cluster(model, &Pins::default())?;
    pour(&files, folder.path())?;
    Ok(folder)
}

fn service(root: &Path) -> std::path::PathBuf {
    root.join("compose/komga")
}

fn podman_takes_the_units(lab: &Lab) -> anyhow::Result<()> {
    let root = komga()?;
    let folder = service(root.path()).join("quadlet");
    let all = quadlet::units(lab, &folder)?;
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["komga.service", "komf.service", "komga-network.service"] {
        ensure!(names.contains(&name), "{name} is not in {names:?}");
    }
    for (name, unit) in all.iter().filter(|(name, _)| !name.contains("network")) {
        ensure!(
            unit.contains("wait-mount --timeout-secs 150 /srv/cluster") == (name == "komga.service"),
            "{unit}"
        );
        ensure!(!unit.contains("comics:/comics:ro,Z"), "a share is relabelled: {unit}");
    }
    let generated = quadlet::generated(lab, &folder)?;
    units::verify(lab, generated.path(), &ON_NODES)?;
    units::verify(lab, &service(root.path()).join("systemd"), &ON_NODES)?;
    // A key that Podman does not know is not passed over.
    let unit = folder.join("komga.container");
    let text = std::fs::read_to_string(&unit)?.replace("PublishPort=", "PublishPorts=");
    std::fs::write(&unit, text)?;
    ensure!(quadlet::units(lab, &folder).is_err(), "a wrong key is taken");
    Ok(())
}

/// A call of docker without a daemon or a person's settings, in the folder of a fresh clone.
fn docker(lab: &Lab, folder: &Path) -> Invocation {
    let call = lab.tool("docker").folder(folder).env("DOCKER_CONFIG", folder.join("no-settings"));
    call.env("DOCKER_HOST", "unix:///nowhere.sock")
}

/// What the person of the document does: copy the example, fill in what is empty.
fn fill_in(folder: &Path) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(folder.join(".env.example"))?;
    for (name, value) in SECRETS {
        let empty = format!("\n{name}=\n");
        ensure!(text.contains(&empty), "{name} is not in {text}");
        text = text.replace(&empty, &format!("\n{name}='{value}'\n"));
    }
    Ok(std::fs::write(folder.join(".env"), text)?)
}

fn compose_takes_a_fresh_clone(lab: &Lab) -> anyhow::Result<()> {
    let root = komga()?;
    let folder = service(root.path());
    fill_in(&folder)?;
    let config = |files: &[&str]| -> anyhow::Result<Value> {
        let call =
            files.iter().fold(docker(lab, &folder).arg("compose"), |call, file| call.args(["-f", file]));
        let output = answering(call.args(["config", "--format", "json"])).run()?;
        ensure!(output.code == 0 && output.stderr_tail.trim().is_empty(), "{}", said(&output));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let plain = config(&["docker-compose.komga.yml"])?;
    let volumes = plain["services"]["komga"]["volumes"].as_array().context("volumes")?.clone();
    ensure!(volumes.len() == 3 && volumes.iter().all(|volume| volume["type"] == "bind"), "{volumes:?}");
    ensure!(plain["services"]["komf"]["environment"]["KOMF_KOMGA_PASSWORD"] == "not a real one");
    // With labels the same folders, and only local ones that are written to have one.
    let labelled = config(&["docker-compose.komga.yml", "docker-compose.komga.selinux.yml"])?;
    let volumes = labelled["services"]["komga"]["volumes"].as_array().context("volumes")?.clone();
    ensure!(volumes.len() == 3, "the override adds folders: {volumes:?}");
    for volume in volumes {
        let wanted = if volume["target"] == "/comics" { Value::Null } else { "Z".into() };
        ensure!(volume["bind"]["selinux"] == wanted, "{volume}");
    }
    Ok(())
}

fn a_missing_variable_is_named(lab: &Lab) -> anyhow::Result<()> {
    let root = komga()?;
    let folder = service(root.path());
    // Every variable of the file is in the example, and none without a word about it.
    let example = std::fs::read_to_string(folder.join(".env.example"))?;
    let file = std::fs::read_to_string(folder.join("docker-compose.komga.yml"))?;
    let mut names: Vec<&str> = file.split("${").skip(1).filter_map(|rest| rest.split(':').next()).collect();
    names.sort_unstable();
    names.dedup();
    ensure!(names.len() == 6, "{names:?}");
    for name in &names {
        let at =
            example.find(&format!("\n{name}=")).with_context(|| format!("{name} is not in the example"))?;
        let before = example[..at].lines().last().unwrap_or_default();
        ensure!(before.starts_with("# ") && !before.ends_with(name), "nothing is said of {name}: {before}");
    }
    let call = docker(lab, &folder).args(["compose", "-f", "docker-compose.komga.yml", "config"]);
    let output = answering(call).run()?;
    ensure!(output.code != 0 && names.iter().any(|name| said(&output).contains(name)), "{}", said(&output));
    Ok(())
}

fn the_old_loader_takes_the_stack(lab: &Lab) -> anyhow::Result<()> {
    let root = komga()?;
    let folder = service(root.path());
    fill_in(&folder)?;
    // As the file itself says: the old loader reads no .env.
    let line = "set -a; . ./.env; set +a; exec \"$DOCKER\" stack config -c stack.komga.yml";
    let docker = lab.path("docker");
    let run = |line: &str| {
        let call = Invocation::new("sh").args(["-c", line]).env("DOCKER", docker).folder(&folder);
        answering(call.env("DOCKER_CONFIG", folder.join("no-settings"))).run()
    };
    let output = run(line)?;
    ensure!(output.code == 0 && output.stderr_tail.trim().is_empty(), "{}", said(&output));
    let stack: Value = blueprint::escape::yaml::read(&output.text())?;
    let komga = &stack["services"]["komga"];
    ensure!(komga["deploy"]["placement"]["constraints"][0] == "node.hostname == pc", "{komga}");
    ensure!(komga["volumes"].as_array().is_some_and(|volumes| volumes.len() == 3), "{komga}");
    // What only the new form has is refused, so the file is of the old one.
    let path = folder.join("stack.komga.yml");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(
        &path,
        text.replacen("    deploy:", "    mem_limit: 1g\n    create_host_path: true\n    deploy:", 1),
    )?;
    ensure!(run(line)?.code != 0, "the old loader takes what is new");
    Ok(())
}

/// Files that are generated here, laid into a profile as if a person had written them.
fn our_own_rules_find_nothing() -> anyhow::Result<()> {
    use blueprint::parse::Source;
    use blueprint::resolve::{Profile, resolve};
    let root = komga()?;
    let (cluster, roles) = tests::clusters::profile("vnext")?;
    let mut files = Vec::new();
    for path in host::tree::files(root.path())? {
        let below = path.strip_prefix(root.path())?.to_string_lossy().into_owned();
        // Paths of the tree are another kind of file's where they begin with what the profile's folders are called.
        let path_in_profile = format!(
            "vnext/services/komga/{}",
            below.replace("compose/komga/docker-compose.komga", "docker-compose")
        );
        if blueprint::foreign::is_judged(&path_in_profile) {
            files.push(Source::new(path_in_profile, std::fs::read_to_string(&path)?));
        }
    }
    ensure!(files.len() > 10, "only {} files", files.len());
    let profile = Profile { folder: "vnext", cluster: &cluster, roles: &roles, files: &files };
    let found: Vec<String> = resolve(&profile)
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}", finding.rule.code, finding.file, finding.message))
        .collect();
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
