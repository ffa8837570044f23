//! What the three clusters render to, held against the committed trees.
//!
//! `ROOTSTOCK_UPDATE_GOLDEN=1 cargo xtask test golden` writes the trees anew; read the difference before you commit it.

use anyhow::{Context as _, ensure};
use std::path::Path;
use tests::programs::{said, scratch, xtask};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![Trial::new(Ring::Golden, "trees::render_gives_what_was_read_and_committed", |_| trees())]
}

fn trees() -> anyhow::Result<()> {
    let golden = tests::repository().join("tests/golden");
    let render = |out: &Path| Ok::<_, anyhow::Error>(xtask()?.args(["render", "--out"]).arg(out));
    if std::env::var_os("ROOTSTOCK_UPDATE_GOLDEN").is_some() {
        render(&golden)?.run()?;
        return Ok(());
    }
    // git keeps no mode but the executable bit, so the committed files are given those of a fresh tree; what the modes
    // shall be on a node stands in resources.json, which is compared like every other file.
    let (fresh, committed) = (scratch()?, scratch()?);
    render(fresh.path())?.run()?;
    for file in host::tree::files(&golden)? {
        let below = file.strip_prefix(&golden)?;
        let copy = committed.path().join(below);
        std::fs::create_dir_all(copy.parent().context("it lies in a folder")?)?;
        std::fs::copy(&file, &copy)?;
        if let Ok(metadata) = fresh.path().join(below).metadata() {
            std::fs::set_permissions(&copy, metadata.permissions())?;
        }
    }
    let output = render(committed.path())?.arg("--check").run()?;
    ensure!(output.code == 0, "the output changed:\n{}", said(&output));
    Ok(())
}
