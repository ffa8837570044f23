//! What must hold before the first change: whoever calls has the rights, and the bundle is for this machine.
//!
//! In: the root and the verified bundle. Out: nothing, or a refusal with the reason and what to do.

use anyhow::anyhow;
use desired::Arch;
use host::bundle::Bundle;
use host::root::Root;

use crate::exit::{Code, Failure};

/// Checks all of it; below a folder that is not `/` the machine this program runs on does not count.
pub fn run(root: &Root, bundle: &Bundle) -> Result<(), Failure> {
    if !root.is_live() {
        return Ok(());
    }
    if !root.is_writable_by_caller() {
        return Err(Failure::new(
            Code::Missing,
            anyhow!("this changes the whole system and needs root; run it again with sudo"),
        ));
    }
    let (wanted, own) = (bundle.manifest.arch, Arch::of_this_program());
    if own.is_some_and(|own| own != wanted) {
        let own = own.map_or("another arch", Arch::as_str);
        return Err(Failure::new(
            Code::Refused,
            anyhow!("the bundle is for {wanted}, this userland is {own}; use the bundle for {own}"),
        ));
    }
    Ok(())
}
