//! The node's tool. `main` parses, dispatches to one module a verb, and turns the outcome into an exit code.

mod ask;
mod doctor;
mod exit;
mod join;
mod leave;
mod place;
mod plan;
mod preflight;
mod status;
mod target;
mod verify;
mod version;
mod wait_mount;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Make this machine the node that its cluster describes, and prove it.
#[derive(Debug, Parser)]
#[command(name = "bootstrap", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// One variant a verb; its module has the arguments and the code.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Hold every byte of a bundle against its manifest
    Verify(verify::Arguments),
    /// Show what this node lacks, without changing anything
    Plan(plan::Arguments),
    /// Make this node what its bundle says, and prove that nothing is left to do
    Join(join::Arguments),
    /// How this node is: converged or not, its shares, its clock, its heat
    Status(status::Arguments),
    /// Check whether this node can join, and say why it did not
    Doctor(doctor::Arguments),
    /// Give back what was there before join
    Leave(leave::Arguments),
    /// Wait until a share is really mounted, not just its automount
    WaitMount(wait_mount::Arguments),
    /// Version, architecture and sources of this program
    Version(version::Arguments),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(stop) => {
            // Help goes to stdout with 0, a usage error to stderr with 2; a closed pipe changes neither.
            let _ = stop.print();
            return ExitCode::from(u8::try_from(stop.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match &cli.verb {
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Plan(arguments) => plan::run(arguments),
        Verb::Join(arguments) => join::run(arguments),
        Verb::Status(arguments) => status::run(arguments),
        Verb::Doctor(arguments) => doctor::run(arguments),
        Verb::Leave(arguments) => leave::run(arguments),
        Verb::WaitMount(arguments) => wait_mount::run(arguments),
        Verb::Version(arguments) => version::run(arguments),
    };
    // A verb that fails because its children were stopped has nothing to report.
    let code = match outcome {
        _ if host::interrupt::came() => exit::Code::Interrupted.into(),
        Ok(code) => code.into(),
        Err(failure) => {
            failure.report();
            failure.code.into()
        }
    };
    host::interrupt::settle();
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
