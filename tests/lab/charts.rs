//! Charts and kinds of objects that the charts' own makers published as Go modules.
//!
//! In: the lab's folder. Out: a folder with `cert-manager` and `ingress-nginx` as Helm takes them, and `crds` with the
//! definitions of their kinds and of k3s's Helm controller. Sums are in `tests/lab/charts/go.sum`. The chart of
//! csi-driver-nfs is in no module that can be had.

use super::{Missing, Permission, folder};
use host::process::{Invocation, find_program};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIX: &str = "install Go 1.24 or newer and reach its module registry, then run this again";

/// A module, and what of it goes where.
const PARTS: [(&str, &str, &str); 4] = [
    ("github.com/cert-manager/cert-manager@v1.20.2", "deploy/charts/cert-manager", "cert-manager"),
    ("github.com/cert-manager/cert-manager@v1.20.2", "deploy/crds", "crds/cert-manager"),
    ("k8s.io/ingress-nginx@v0.0.0-20240708192948-52c50467d67d", "charts/ingress-nginx", "ingress-nginx"),
    ("github.com/k3s-io/helm-controller@v0.16.16", "pkg/crds/yaml/generated", "crds/k3s"),
];

/// The folder, from an earlier run or fetched.
///
/// # Errors
/// If Go is not there, or a module is not to be had.
pub fn find_or_fetch(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    let charts = permission.folder.join("charts");
    if charts.exists() {
        return Ok(charts);
    }
    if find_program("go").is_none() {
        return Err(Missing::new("go is not on PATH", FIX));
    }
    if !permission.install {
        return Err(Missing::new("not fetched yet", "cargo xtask test fetches it"));
    }
    talk("go: fetching charts");
    let failed = |error: &dyn std::fmt::Display| Missing::new(format!("charts: {error}"), FIX);
    let unfinished = tempfile::Builder::new().prefix("charts-").tempdir_in(folder(&permission.folder)?);
    let unfinished = unfinished.map_err(|error| failed(&error))?;
    for (module, below, name) in PARTS {
        let to = unfinished.path().join(name);
        folder(to.parent().unwrap_or(&to))?;
        // What lies in the module cache is read-only.
        let from = source(module)?.join(below);
        let copy = Invocation::new("cp").args(["-r", "--no-preserve=mode"]).arg(from).arg(to);
        copy.run().map_err(|error| failed(&error))?;
    }
    // Its maker fills in version numbers here, which nothing of ours looks at.
    let chart = unfinished.path().join("cert-manager");
    std::fs::rename(chart.join("Chart.template.yaml"), chart.join("Chart.yaml"))
        .and_then(|()| std::fs::rename(unfinished.path(), &charts))
        .map_err(|error| failed(&error))?;
    Ok(charts)
}

/// Where Go keeps that module.
fn source(module: &str) -> Result<PathBuf, Missing> {
    let here = crate::repository().join("tests/lab/charts");
    let call = Invocation::new("go").args(["mod", "download", "-json", module]).folder(here);
    let call = call.env("GOFLAGS", "").env("GOVCS", "*:off").timeout(Duration::from_secs(600));
    let output = call.run().map_err(|error| Missing::new(format!("go failed: {error}"), FIX))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match answer["Dir"].as_str() {
        Some(folder) => Ok(Path::new(folder).to_owned()),
        None => Err(Missing::new(format!("go does not say where {module} is"), FIX)),
    }
}
