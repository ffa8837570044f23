//! Cards: from nodes and a vendor's image to media that may be written.
//!
//! In: the command line's words and the profiles. Out: which image a node is made of, on this disk and pinned; and which
//! devices were cleared for it, shown and agreed to. Writing itself is `host::disk`'s.

pub mod agreement;
pub mod bases;
pub mod choice;
pub mod outcome;
pub mod targets;
