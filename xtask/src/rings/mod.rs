//! The rings of tests: what runs in each, and what came of it.
//!
//! In: which rings, and how (long, offline). Out: one [`Tally`] a ring. Talk of the tools goes to stderr as it comes.
//! The unit ring is cargo's; the rings above are trials of one binary, which reports each as a JSON line.

mod above;
mod tally;
mod unit;

pub use tally::{Tally, closing, last_line};

use clap::ValueEnum;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than any ring may take on any machine; a hang outside a trial, which has limits of its own, ends here.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// A ring of tests; each needs more of the machine than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ring {
    /// Beside the code; needs nothing
    Unit,
    /// Whole output against committed trees; needs nothing
    Golden,
    /// Real readers of the generated files; needs packages
    Static,
    /// A real engine and registry; needs root
    Container,
    /// Kernels of their own, power cuts, the other architecture; needs QEMU
    Vm,
}

impl Ring {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 5] = [Self::Unit, Self::Golden, Self::Static, Self::Container, Self::Vm];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Golden => "golden",
            Self::Static => "static",
            Self::Container => "container",
            Self::Vm => "vm",
        }
    }
}

/// How the rings shall run.
#[derive(Debug)]
pub struct Settings {
    /// The repository.
    pub root: PathBuf,
    /// With the big matrices.
    pub long: bool,
    /// Without fetching or installing anything.
    pub offline: bool,
    /// Only trials whose name has this in it, after the ring's.
    pub only: &'static str,
    /// Where trials leave what they saw of cards.
    pub rehearsals: Option<PathBuf>,
}

/// Runs one ring.
pub fn run(ring: Ring, settings: &Settings) -> Tally {
    match ring {
        Ring::Unit => unit::run(settings),
        Ring::Golden | Ring::Static | Ring::Container | Ring::Vm => above::run(ring, settings),
    }
}

/// One line of talk.
fn say(line: &str) {
    // A closed stderr is no reason to stop testing.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}
