//! The node's tool on machines with a real systemd, apt and k3s, from a bundle that the product built.

mod apt;
mod at_work;
mod cluster;
mod kills;
mod leave;
mod trouble;

use anyhow::ensure;
use tests::lab::bundle::Bundle;
use tests::lab::cluster::bootstrap;
use tests::lab::node::Node;
use tests::lab::{Lab, Need};
use tests::programs::said;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let own = vec![trial("the_bundle_has_all_a_node_needs", bundle)];
    let all = [own, cluster::trials(), trouble::trials(), leave::trials(), apt::trials(), kills::trials()];
    all.into_iter().flatten().collect()
}

fn trial(name: &str, body: fn(&Lab) -> anyhow::Result<()>) -> Trial {
    let needs = [Need::Engine, Need::Node, Need::K3s];
    Trial::new(Ring::Container, format!("join::{name}"), body).needs(&needs)
}

/// Nothing is left to be fetched, and what is built once is not built again.
fn bundle(lab: &Lab) -> anyhow::Result<()> {
    let bundle = Bundle::of(lab)?;
    let manifest = std::fs::read_to_string(bundle.file("manifest.json"))?;
    ensure!(!manifest.contains("deferred"), "something is left to be fetched: {manifest}");
    for artifact in ["k3s-airgap-images", "\"k3s\""] {
        ensure!(manifest.contains(artifact), "{artifact} is not in it: {manifest}");
    }
    let again = bundle.build_images()?.run()?;
    ensure!(
        again.code == 0 && said(&again).contains("Nothing changed"),
        "it is built twice: {}",
        said(&again)
    );
    Ok(())
}

/// The verbs that only look all say that nothing is left to do and nothing is in the way.
fn is_converged(node: &Node<'_>) -> anyhow::Result<()> {
    for words in [&["plan", "--detailed-exitcode"][..], &["status"], &["doctor"]] {
        let output = bootstrap(node, words)?;
        ensure!(
            output.code == 0,
            "{} on {} ends with {}: {}",
            words.join(" "),
            node.name(),
            output.code,
            said(&output)
        );
    }
    Ok(())
}
