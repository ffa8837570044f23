//! The command line as data: the verbs and the flags they share.
//!
//! In: arguments. Out: [`Cli`]. Help, completions and man pages come from here and nowhere else.
//! Each verb keeps its own arguments beside its code in `verbs/`; this file only lists them.

use crate::common::Common;
use crate::verbs;
use clap::{Parser, Subcommand};

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

/// One variant a verb; its module has the arguments and the code.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What this machine can do, what is missing, and the line that brings it
    Doctor(verbs::doctor::Arguments),
    /// What a bundle, an image or a card is, told from itself, without mounting anything
    Inspect(verbs::inspect::Arguments),
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
    /// Write distinct cards side by side: each device becomes the node it is named for, and no other
    Flash(verbs::flash::Arguments),
    /// The cards of nodes as files: a vendor's image, and on it what makes it that node at its first boot
    Image(verbs::image::Arguments),
    /// Make machines the nodes their cluster describes, over ssh: servers first, then all others side by side
    Join(verbs::join::Arguments),
    /// Pin the third-party files of clusters: versions, digests, sources
    Lock(verbs::lock::Arguments),
    /// Give a node's place to the machine that now answers at its address: drain, forget, join from nothing
    Replace(verbs::replace::Arguments),
    /// Hand out the bundles on the LAN, to nodes whose cards have no room for theirs
    Serve(verbs::serve::Arguments),
    /// Every node of a cluster in one table: reachable, converged, drifted, healthy
    Status(verbs::status::Arguments),
    /// Real consumers over real output, and cards booted before they leave the desk; a report as text, JSON and a page
    Validate(verbs::validate::Arguments),
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
