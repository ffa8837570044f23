//! The command line as data: the verbs and the flags they share.
//!
//! In: arguments. Out: [`Cli`]. Help, completions and man pages come from here and nowhere else.
//! Each verb keeps its own arguments beside its code in `verbs/`; this file only lists them.

use crate::verbs;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// From a few TOML files to bundles, images, cards and nodes.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version, propagate_version = true)]
pub struct Cli {
    /// Flags every verb understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags every verb understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Answer as one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Use no network; what is not in the cache is missing
    #[arg(long, global = true)]
    pub offline: bool,
    /// Fail instead of changing a lock file
    #[arg(long, global = true)]
    pub locked: bool,
    /// Where the profiles are; the repository's `profiles/` if left out
    #[arg(long, global = true, value_name = "DIR")]
    pub profiles: Option<std::path::PathBuf>,
    /// Say more; twice: say everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour on stdout and stderr
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Also into pipes and files
    Always,
    /// Not at all
    Never,
}

impl Common {
    /// Makes every later write through `anstream` follow `--color`.
    pub fn apply_color(&self) {
        let choice = match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// One variant a verb; its module has the arguments and the code.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What this machine can do, what is missing, and the line that brings it
    Doctor(verbs::doctor::Arguments),
    /// Every ring of tests this machine can run; sets up what is missing
    Test(verbs::test::Arguments),
    /// Every finding of every cluster, with file, line and what to write instead
    Check(verbs::check::Arguments),
    /// Compare speeds with what others offer for the same work, in the same run
    Bench(verbs::bench::Arguments),
    /// Formatting, lints, generated files, documentation links and every test ring
    Ci(verbs::ci::Arguments),
    /// Bundles and images of every cluster, for both architectures: the main job
    BuildImages(verbs::build_images::Arguments),
    /// Write the files that are made from the code: schemas, the pages of rules and commands
    Codegen(verbs::codegen::Arguments),
    /// Pin the third-party files of clusters: versions, digests, sources
    Lock(verbs::lock::Arguments),
    /// What each node and cluster gets, as plain files, or what would change in them
    Render(verbs::render::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_flags_stand_before_or_after_the_verb() {
        let before = Cli::try_parse_from(["xtask", "--json", "ci"]).unwrap();
        let after = Cli::try_parse_from(["xtask", "ci", "--json", "-vv"]).unwrap();
        assert!(before.common.json && after.common.json);
        assert_eq!(after.common.verbose, 2);
    }
}
