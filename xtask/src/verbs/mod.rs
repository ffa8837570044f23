//! One module a verb: its arguments and `run`, which loads, calls a library and reports.

pub mod bench;
pub mod build_images;
pub mod check;
pub mod ci;
pub mod codegen;
pub mod doctor;
pub mod flash;
pub mod image;
pub mod inspect;
pub mod join;
pub mod lock;
pub mod render;
pub mod replace;
pub mod serve;
pub mod status;
pub mod test;
pub mod validate;
