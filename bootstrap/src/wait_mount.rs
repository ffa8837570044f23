//! `bootstrap wait-mount`: the gate for services that need a share (FIELD M6–M8), for `ExecStartPre=` and init
//! containers.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use desired::AbsPath;
use host::mount::{Wanted, wait};

use crate::exit::{Code, Failure, Outcome, answer};

/// Arguments of `wait-mount`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The mount point
    path: AbsPath,
    /// Accepted file system types, separated by commas [default: every one but autofs]
    #[arg(long = "type", value_delimiter = ',')]
    types: Vec<String>,
    /// A file that must be there too, relative to the mount point
    #[arg(long)]
    sentinel: Option<String>,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 150)]
    timeout_secs: u64,
    /// How long between two looks, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    interval_secs: u64,
}

/// Waits.
pub fn run(arguments: &Arguments) -> Outcome {
    let wanted = Wanted {
        path: &arguments.path,
        types: &arguments.types,
        sentinel: arguments.sentinel.as_deref().map(Path::new),
    };
    let timeout = Duration::from_secs(arguments.timeout_secs);
    let interval = Duration::from_secs(arguments.interval_secs);
    match wait(&wanted, timeout, interval) {
        Ok(filesystem) => {
            answer(&format!("{} is mounted ({filesystem})\n", arguments.path))?;
            Ok(Code::Done)
        }
        Err(why) => Err(Failure::new(
            Code::Unexpected,
            anyhow::anyhow!(
                "{} did not become usable within {} s: {why}",
                arguments.path,
                arguments.timeout_secs
            ),
        )),
    }
}
