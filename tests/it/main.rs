//! The rings above unit.
fn main() {}
