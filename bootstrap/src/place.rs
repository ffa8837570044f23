//! Where the bundle is: named by the person, or the folder this program lies in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use host::bundle::{Bundle, verify};
use host::verified::Verified;

use crate::exit::{Code, Failure};

/// Verifies the bundle at `named`, or the one this program is part of.
pub fn bundle(named: Option<&Path>) -> Result<Verified<Bundle>, Failure> {
    let place = match named {
        Some(place) => place.to_owned(),
        None => own_folder()?,
    };
    verify(&place).map_err(|error| {
        let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
        let context = format!("the bundle {} is not usable", place.display());
        Failure::new(code, anyhow::Error::new(error).context(context))
    })
}

fn own_folder() -> Result<PathBuf, Failure> {
    let program =
        std::env::current_exe().context("find out where this program lies; name the bundle instead");
    let program = program.map_err(|error| Failure::new(Code::Missing, error))?;
    Ok(program.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned))
}
