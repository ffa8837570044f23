//! The real readers of what we generate, each as one function that says yes or says what it disliked.
//!
//! In: a lab and a file or folder of ours. Out: `Ok`, or an error with everything the reader said. Facts about the
//! machine the tests run on (a mount point that is not there) are told apart from faults in our files.

pub mod chezmoi;
pub mod engine;
pub mod k3s;
pub mod kubernetes;
pub mod mise;
pub mod mounts;
pub mod quadlet;
pub mod shell;
pub mod units;
