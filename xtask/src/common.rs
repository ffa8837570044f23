//! The flags that every verb understands.
//!
//! In: the command line. Out: [`Common`], which is handed to each verb beside its own arguments.

use clap::{Args, ValueEnum};

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
    /// How paths in pictures of findings begin, so that a terminal can open them.
    pub fn findings_prefix(&self) -> String {
        self.profiles.as_ref().map_or("profiles/".to_owned(), |folder| format!("{}/", folder.display()))
    }
}
