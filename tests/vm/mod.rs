//! Virtual machines: what only a kernel of its own can show, and what only a power cut can break.
//!
//! [`image`] makes the disk a guest starts from and keeps it by its content; [`guest`] boots it under QEMU, runs programs
//! on it and takes its power away; [`bundle`] is what guests join from; [`foreign`] is a root of the other architecture,
//! whose programs QEMU's user emulation runs without a machine around them. [`base`] is what cards are made of, [`card`] a
//! machine that boots from one, [`rehearsal`] what a card has to show in it. [`qemu`] is the board of every machine, [`line`] the way into it. No
//! acceleration is used: whether `/dev/kvm` boots a kernel is known only after it has hung, and a guest here is up in some
//! twenty seconds without.

pub mod base;
pub mod bundle;
pub mod card;
pub mod foreign;
pub mod guest;
pub mod image;
pub mod line;
pub mod qemu;
pub mod rehearsal;
