//! One ssh connection to a machine, shared by all calls: a login takes a second, a call on it some hundredths.
//!
//! In: a folder for its files, whose key logs in as whom, a port of this machine. Out: [`Line`]; it ends when dropped.

use crate::lab::daemon::Daemon;
use host::process::Invocation;
use std::ffi::OsString;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one attempt to log in may take.
const LOGIN: Duration = Duration::from_secs(30);
/// How long a call may take: a join with packages, without acceleration.
const CALL: Duration = Duration::from_secs(900);
/// How long a server may take to say its first word, once it listens.
const BANNER: Duration = Duration::from_secs(5);

/// A connection.
#[derive(Debug)]
pub struct Line {
    _connection: Daemon,
    control: PathBuf,
}

/// Makes a key pair: `path`, and `path` with `.pub`.
///
/// # Errors
/// If ssh-keygen fails.
pub fn make_key(path: &Path) -> anyhow::Result<()> {
    let keygen = Invocation::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]);
    Ok(keygen.arg(path).run().map(drop)?)
}

/// Whether an ssh server answers at a port of this machine. QEMU takes connections before anybody listens behind it, and ssh
/// would hang there for long.
#[must_use]
pub fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, BANNER) else { return false };
    let mut banner = [0; 4];
    stream.set_read_timeout(Some(BANNER)).is_ok()
        && stream.read_exact(&mut banner).is_ok()
        && &banner == b"SSH-"
}

impl Line {
    /// Logs in; `folder` keeps the machine's keys, so that a second login sees whether it is still the same machine.
    ///
    /// # Errors
    /// What ssh said, as the machine may not be ready.
    pub fn open(folder: &Path, name: &str, user: &str, key: &Path, port: u16) -> Result<Self, String> {
        let hosts = format!("UserKnownHostsFile={}", folder.join("known_hosts").display());
        let control = folder.join(name);
        let (port, key, socket) =
            (port.to_string(), key.display().to_string(), control.display().to_string());
        let words = [
            ["-F", "/dev/null"],
            ["-S", &socket],
            ["-p", &port],
            ["-i", &key],
            ["-o", &hosts],
            ["-o", "IdentitiesOnly=yes"],
            ["-o", "BatchMode=yes"],
            ["-o", "StrictHostKeyChecking=accept-new"],
            ["-o", "ConnectTimeout=25"],
            ["-M", "-N"],
        ];
        let whom = format!("{user}@127.0.0.1");
        let words: Vec<OsString> =
            words.concat().into_iter().chain([whom.as_str()]).map(OsString::from).collect();
        let log = folder.join(format!("{name}.log"));
        let mut connection = Daemon::start("ssh", &words, &log).map_err(|missing| missing.to_string())?;
        let check = Invocation::new("ssh").args(["-F", "/dev/null", "-S", &socket, "-O", "check", "guest"]);
        connection.wait_until(LOGIN, || check.run().is_ok()).map_err(|missing| missing.to_string())?;
        Ok(Self { _connection: connection, control })
    }

    /// A call of a program at its other end.
    ///
    /// # Panics
    /// If there is no word.
    #[must_use]
    pub fn call(&self, words: &[&str]) -> Invocation {
        let (program, arguments) = words.split_first().expect("a call has a program");
        let line = Invocation::new(*program).args(arguments.iter().copied()).line();
        let ssh = Invocation::new("ssh").arg("-S").arg(&self.control).args(["-F", "/dev/null"]);
        ssh.args(["-o", "BatchMode=yes", "guest"]).arg(line).timeout(CALL)
    }
}
