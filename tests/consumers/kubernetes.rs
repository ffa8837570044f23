//! Readers of objects and trees of Kubernetes: kustomize, Helm with the makers' own charts, and the API server's checks.
//!
//! No cluster is asked. `kubectl-validate` is the API server's own code over the kinds of Kubernetes 1.30, which it carries,
//! and over definitions that are given to it.

use crate::lab::Lab;
use crate::programs::{answering, said, scratch};
use std::path::Path;

/// What `kustomize build` makes of a folder.
///
/// # Errors
/// With its own message.
pub fn build(lab: &Lab, folder: &Path) -> anyhow::Result<String> {
    let output = answering(lab.tool("kustomize").arg("build").arg(folder)).run()?;
    anyhow::ensure!(output.code == 0, "kustomize does not build {}:\n{}", folder.display(), said(&output));
    Ok(output.text())
}

/// Lets the API server's checks read every object of a file.
///
/// # Errors
/// With what it dislikes.
pub fn validate(lab: &Lab, objects: &str) -> anyhow::Result<()> {
    let folder = scratch()?;
    let file = folder.path().join("objects.yaml");
    std::fs::write(&file, objects)?;
    let crds = lab.path("charts").join("crds");
    let call = lab.tool("kubectl-validate").arg(&file).args(["--version", "1.30"]);
    let call =
        ["cert-manager", "k3s"].iter().fold(call, |call, name| call.arg("--local-crds").arg(crds.join(name)));
    let output = answering(call).run()?;
    anyhow::ensure!(output.code == 0, "the API server would not take this:\n{}\n{objects}", said(&output));
    Ok(())
}

/// What a chart makes of these values.
///
/// # Errors
/// With Helm's own message; a chart with a schema refuses keys it does not know.
pub fn template(lab: &Lab, chart: &str, values: &str) -> anyhow::Result<String> {
    let folder = scratch()?;
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values)?;
    let call = lab.tool("helm").args(["template", chart]).arg(lab.path("charts").join(chart));
    let call = call.args(["--kube-version", "1.36.4", "--values"]).arg(&file).env("HOME", folder.path());
    let output = answering(call).run()?;
    anyhow::ensure!(output.code == 0, "the chart {chart} does not take its values:\n{}", said(&output));
    Ok(output.text())
}
