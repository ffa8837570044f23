//! The node's tool.

fn main() {}
