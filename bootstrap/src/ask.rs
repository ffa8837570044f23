//! The one question before something is changed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::anyhow;

use crate::exit::{Code, Failure};

/// Asks `question` on the terminal; without one nobody can answer, so nothing is done.
pub fn confirm(question: &str) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::new(Code::Refused, anyhow!("{why}")));
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return refuse(
            "there is no terminal to ask on, so nothing was changed; add --yes to go on without asking",
        );
    }
    // A terminal that takes no question gives no answer either.
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    match stdin.lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => refuse("not confirmed, so nothing was changed"),
    }
}
