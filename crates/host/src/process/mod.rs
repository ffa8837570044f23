//! The one way to run another program.
//!
//! In: an [`Invocation`], which is data: program, arguments, environment additions, folder, standard input, time
//! limit. Out: [`Output`], or a [`ProcessError`] with the quoted command line, how it ended, the last of what it
//! said and what to try. Every child runs with `LC_ALL=C` and without a terminal on standard input, so its
//! answers can be parsed and it can't stop to ask.

mod error;
mod run;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use error::{Ending, ProcessError};

use crate::secret::Secret;

/// A program call as data; building one has no effect.
///
/// Arguments are visible to every user of the machine (`ps`), so a [`Secret`] can't be one:
///
/// ```compile_fail
/// let token = host::secret::Secret::new("t0ken");
/// host::process::Invocation::new("curl").arg("--header").arg(&token);
/// ```
#[derive(Debug, Clone)]
pub struct Invocation {
    program: OsString,
    args: Vec<OsString>,
    environment: Vec<(OsString, EnvValue)>,
    folder: Option<PathBuf>,
    stdin: Input,
    timeout: Duration,
    accepted: Vec<i32>,
    if_missing: Option<String>,
}

/// What standard input is given.
#[derive(Debug, Clone)]
enum Input {
    Bytes(Vec<u8>),
    File(Arc<File>),
}

/// What an environment variable is given; secret ones print as `[secret]`.
#[derive(Debug, Clone)]
enum EnvValue {
    Plain(OsString),
    Secret(Secret),
    Removed,
}

/// What a program that ended as expected left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// Everything it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The last [`Invocation::STDERR_KEPT`] bytes of standard error, bad UTF-8 replaced.
    pub stderr_tail: String,
    /// Its exit status, one of the accepted ones.
    pub code: i32,
}

impl Output {
    /// Standard output as text without the trailing newline, bad UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }
}

impl Invocation {
    /// How many bytes of standard error errors carry: what a person reads.
    pub const STDERR_TAIL: usize = 2048;
    /// How many bytes of standard error an answer carries, against programs that never stop talking.
    pub const STDERR_KEPT: usize = 64 << 10;
    /// The time limit unless another is set: long enough for a package query on a slow card, short enough to notice.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

    /// A call of `program`, a name looked up on `PATH` or a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            environment: Vec::new(),
            folder: None,
            stdin: Input::Bytes(Vec::new()),
            timeout: Self::DEFAULT_TIMEOUT,
            accepted: vec![0],
            if_missing: None,
        }
    }
    /// Adds one argument; no shell ever sees it.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }
    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }
    /// Adds or replaces an environment variable.
    #[must_use]
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set(name.into(), EnvValue::Plain(value.into()))
    }
    /// Hands a secret over in an environment variable, readable only by the same user and root.
    #[must_use]
    pub fn env_secret(self, name: impl Into<OsString>, value: Secret) -> Self {
        self.set(name.into(), EnvValue::Secret(value))
    }
    /// Keeps a variable of ours from the child.
    #[must_use]
    pub fn env_remove(self, name: impl Into<OsString>) -> Self {
        self.set(name.into(), EnvValue::Removed)
    }
    fn set(mut self, name: OsString, value: EnvValue) -> Self {
        self.environment.retain(|(earlier, _)| *earlier != name);
        self.environment.push((name, value));
        self
    }
    /// Runs in this folder instead of ours.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
    /// Feeds these bytes to standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }
    /// Hands this file to standard input from where it stands. Its place is shared with the caller, so that the file's
    /// own position tells how much the program has read; a clone of the call goes on where the first has stopped.
    #[must_use]
    pub fn stdin_file(mut self, file: Arc<File>) -> Self {
        self.stdin = Input::File(file);
        self
    }
    /// Replaces [`Self::DEFAULT_TIMEOUT`]; a child that needs longer is killed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
    /// The exit codes that are answers rather than failures, instead of 0 alone (`systemctl is-active` says 3).
    #[must_use]
    pub fn accept(mut self, codes: impl Into<Vec<i32>>) -> Self {
        self.accepted = codes.into();
        self
    }
    /// What to type when the program isn't there ("apt-get install -y skopeo").
    #[must_use]
    pub fn if_missing(mut self, advice: impl Into<String>) -> Self {
        self.if_missing = Some(advice.into());
        self
    }
    /// The same call as the last words of another program (`sudo -n -- …`); environment, input and limits stay.
    #[must_use]
    pub fn wrapped(&self, program: &str, words: &[&str]) -> Self {
        let mut call = self.clone();
        let own = std::mem::replace(&mut call.program, program.into());
        let words = words.iter().map(OsString::from).chain([own]);
        call.args.splice(0..0, words);
        call
    }
    /// The call as a line a person can paste into a POSIX shell; environment additions are left out.
    #[must_use]
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
    /// Runs it to its end.
    ///
    /// # Errors
    /// If the program or folder is missing, it can't be started, takes too long, is killed by a signal or ends with
    /// a status that isn't accepted.
    pub fn run(&self) -> Result<Output, ProcessError> {
        run::run(self, &mut |_| {})
    }
    /// Runs it to its end and hands every line of standard error over as it comes, for calls people wait for.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_streaming(&self, mut line: impl FnMut(&str)) -> Result<Output, ProcessError> {
        run::run(self, &mut line)
    }
}

/// Whether this run was asked to end, so that nothing more is begun.
#[must_use]
pub(crate) fn is_ending() -> bool {
    #[cfg(feature = "interrupt")]
    return crate::interrupt::came();
    #[cfg(not(feature = "interrupt"))]
    false
}

/// Where `program` is on `PATH`, if it is there and may be executed; a value with a slash is taken as a path.
#[must_use]
pub fn find_program(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let program = Path::new(program.as_ref());
    if program.components().count() > 1 {
        return is_executable(program).then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// One word for a POSIX shell: bare when nothing in it is special, else in single quotes.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
