//! One background process that ends with its owner.
//!
//! In: program, arguments, log file. Out: a guard; dropping it asks the process to stop, waits, then insists. If the
//! owner is killed before that, the kernel asks instead.

use super::Missing;
use host::process::find_program;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A running background process.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// How long a daemon may take to stop before it is killed.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Starts `program` with both outputs in `log`. Call it on a thread that lives as long as the daemon shall: the
    /// kernel's "my parent died" looks at the thread.
    ///
    /// # Errors
    /// If the log can't be made or the program can't be started.
    #[expect(
        clippy::disallowed_methods,
        reason = "host::process runs children to their end; this one is to stay"
    )]
    pub fn start(program: &str, arguments: &[OsString], log: &Path) -> Result<Self, Missing> {
        let failed =
            |error: std::io::Error| Missing::new(format!("start {program}: {error}"), "look at the message");
        let output = std::fs::File::create(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // util-linux' setpriv replaces itself by the program, so the process id stays the same.
        let mut command = if find_program("setpriv").is_some() {
            let mut command = std::process::Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--", program]);
            command
        } else {
            std::process::Command::new(program)
        };
        command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(failed)?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until `answers` says yes; a daemon that ends before, or does not answer in time, is missing with the
    /// last lines of its log.
    ///
    /// # Errors
    /// If it ended or stayed silent.
    pub fn wait_until(&mut self, limit: Duration, answers: impl Fn() -> bool) -> Result<(), Missing> {
        let deadline = Instant::now() + limit;
        loop {
            if answers() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let how = ended
                    .map_or_else(|| format!("silent for {limit:?}"), |status| format!("ended, {status}"));
                return Err(Missing::new(
                    format!("{how}; its last words: {}", self.last_words()),
                    "look at them",
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it with SIGKILL: it has no time to finish anything.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn kill(mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// The last lines of its log, on one line.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(4)..].join(" | ")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // The number of one that has ended may be another process's by now.
        if self.has_ended() {
            return;
        }
        // It may end by itself just now; then there is nothing to stop.
        let _ = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + Self::PATIENCE;
        while Instant::now() < deadline {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
