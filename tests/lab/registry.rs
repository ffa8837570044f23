//! A registry on loopback with its storage in a temporary folder.
//!
//! In: nothing, or that it shall want a login. Out: an address to push to and pull from, without TLS, gone when dropped.

use super::{Missing, daemon::Daemon};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tempfile::TempDir;

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    // Dropped in this order: the process first, then its storage.
    _daemon: Daemon,
    _storage: TempDir,
    address: SocketAddr,
}

/// The login of a registry that wants one; it guards nothing.
pub const LOGIN: (&str, &str) = ("lab", "lab-only");
/// The same as a line of htpasswd, bcrypt.
const HTPASSWD: &str = "lab:$2b$05$abcdefghijklmnopqrstuuRXGGEelSA1ue7vuQcHHDcpjSWLLc1xS\n";

impl Registry {
    /// Starts it on a free port, open to everybody.
    ///
    /// # Errors
    /// If the program is absent or does not answer.
    pub fn start() -> Result<Self, Missing> {
        Self::start_with(false)
    }

    /// Starts it on a free port; it answers 401 to who does not come with [`LOGIN`].
    ///
    /// # Errors
    /// If the program is absent or does not answer.
    pub fn start_locked() -> Result<Self, Missing> {
        Self::start_with(true)
    }

    fn start_with(locked: bool) -> Result<Self, Missing> {
        let failed = |error: std::io::Error| {
            Missing::new(format!("prepare a registry: {error}"), "look at the message")
        };
        let storage = tempfile::Builder::new().prefix("rootstock-registry-").tempdir().map_err(failed)?;
        // The port is free the moment before; should another program take it, the registry says so and we report it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let address = free.map_err(failed)?;
        let root = storage.path().join("blobs");
        let mut settings = serde_json::json!({
            "version": "0.1",
            "log": { "level": "warn" },
            "storage": { "filesystem": { "rootdirectory": root }, "delete": { "enabled": true } },
            "http": { "addr": address.to_string() },
        });
        if locked {
            let passwords = storage.path().join("htpasswd");
            std::fs::write(&passwords, HTPASSWD).map_err(failed)?;
            settings["auth"] = serde_json::json!({ "htpasswd": { "realm": "lab", "path": passwords } });
        }
        let path = storage.path().join("registry.yml");
        // JSON is YAML.
        std::fs::write(&path, settings.to_string()).map_err(failed)?;
        let log = storage.path().join("log");
        let mut daemon = Daemon::start("docker-registry", &["serve".into(), path.into()], &log)?;
        daemon.wait_until(Duration::from_secs(20), || TcpStream::connect(address).is_ok())?;
        Ok(Self { _daemon: daemon, _storage: storage, address })
    }

    /// Host and port, as it stands at the front of an image reference.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}
