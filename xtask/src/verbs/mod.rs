//! One module a verb: its arguments and `run`, which loads, calls a library and reports.

pub mod check;
pub mod bench;
pub mod ci;
pub mod doctor;
pub mod test;
pub mod lock;
