//! Other machines, reached with the user's own OpenSSH program.
//!
//! In: a node's name, what the spec says of it, and calls as [`Invocation`]s. Out: what the far side answered, or an
//! [`SshError`]: one sentence and what to try. The user's configuration, agent, jump hosts and known hosts hold as they do
//! when he types `ssh`; host keys are always checked. One connection a node is kept open and used again by all calls.

mod destination;
mod error;
mod push;

use std::io::IsTerminal as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use desired::Arch;

pub use destination::{Destination, Origin};
pub use error::{Fault, SshError};
pub use push::{Pushed, STORE, push};

use crate::process::{Invocation, Output, find_program};

/// Seconds an unused connection stays open; also the longest a killed run leaves one behind.
const PERSIST: u32 = 30;
/// Seconds until a machine that is off counts as unreachable.
const CONNECT_SECS: u32 = 10;
/// Seconds between questions to a silent far side; three without answer end the connection.
const ALIVE_SECS: u32 = 15;
/// Ends a script that found no way to become root; sudo's own codes are 1 and up.
const NOT_ROOT: i32 = 77;

/// What every connection of one run shares: where its sockets lie.
#[derive(Debug)]
pub struct Ssh {
    folder: PathBuf,
    next: AtomicU64,
}

/// Whether ssh may ask on the terminal (a passphrase, a password, an unknown host key).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// It may.
    Allowed,
    /// It fails instead of asking.
    Never,
}

impl Asking {
    /// Allowed where there is a terminal somebody sits at.
    #[must_use]
    pub fn possible() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// What is learnt when a machine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What `uname -m` says.
    pub machine: String,
    /// The same as an architecture bundles are made for.
    pub arch: Option<Arch>,
    /// Bytes free where bundles are put.
    pub free: Option<u64>,
    /// We are root there, without sudo.
    pub is_root: bool,
}

/// One machine; calls share one connection, which is made anew when it was lost.
#[derive(Debug, Clone)]
pub struct Connection {
    destination: Destination,
    socket: PathBuf,
    asking: Asking,
    machine: Arc<OnceLock<Machine>>,
}

impl Ssh {
    /// Prepares a private folder for sockets.
    ///
    /// # Errors
    /// If ssh is not installed, or there is no place for the folder.
    pub fn new() -> Result<Self, SshError> {
        if find_program("ssh").is_none() {
            return Err(SshError::new("this desk", Fault::NotInstalled, ""));
        }
        // Names of sockets are short (108 bytes, and ssh adds some while it makes one), so not below deep folders.
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
        let bases = base.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
        let own = format!("rootstock-ssh-{}", std::process::id());
        let make = |folder: PathBuf| {
            let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
            made.map(|()| folder)
        };
        let mut last = None;
        for base in bases.filter(|base| base.as_os_str().len() < 50) {
            for number in 0..100 {
                match make(base.join(format!("{own}-{number}"))) {
                    Ok(folder) => return Ok(Self { folder, next: AtomicU64::new(0) }),
                    // Somebody else's, perhaps put there on purpose: never used.
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    Err(error) => {
                        last = Some(error);
                        break;
                    }
                }
            }
        }
        let why = last.map_or_else(|| "no short path".to_owned(), |error| error.to_string());
        Err(SshError::new("this desk", Fault::NoSocket, &why))
    }

    /// A machine; nothing is done yet.
    #[must_use]
    pub fn to(&self, destination: Destination, asking: Asking) -> Connection {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let socket = self.folder.join(number.to_string());
        Connection { destination, socket, asking, machine: Arc::default() }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let sockets = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for socket in sockets.map(|entry| entry.path()) {
            // It ends by itself after a while if it does not listen now.
            let call = Invocation::new("ssh").args(["-O", "exit", "-o"]).arg(control(&socket));
            let _ = call.arg("any").timeout(Duration::from_secs(5)).run();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn control(socket: &Path) -> String {
    format!("ControlPath={}", socket.display())
}

impl Connection {
    /// Where it leads.
    #[must_use]
    pub const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The same machine, with questions on the terminal allowed or not.
    #[must_use]
    pub fn asking(&self, asking: Asking) -> Self {
        Self { asking, ..self.clone() }
    }

    /// The local call that runs `remote` over there, as the user that ssh logs in. Standard input, time limit and accepted
    /// codes are the local call's; of `remote` only the words are taken.
    #[must_use]
    pub fn call(&self, remote: &Invocation) -> Invocation {
        let call = Invocation::new("ssh").if_missing("apt-get install -y openssh-client").arg("-T");
        let batch = if self.asking == Asking::Never { "BatchMode=yes" } else { "BatchMode=no" };
        let options = [
            batch.to_owned(),
            "ControlMaster=auto".to_owned(),
            control(&self.socket),
            format!("ControlPersist={PERSIST}"),
            format!("ConnectTimeout={CONNECT_SECS}"),
            format!("ServerAliveInterval={ALIVE_SECS}"),
            "ServerAliveCountMax=3".to_owned(),
        ];
        let call = options.into_iter().fold(call, |call, option| call.arg("-o").arg(option));
        // The far side's login shell, whichever it is, gets one line of quoted words.
        call.args(self.destination.words()).arg(remote.line())
    }

    /// The same as root: by sudo without a password where we are not.
    #[must_use]
    pub fn call_as_root(&self, remote: &Invocation) -> Invocation {
        if self.machine.get().is_some_and(|machine| machine.is_root) {
            return self.call(remote);
        }
        self.call(&remote.wrapped("sudo", &["-n", "--"]))
    }

    /// Runs a call of this connection.
    ///
    /// # Errors
    /// What went wrong, on the way or over there.
    pub fn run(&self, call: &Invocation) -> Result<Output, SshError> {
        call.run().map_err(|error| SshError::of(&self.destination.name, &error))
    }

    /// Runs it and hands over every line of standard error as it comes.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_streaming(&self, call: &Invocation, line: impl FnMut(&str)) -> Result<Output, SshError> {
        call.run_streaming(line).map_err(|error| SshError::of_talk(&self.destination.name, &error))
    }

    /// A script for `sh` over there as root, its words as `$1`, `$2`…
    #[must_use]
    pub fn script(&self, script: &str, words: &[&str]) -> Invocation {
        self.call_as_root(&shell(script, words))
    }

    /// Opens the connection and learns what machine it is.
    ///
    /// # Errors
    /// If it can't be reached, or nobody there can be root without a password.
    pub fn reach(&self) -> Result<&Machine, SshError> {
        const ASK: &str = "echo machine=$(uname -m); echo user=$(id -u); \
             if [ $(id -u) != 0 ]; then sudo -n true || exit 77; fi; \
             echo free=$(df -Pk /var | tail -n 1)";
        if let Some(machine) = self.machine.get() {
            return Ok(machine);
        }
        // Somebody may have to type a password.
        let patience = if self.asking == Asking::Allowed { 300 } else { 60 };
        let call = self.call(&shell(ASK, &[])).timeout(Duration::from_secs(patience)).accept([0, NOT_ROOT]);
        let output = self.run(&call)?;
        if output.code == NOT_ROOT {
            return Err(SshError::new(&self.destination.name, Fault::NotRoot, &output.stderr_tail));
        }
        let text = output.text();
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).unwrap_or_default()
        };
        let machine = Machine {
            machine: value("machine=").to_owned(),
            arch: arch(value("machine=")),
            free: free(value("free=")),
            is_root: value("user=") == "0",
        };
        Ok(self.machine.get_or_init(|| machine))
    }
}

/// `sh -c SCRIPT sh WORD…`.
fn shell(script: &str, words: &[&str]) -> Invocation {
    Invocation::new("sh").args(["-c", script, "sh"]).args(words.iter().copied())
}

fn arch(machine: &str) -> Option<Arch> {
    match machine {
        "x86_64" | "amd64" => Some(Arch::Amd64),
        "aarch64" | "arm64" => Some(Arch::Arm64),
        _ => None,
    }
}

/// The fourth column of df(1) with `-Pk`, in bytes.
fn free(line: &str) -> Option<u64> {
    line.split_whitespace().nth(3)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let destination = Destination::by_address("rpi-01", "192.168.1.101", "operator");
        Connection {
            destination,
            socket: PathBuf::from("/run/user/0/x/0"),
            asking: Asking::Never,
            machine: Arc::default(),
        }
    }

    #[test]
    fn a_call_keeps_host_keys_checked_and_quotes_once() {
        let line = connection().call(&shell("echo \"$1\"", &["it's; rm -rf /"])).line();
        assert!(line.contains("BatchMode=yes") && line.contains("ControlMaster=auto"), "{line}");
        for word in ["StrictHostKeyChecking", "UserKnownHostsFile", "NoHostAuthentication"] {
            assert!(!line.contains(word), "{line}");
        }
        assert!(line.contains("-l operator -- 192.168.1.101 "), "{line}");
    }

    #[test]
    fn who_is_not_root_becomes_it_without_a_password() {
        let connection = connection();
        assert!(connection.script("true", &[]).line().contains("sudo -n -- sh -c true sh"));
        let machine = Machine { machine: String::new(), arch: None, free: None, is_root: true };
        connection.machine.set(machine).unwrap();
        assert!(!connection.script("true", &[]).line().contains("sudo"));
    }

    #[test]
    fn what_a_machine_tells_is_read() {
        assert_eq!(free("/dev/sda1 1000 600 400 60% /"), Some(400 * 1024));
        assert_eq!(free(""), None);
        assert_eq!(arch("aarch64"), Some(Arch::Arm64));
        assert_eq!(arch("armv7l"), None);
    }

    #[test]
    fn sockets_lie_in_a_folder_of_ones_own_that_goes() {
        use std::os::unix::fs::PermissionsExt as _;
        let ssh = Ssh::new().unwrap();
        let other = Ssh::new().unwrap();
        assert_ne!(ssh.folder, other.folder);
        let mode = ssh.folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let folder = ssh.folder.clone();
        drop(ssh);
        assert!(!folder.exists() && other.folder.exists());
    }
}
