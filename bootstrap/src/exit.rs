//! How a verb ends: the exit codes both binaries share, answers on stdout and the one `error:` on stderr.

use std::io::Write as _;
use std::process::ExitCode;

/// The documented exit codes this program uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done, or nothing had to be done.
    Done = 0,
    /// Something this program did not foresee, or a wait that ran out.
    Unexpected = 1,
    /// What was typed names something that isn't there.
    Usage = 2,
    /// Changes are pending (`--detailed-exitcode`).
    Pending = 3,
    /// A file, a bundle or another prerequisite is missing.
    Missing = 5,
    /// A digest or another property of a bundle does not hold.
    VerificationFailed = 6,
    /// Refused, because going on would mean to guess.
    Refused = 7,
    /// Asked to end by ^C or a signal.
    Interrupted = 130,
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
    /// A failure with this code.
    pub fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }
    /// Writes `error: …` and one indented line a cause.
    pub fn report(&self) {
        let causes: String =
            self.error.chain().skip(1).map(|cause| format!("  because: {cause}\n")).collect();
        // Nothing is left to do when stderr itself is gone; the exit code still tells.
        let _ = write!(std::io::stderr().lock(), "error: {}\n{causes}", self.error);
    }
}

/// The answer, whole, on stdout.
///
/// # Errors
/// If stdout can't take it, as on a full disk; a reader that went away is none.
pub fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Code::Unexpected,
            anyhow::Error::new(error).context("write the answer to stdout"),
        )),
        _ => Ok(()),
    }
}
