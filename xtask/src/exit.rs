//! How a verb ends: the documented exit codes, and the one type that carries an error with its code.
//!
//! In: what a verb returns. Out: the process exit code, and for a failure one `error:` line with its causes on stderr.
//! Verbs use `?` on `anyhow` errors (code 1) or `.map_err(Failure::with(Code::…))?` to name a better code.

use std::io::Write as _;
use std::process::ExitCode;

/// The exit codes of both binaries; `docs/cli.md` lists them for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done, or nothing had to be done.
    Done = 0,
    /// Something this program did not foresee.
    Unexpected = 1,
    /// What was typed names something that isn't there.
    Usage = 2,
    /// Changes are pending (`--check`, `--detailed-exitcode`).
    Pending = 3,
    /// The profile is invalid.
    InvalidProfile = 4,
    /// A tool, an artifact or another prerequisite is missing.
    Missing = 5,
    /// A digest, a signature or a read-back does not match.
    VerificationFailed = 6,
    /// Refused because it could destroy something.
    Refused = 7,
    /// Validation ran and found problems.
    ProblemsFound = 8,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error and the exit code that belongs to it.
#[derive(Debug)]
pub struct Failure {
    /// The code the process ends with.
    pub code: Code,
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
}

/// What every verb returns.
pub type Outcome = Result<Code, Failure>;

impl Failure {
    /// For `map_err`: keeps the error and names its code.
    pub fn with<E: Into<anyhow::Error>>(code: Code) -> impl FnOnce(E) -> Self {
        move |error| Self { code, error: error.into() }
    }

    /// A failure that starts here, with a sentence of our own.
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, error: anyhow::Error::msg(sentence.into()) }
    }

    /// Writes `error: …` (red where colour is wanted) and one indented line a cause to stderr.
    pub fn report(&self) {
        let red = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
        let mut stderr = anstream::stderr().lock();
        // Nothing is left to do when stderr itself is gone; the exit code still tells.
        let _ = write!(stderr, "{red}error:{red:#} {}\n{}", self.error, causes(&self.error));
    }
}

/// One line a cause, outermost first.
fn causes(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(|cause| format!("  because: {cause}\n")).collect()
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: Code::Unexpected, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_failure_keeps_code_and_every_cause() {
        let failure = Err::<(), _>(std::io::Error::other("no space"))
            .context("write dist/x")
            .map_err(Failure::with(Code::Missing))
            .unwrap_err();
        assert_eq!(failure.code, Code::Missing);
        assert_eq!(failure.error.to_string(), "write dist/x");
        assert_eq!(causes(&failure.error), "  because: no space\n");
    }

    #[test]
    fn an_unnamed_error_is_unexpected() {
        assert_eq!(Failure::from(anyhow::anyhow!("x")).code as u8, 1);
    }
}
