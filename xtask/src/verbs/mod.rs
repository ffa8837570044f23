//! One module a verb: its arguments and `run`, which loads, calls a library and reports.

pub mod bench;
pub mod build_images;
pub mod check;
pub mod ci;
pub mod codegen;
pub mod doctor;
pub mod lock;
pub mod render;
pub mod test;
