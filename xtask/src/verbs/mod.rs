//! One module a verb: its arguments and `run`, which loads, calls a library and reports.

pub mod bench;
pub mod build_images;
pub mod check;
pub mod ci;
pub mod codegen;
pub mod doctor;
pub mod join;
pub mod lock;
pub mod render;
pub mod replace;
pub mod status;
pub mod test;
