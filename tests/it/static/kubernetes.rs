//! What is installed into a cluster, as kustomize, Helm and the API server's checks read it.

use anyhow::{Context as _, ensure};
use blueprint::model::{Model, Pins};
use blueprint::parse::Source;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::clusters::{self, models, pour, stand_in_pins};
use tests::consumers::{kubernetes, units};
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

/// Programs that are on the node and not here.
const ON_NODES: [&str; 2] = ["/usr/local/bin/k3s", "/usr/local/lib/rootstock/sleep-cordon"];

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("kubernetes::{name}"), body).needs(&[Need::Kubernetes])
    };
    vec![
        trial("every_tree_is_built_and_every_object_taken", every_tree),
        trial("a_variable_moves_a_folder", a_variable_moves_a_folder),
        trial("charts_take_their_values", charts_take_their_values),
        trial("ingress_nginx_as_document_000_has_it", ingress_nginx),
        Trial::new(Ring::Static, "kubernetes::a_laptop_is_cordoned_once_and_only_by_itself", |_| cordon()),
        Trial::new(Ring::Static, "kubernetes::systemd_takes_the_units_of_sleep", units_of_sleep)
            .needs(&[Need::SystemdAnalyze]),
    ]
}

/// The cluster tree of a model.
fn tree(model: &Model) -> anyhow::Result<TempDir> {
    let folder = scratch()?;
    pour(&blueprint::render::cluster(model, &Pins::default())?, folder.path())?;
    Ok(folder)
}

fn vnext() -> anyhow::Result<Model> {
    models()?.into_iter().find(|model| model.name.as_str() == "vnext").context("there is vnext")
}

/// Folders that kustomize is to build, below `kubernetes/`.
fn folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files = host::tree::files(&root.join("kubernetes"))?;
    let is_list = |path: &PathBuf| path.ends_with("kustomization.yaml");
    let all: Vec<PathBuf> =
        files.into_iter().filter(is_list).filter_map(|path| Some(path.parent()?.to_owned())).collect();
    ensure!(all.len() >= 4, "only {} folders", all.len());
    Ok(all)
}

fn every_tree(lab: &Lab) -> anyhow::Result<()> {
    let root = tree(&vnext()?)?;
    for folder in folders(root.path())? {
        let objects = kubernetes::build(lab, &folder)?;
        kubernetes::validate(lab, &objects).with_context(|| folder.display().to_string())?;
        // The same with a key that no kind has: what takes everything proves nothing.
        let spoiled = objects.replacen("\nspec:\n", "\nspec:\n  unknownToAllKinds: true\n", 1);
        if spoiled != objects {
            ensure!(kubernetes::validate(lab, &spoiled).is_err(), "{} with a wrong key", folder.display());
        }
    }
    Ok(())
}

/// Whoever moves the folders changes the file that has the variables of the Compose file, and nothing else.
fn a_variable_moves_a_folder(lab: &Lab) -> anyhow::Result<()> {
    let root = tree(&vnext()?)?;
    let overlay = root.path().join("kubernetes/komga/overlays/vnext");
    let paths = overlay.join("paths.env");
    let text = std::fs::read_to_string(&paths)?;
    for name in ["COMICS_ROOT=", "KOMGA_CONFIG=", "KOMGA_TMP="] {
        ensure!(text.lines().any(|line| line.starts_with(name)), "{name} is not in {text}");
    }
    ensure!(kubernetes::build(lab, &overlay)?.contains("path: /srv/komga/config\n"));
    std::fs::write(&paths, text.replace("/srv/komga/config", "/mnt/new disk/komga"))?;
    let built = kubernetes::build(lab, &overlay)?;
    ensure!(built.contains("path: /mnt/new disk/komga\n") && !built.contains("/srv/komga/config"), "{built}");
    Ok(())
}

/// The values of a chart of the tree, as the controller hands them on.
fn values(root: &Path, service: &str) -> anyhow::Result<String> {
    let path = root.join(format!("kubernetes/charts/{service}.yaml"));
    let object: Value = blueprint::escape::yaml::read(&std::fs::read_to_string(&path)?)?;
    Ok(object["spec"]["valuesContent"].as_str().context("it has values")?.to_owned())
}

fn charts_take_their_values(lab: &Lab) -> anyhow::Result<()> {
    let root = tree(&vnext()?)?;
    let values = values(root.path(), "cert-manager")?;
    let objects = kubernetes::template(lab, "cert-manager", &values)?;
    ensure!(objects.contains("image: \"quay.io/jetstack/cert-manager-controller:v1.20.2\""), "{objects}");
    ensure!(objects.contains("kind: CustomResourceDefinition"), "its kinds are not installed");
    // Controller, webhook, the part that writes authorities, and the check at the start, all on the node they belong on.
    let placed = objects.matches("kubernetes.io/hostname").count();
    ensure!(placed == 4, "{placed} of 4 pods have a place");
    ensure!(kubernetes::template(lab, "cert-manager", &values.replace("crds:", "crdz:")).is_err());
    Ok(())
}

/// The document's own choice, in place of what the profile offers.
fn ingress_nginx(lab: &Lab) -> anyhow::Result<()> {
    let (cluster, roles) = clusters::profile("vnext")?;
    let (start, end) = ("[services.traefik]", "[services.cert-manager]");
    let text = cluster.text.to_string();
    let range = text.find(start).context("traefik")?..text.find(end).context("cert-manager")?;
    let as_written = "[services.ingress-nginx]\nkind = \"kubernetes\"\nnodes = [\"pc\"]\n\
        images = { controller = \"registry.k8s.io/ingress-nginx/controller:v1.15.1\" }\n\
        chart = { repository = \"https://kubernetes.github.io/ingress-nginx\", version = \"4.15.1\" }\n\n";
    let mut text =
        text.replace("disable = [\"local-storage\"]", "disable = [\"traefik\", \"local-storage\"]");
    let shift = text.len() - cluster.text.len();
    text.replace_range(range.start + shift..range.end + shift, as_written);
    let resolution = clusters::resolved("vnext", &Source::new(cluster.path.as_ref(), text), &roles);
    let codes: Vec<&str> = resolution.findings.iter().map(|finding| finding.rule.code).collect();
    ensure!(codes == ["RS1030"], "{codes:?}");
    let root = tree(&resolution.model.context("it resolves")?)?;
    let objects = kubernetes::template(lab, "ingress-nginx", &values(root.path(), "ingress-nginx")?)?;
    ensure!(objects.contains("registry.k8s.io/ingress-nginx/controller:v1.15.1\n"), "{objects}");
    ensure!(objects.contains("ingressclass.kubernetes.io/is-default-class: \"true\""));
    Ok(())
}

/// The resources of a laptop, as files.
fn laptop() -> anyhow::Result<TempDir> {
    let model = vnext()?;
    let node = model.nodes.values().find(|node| node.name.as_str() == "laptop-01").context("laptop-01")?;
    let folder = scratch()?;
    pour(&blueprint::render::node(&model, node, &stand_in_pins(&model)?)?.files, folder.path())?;
    Ok(folder)
}

/// A stand-in for `k3s kubectl` that keeps one node in a file, as `unschedulable/annotation`.
const KUBECTL: &str = r#"#!/bin/sh
[ -e "$STATE" ] || exit 1
case "$*" in
*--kubeconfig\ /var/lib/rancher/k3s/agent/kubelet.kubeconfig*get\ node\ laptop-01*) cat "$STATE" ;;
*patch\ node\ laptop-01*unschedulable\":true*) printf true/true >"$STATE"; echo patched >>"$STATE.log" ;;
*patch\ node\ laptop-01*unschedulable\":null*) printf / >"$STATE"; echo patched >>"$STATE.log" ;;
*) exit 64 ;;
esac
"#;

fn cordon() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = laptop()?;
    let (program, state) = (folder.path().join("k3s"), folder.path().join("state"));
    std::fs::write(&program, KUBECTL)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let script = folder.path().join("rootfs/usr/local/lib/rootstock/sleep-cordon");
    let text = std::fs::read_to_string(&script)?.replace("/usr/local/bin/k3s", &program.to_string_lossy());
    std::fs::write(&script, text)?;
    let run = |word: &str| -> anyhow::Result<i32> {
        let call = host::process::Invocation::new("sh").arg(&script).arg(word).env("STATE", &state);
        Ok(tests::programs::answering(call).run()?.code)
    };
    // What it is, what happens, what it is then, and how often the server was told.
    for (before, words, after, told) in [
        ("/", &["asleep"][..], "true/true", 1),
        ("/", &["asleep", "asleep"], "true/true", 1),
        ("/", &["asleep", "awake", "awake"], "/", 2),
        // A person's own cordon.
        ("true/", &["asleep", "awake"], "true/", 0),
    ] {
        std::fs::write(&state, before)?;
        let log = state.with_extension("log");
        std::fs::write(&log, "")?;
        for word in words {
            ensure!(run(word)? == 0, "{word} from {before}");
        }
        ensure!(std::fs::read_to_string(&state)? == after, "{words:?} from {before}");
        let patched = std::fs::read_to_string(&log)?.lines().count();
        ensure!(patched == told, "{words:?} from {before}: {patched} patches");
    }
    std::fs::remove_file(&state)?;
    ensure!(run("awake")? != 0, "a server that does not answer is to be asked again");
    Ok(())
}

fn units_of_sleep(lab: &Lab) -> anyhow::Result<()> {
    let folder = laptop()?;
    let place = folder.path().join("rootfs/etc/systemd/system");
    let alone = scratch()?;
    for name in ["rootstock-asleep.service", "rootstock-awake.service", "k3s-agent.service"] {
        std::fs::copy(place.join(name), alone.path().join(name))?;
    }
    units::verify(lab, alone.path(), &ON_NODES)
}
