//! What the three clusters render to, held against the committed trees.
//!
//! `ROOTSTOCK_UPDATE_GOLDEN=1 cargo xtask test golden` writes the trees anew; read the difference before you commit it.

use anyhow::ensure;
use tests::programs::{said, xtask};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![Trial::new(Ring::Golden, "trees::render_gives_what_was_read_and_committed", |_| trees())]
}

fn trees() -> anyhow::Result<()> {
    let call = xtask()?.args(["render", "--out"]).arg(tests::repository().join("tests/golden"));
    if std::env::var_os("ROOTSTOCK_UPDATE_GOLDEN").is_some() {
        call.run()?;
        return Ok(());
    }
    let output = call.arg("--check").run()?;
    ensure!(output.code == 0, "the output changed:\n{}", said(&output));
    Ok(())
}
