//! A machine that boots from a card: the file is its disk, and what is switched on is what the card's boot partition says.
//!
//! In: a card's image. Out: [`Machine`]; dropping it ends it. [`firmware`] plays the board's firmware: it reads the boot
//! partition with the product's own reader and hands QEMU the kernel and the command line found there, so that a card whose
//! command line was damaged does not boot here either. An [`Other`] is a port of another machine that it is to reach. [`Cards`] are those of a fixture's nodes. The disk is NVMe, which
//! Debian's cloud kernel has built in. A further key logs in as root, by a credential that QEMU's firmware interface hands to
//! systemd: the card knows nothing of it.

pub mod firmware;
mod machine;
mod made;

pub use machine::{Machine, Options, Other};
pub use made::{Cards, image};
