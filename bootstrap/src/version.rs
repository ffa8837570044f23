//! `bootstrap version`: which program this is, for a person or a script.

use clap::Args;
use desired::Arch;

use crate::exit::{Code, Outcome, answer};

/// Arguments of `version`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// The digest of the sources, given by whoever built the bundle's program; a plain cargo build has none.
const SOURCES: Option<&str> = option_env!("ROOTSTOCK_SOURCE_DIGEST");

/// Says.
pub fn run(arguments: &Arguments) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let arch = Arch::of_this_program().map_or("unknown", Arch::as_str);
    if arguments.json {
        let value = serde_json::json!({"format": 1, "version": version, "arch": arch, "sources": SOURCES});
        answer(&format!("{value}\n"))?;
    } else {
        let sources = SOURCES.map_or_else(String::new, |digest| format!(", sources {}", &digest[..12]));
        answer(&format!("bootstrap {version} ({arch}{sources})\n"))?;
    }
    Ok(Code::Done)
}
