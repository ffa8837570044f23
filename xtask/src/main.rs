//! The operator's tool. `main` parses, dispatches to one module a verb, and turns the outcome into an exit code.

mod artifacts;
mod cards;
mod cli;
mod common;
mod docs_links;
mod exit;
mod fleet;
mod load;
mod mirror;
mod picture;
mod repository;
mod rings;
mod seeding;
mod table;
mod validation;
mod verbs;

use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Verb};
use host::interrupt;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Without handlers ^C ends the process all the same, just without cleaning up.
    let _ = interrupt::listen();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(stop) => {
            // Help and version go to stdout with 0, a usage error to stderr with 2; a closed pipe changes neither.
            let _ = stop.print();
            return ExitCode::from(u8::try_from(stop.exit_code()).unwrap_or(2));
        }
    };
    cli.common.apply_color();
    let outcome = dispatch(&cli);
    // A verb that fails because its children were stopped has nothing to report.
    let code = match outcome {
        _ if interrupt::came() => ExitCode::from(interrupt::EXIT_CODE),
        Ok(code) => code.into(),
        Err(failure) => {
            failure.report();
            failure.code.into()
        }
    };
    interrupt::settle();
    code
}

fn dispatch(cli: &Cli) -> exit::Outcome {
    match &cli.verb {
        Verb::BuildImages(arguments) => verbs::build_images::run(&cli.common, arguments),
        Verb::Test(arguments) => verbs::test::run(&cli.common, arguments),
        Verb::Flash(arguments) => verbs::flash::run(&cli.common, arguments),
        Verb::Image(arguments) => verbs::image::run(&cli.common, arguments),
        Verb::Serve(arguments) => verbs::serve::run(&cli.common, arguments),
        Verb::Validate(arguments) => verbs::validate::run(&cli.common, arguments),
        Verb::Inspect(arguments) => verbs::inspect::run(&cli.common, arguments),
        Verb::Doctor(arguments) => verbs::doctor::run(&cli.common, arguments),
        Verb::Check(arguments) => verbs::check::run(&cli.common, arguments),
        Verb::Bench(arguments) => verbs::bench::run(&cli.common, arguments),
        Verb::Ci(arguments) => verbs::ci::run(&cli.common, arguments, Cli::command()),
        Verb::Codegen(arguments) => verbs::codegen::run(&cli.common, arguments, Cli::command()),
        Verb::Render(arguments) => verbs::render::run(&cli.common, arguments),
        Verb::Join(arguments) => verbs::join::run(&cli.common, arguments),
        Verb::Replace(arguments) => verbs::replace::run(&cli.common, arguments),
        Verb::Status(arguments) => verbs::status::run(&cli.common, arguments),
        Verb::Lock(arguments) => verbs::lock::run(&cli.common, arguments),
    }
}
