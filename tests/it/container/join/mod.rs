//! The node's tool on machines with a real systemd, apt and k3s, from a bundle that the product built.

use anyhow::ensure;
use tests::lab::bundle::Bundle;
use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Container, format!("join::{name}"), body).needs(&[
            Need::Engine,
            Need::Node,
            Need::K3s,
        ])
    };
    vec![trial("the_bundle_has_all_a_node_needs", bundle)]
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
    let said = tests::programs::said(&again);
    ensure!(again.code == 0 && said.contains("Nothing changed"), "it is built twice: {said}");
    Ok(())
}
