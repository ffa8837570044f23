//! Why a machine could not be reached or worked on: what ssh said, as one sentence and what to try.
//!
//! In: how a call of ssh ended and the end of what it said (the C locale's English). Out: an [`SshError`].

use crate::process::{Ending, ProcessError};

/// What went wrong with one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshError {
    /// The machine, as people call it.
    pub host: String,
    /// What it was.
    pub fault: Fault,
    /// The end of what was said, for the one who wants to know more.
    pub said: String,
}

/// The ways it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no ssh program here.
    NotInstalled,
    /// There is no place for sockets here.
    NoSocket,
    /// The user's ssh configuration can't be read.
    Configuration,
    /// Another key than the one that is known.
    HostKeyChanged,
    /// No key of it is known, and nobody can be asked.
    HostKeyUnknown,
    /// It lets us in with a password only, and nobody can be asked.
    PasswordWanted,
    /// It does not let us in.
    Denied,
    /// Nothing listens.
    Refused,
    /// It does not answer.
    TimedOut,
    /// Its name has no address.
    NoName,
    /// There is no way to it.
    NoRoute,
    /// The connection broke.
    Lost,
    /// Its disk is full.
    DiskFull,
    /// What arrived is not what was sent.
    Damaged,
    /// sudo wants a password, or is not there.
    NotRoot,
    /// The command ended with this status over there.
    Status(i32),
    /// The command took too long and was given up.
    TooLong,
    /// Something else.
    Other,
}

impl SshError {
    /// An error of our own finding.
    pub(super) fn new(host: &str, fault: Fault, said: &str) -> Self {
        Self { host: host.to_owned(), fault, said: said.trim().to_owned() }
    }

    /// What the end of a call means.
    pub(super) fn of(host: &str, error: &ProcessError) -> Self {
        let said = error.tail().trim().to_owned();
        let fault = match error {
            ProcessError::Missing { .. } => Fault::NotInstalled,
            ProcessError::TimedOut { .. } => Fault::TooLong,
            ProcessError::Failed { ending: Ending::Status(255), .. } => transport(&said),
            ProcessError::Failed { ending: Ending::Status(code), .. } => remote(*code, &said),
            _ => Fault::Other,
        };
        let said = if said.is_empty() && fault == Fault::Other { error.to_string() } else { said };
        Self { host: host.to_owned(), fault, said }
    }

    /// The same for a call whose far side talks: what it said before the connection broke is no word of ssh's, which often
    /// has none of its own.
    pub(super) fn of_talk(host: &str, error: &ProcessError) -> Self {
        let mut found = Self::of(host, error);
        if found.fault == Fault::Other
            && matches!(error, ProcessError::Failed { ending: Ending::Status(255), .. })
        {
            found.fault = Fault::Lost;
        }
        found
    }

    /// Whether a new connection may well work at once.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self.fault, Fault::Lost)
    }

    /// Whether somebody at a terminal could answer what ssh wants to know.
    #[must_use]
    pub const fn wants_answer(&self) -> bool {
        matches!(self.fault, Fault::HostKeyUnknown | Fault::PasswordWanted | Fault::Denied)
    }

    /// What went wrong, without the machine's name.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.fault {
            Fault::NotInstalled => "there is no ssh program".to_owned(),
            Fault::NoSocket => format!("there is no place for ssh's sockets ({})", self.said),
            Fault::Configuration => format!("the ssh configuration can't be read: {}", self.last_line()),
            Fault::HostKeyChanged => "its host key is not the one that is known".to_owned(),
            Fault::HostKeyUnknown => "its host key is not known yet".to_owned(),
            Fault::PasswordWanted => "it wants a password, and nobody can be asked here".to_owned(),
            Fault::Denied => "it does not let this account in with the keys at hand".to_owned(),
            Fault::Refused => "it is there, but no ssh server listens".to_owned(),
            Fault::TimedOut => "it does not answer".to_owned(),
            Fault::NoName => "its name has no address".to_owned(),
            Fault::NoRoute => "there is no way to its address from here".to_owned(),
            Fault::Lost => "the connection broke".to_owned(),
            Fault::DiskFull => "its disk is full".to_owned(),
            Fault::Damaged => {
                "what arrived there has another digest than the bundle's manifest says".to_owned()
            }
            Fault::NotRoot => "sudo wants a password there, or does not let this account".to_owned(),
            Fault::Status(code) => format!("a command there ended with {code}: {}", self.last_line()),
            Fault::TooLong => format!("a command there took too long: {}", self.last_line()),
            Fault::Other => format!("ssh failed: {}", self.last_line()),
        }
    }

    /// What to try.
    #[must_use]
    pub fn fix(&self) -> String {
        let host = &self.host;
        match self.fault {
            Fault::NotInstalled => "install it: apt-get install -y openssh-client".to_owned(),
            Fault::NoSocket => "set XDG_RUNTIME_DIR or TMPDIR to a short path that can be written".to_owned(),
            Fault::Configuration => format!("look at what `ssh -G {host}` says"),
            Fault::HostKeyChanged => {
                let forget = offending(&self.said).unwrap_or_else(|| format!("ssh-keygen -R {host}"));
                format!(
                    "if it was written anew, forget the old key ({forget}) and accept the new one by `ssh` once; \
                     if it was not, somebody else answers: find out who"
                )
            }
            Fault::HostKeyUnknown => {
                "log in by `ssh` once, compare the key it shows with the machine's, and accept it".to_owned()
            }
            Fault::PasswordWanted => "give it your key by `ssh-copy-id`, or run this in a terminal".to_owned(),
            Fault::Denied => {
                "give it your key by `ssh-copy-id`, load it by `ssh-add`, or name the right user in ~/.ssh/config"
                    .to_owned()
            }
            Fault::Refused => "start its ssh server (on a Raspberry Pi: an empty file `ssh` on the boot partition)".to_owned(),
            Fault::TimedOut => "is it on, connected, and at the address of the profile? then its firewall".to_owned(),
            Fault::NoName => format!("name its address as HostName of {host} in ~/.ssh/config, or in the profile"),
            Fault::NoRoute => "connect this desk to its network, or name a jump host in ~/.ssh/config".to_owned(),
            Fault::Lost => "run this again; it goes on where it was".to_owned(),
            Fault::DiskFull => "make room there (apt-get clean, journalctl --vacuum-size=50M), then run this again".to_owned(),
            Fault::Damaged => "run `cargo xtask build-images` and this again; if it stays, look at its disk".to_owned(),
            Fault::NotRoot => format!(
                "allow it without one: echo \"$USER ALL=(ALL) NOPASSWD: ALL\" | sudo tee /etc/sudoers.d/rootstock \
                 on {host}, or log in as root in ~/.ssh/config"
            ),
            Fault::Status(_) | Fault::TooLong | Fault::Other => format!("log in to {host} and look"),
        }
    }

    fn last_line(&self) -> &str {
        let line = self.said.lines().rev().find(|line| !line.trim().is_empty());
        line.unwrap_or("it said nothing").trim()
    }
}

impl std::fmt::Display for SshError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}; {}", self.host, self.sentence(), self.fix())
    }
}

impl std::error::Error for SshError {}

/// ssh's own failures all end with 255; its words tell them apart. The order matters: a changed key also ends with
/// "verification failed", and a broken connection may name the reason of the far side before.
fn transport(said: &str) -> Fault {
    const WORDS: [(&str, Fault); 20] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", Fault::HostKeyChanged),
        ("Host key verification failed", Fault::HostKeyUnknown),
        ("host key is known for", Fault::HostKeyUnknown),
        ("Connection refused", Fault::Refused),
        ("Connection timed out", Fault::TimedOut),
        ("Operation timed out", Fault::TimedOut),
        ("during banner exchange", Fault::TimedOut),
        ("Could not resolve hostname", Fault::NoName),
        ("No route to host", Fault::NoRoute),
        ("Network is unreachable", Fault::NoRoute),
        ("Bad configuration option", Fault::Configuration),
        ("not responding", Fault::Lost),
        ("closed by remote host", Fault::Lost),
        ("Connection reset", Fault::Lost),
        ("Broken pipe", Fault::Lost),
        ("Connection to ", Fault::Lost),
        ("Connection closed", Fault::Lost),
        ("Shared connection", Fault::Lost),
        ("mux_client", Fault::Lost),
        ("Control socket connect", Fault::Lost),
    ];
    if let Some(at) = said.find("Permission denied (") {
        let methods = &said[at..];
        let by_password = methods.contains("password") || methods.contains("keyboard-interactive");
        return if by_password { Fault::PasswordWanted } else { Fault::Denied };
    }
    // A connection that ends while a command runs leaves no word at all when the master process ends with it.
    let found = WORDS.iter().find(|(word, _)| said.contains(word)).map(|(_, fault)| *fault);
    found.unwrap_or(if said.is_empty() { Fault::Lost } else { Fault::Other })
}

/// A command over there.
fn remote(code: i32, said: &str) -> Fault {
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return Fault::DiskFull;
    }
    if said.lines().any(|line| line.starts_with("sudo:")) {
        return Fault::NotRoot;
    }
    Fault::Status(code)
}

/// ssh names the command that forgets the key (`ssh-keygen -f FILE -R HOST`).
fn offending(said: &str) -> Option<String> {
    let line = said.lines().map(str::trim).find(|line| line.starts_with("ssh-keygen -f"))?;
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_side_that_talked_was_there() {
        let error =
            |ending| ProcessError::Failed { line: "ssh".to_owned(), ending, tail: "done  motd\n".to_owned() };
        let lost = SshError::of_talk("n", &error(Ending::Status(255)));
        assert!(lost.is_lost() && lost.sentence() == "the connection broke", "{lost}");
        assert_eq!(SshError::of_talk("n", &error(Ending::Status(3))).fault, Fault::Status(3));
        assert_eq!(SshError::of_talk("n", &error(Ending::Signal(2))).fault, Fault::Other, "asked to end");
    }

    /// What OpenSSH 9.2 and 10.0 say.
    #[test]
    fn what_ssh_says_is_told_apart() {
        for (said, fault) in [
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                Fault::HostKeyChanged,
            ),
            (
                "No ED25519 host key is known for 198.19.0.10 and you have requested strict checking.\nHost key verification failed.",
                Fault::HostKeyUnknown,
            ),
            ("Host key verification failed.", Fault::HostKeyUnknown),
            ("op@198.19.0.10: Permission denied (publickey).", Fault::Denied),
            ("op@198.19.0.10: Permission denied (publickey,password).", Fault::PasswordWanted),
            ("ssh: connect to host 198.19.0.10 port 22: Connection refused", Fault::Refused),
            ("ssh: connect to host 198.19.0.10 port 22: Connection timed out", Fault::TimedOut),
            (
                "Connection timed out during banner exchange\nConnection to 1.2.3.4 port 22 timed out",
                Fault::TimedOut,
            ),
            ("ssh: Could not resolve hostname x: Name or service not known", Fault::NoName),
            ("ssh: connect to host 198.19.0.10 port 22: No route to host", Fault::NoRoute),
            ("Timeout, server 198.19.0.10 not responding.", Fault::Lost),
            ("client_loop: send disconnect: Broken pipe", Fault::Lost),
            ("Connection to 198.19.0.10 closed by remote host.", Fault::Lost),
            ("", Fault::Lost),
            ("something new", Fault::Other),
        ] {
            assert_eq!(transport(said), fault, "{said}");
        }
    }

    #[test]
    fn what_a_command_says_there_is_told_apart() {
        assert_eq!(remote(1, "cat: write error: No space left on device"), Fault::DiskFull);
        assert_eq!(remote(1, "sudo: a password is required"), Fault::NotRoot);
        assert_eq!(remote(127, "sh: sudo: not found"), Fault::Status(127));
    }

    #[test]
    fn every_fault_has_a_sentence_and_a_fix_of_its_own() {
        let faults = [
            Fault::HostKeyChanged,
            Fault::HostKeyUnknown,
            Fault::PasswordWanted,
            Fault::Denied,
            Fault::Refused,
            Fault::TimedOut,
            Fault::Lost,
            Fault::DiskFull,
            Fault::NotRoot,
        ];
        let texts: std::collections::BTreeSet<String> =
            faults.iter().map(|fault| SshError::new("rpi-01", *fault, "").to_string()).collect();
        assert_eq!(texts.len(), faults.len());
        assert!(texts.iter().all(|text| text.starts_with("rpi-01: ") && text.contains("; ")), "{texts:?}");
    }

    #[test]
    fn the_command_that_forgets_a_key_is_ssh_s_own() {
        let said = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n  remove with:\n  ssh-keygen -f \"/home/a/.ssh/known_hosts\" -R \"198.19.0.10\"\n";
        let fix = SshError::new("server", Fault::HostKeyChanged, said).fix();
        assert!(fix.contains("-R \"198.19.0.10\""), "{fix}");
    }
}
