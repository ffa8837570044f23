//! Which words make ssh go to a node.
//!
//! In: the node's name, and what the spec says of it. Out: a [`Destination`]: the name alone where the user's own
//! configuration says anything for it, else the spec's address and administrator (docs/decisions/0043).

use super::{Fault, SshError};
use crate::process::Invocation;

/// A name that no configuration mentions, for comparison.
const NOBODY: &str = "no-such-node-0f3a";

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// What people call the machine, for messages.
    pub name: String,
    /// What ssh is told to go to.
    pub target: String,
    /// The account, where the configuration does not say it.
    pub user: Option<String>,
    /// Why this one.
    pub origin: Origin,
}

/// Where a destination comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user's ssh configuration has something for the name.
    Configuration,
    /// The cluster's profile.
    Profile,
}

impl Destination {
    /// The destination of `node`: its name if the user's ssh configuration says anything for it, else `user` at `address`.
    ///
    /// # Errors
    /// If the configuration can't be read.
    pub fn of(node: &str, address: &str, user: &str) -> Result<Self, SshError> {
        let ask = |name: &str| {
            let call = Invocation::new("ssh")
                .args(["-G", "--", name])
                .if_missing("apt-get install -y openssh-client");
            call.run().map(|output| output.text()).map_err(|error| match SshError::of(node, &error) {
                missing @ SshError { fault: Fault::NotInstalled, .. } => missing,
                other => SshError { fault: Fault::Configuration, ..other },
            })
        };
        if is_known(&ask(node)?, node, &ask(NOBODY)?) {
            return Ok(Self {
                name: node.to_owned(),
                target: node.to_owned(),
                user: None,
                origin: Origin::Configuration,
            });
        }
        Ok(Self::by_address(node, address, user))
    }

    /// `user` at `address`.
    #[must_use]
    pub fn by_address(node: &str, address: &str, user: &str) -> Self {
        Self {
            name: node.to_owned(),
            target: address.to_owned(),
            user: Some(user.to_owned()),
            origin: Origin::Profile,
        }
    }

    /// The words for ssh; after `--`, so that no name becomes an option.
    pub(super) fn words(&self) -> Vec<String> {
        let user = self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]);
        user.chain(["--".to_owned(), self.target.clone()]).collect()
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.user {
            Some(user) => write!(formatter, "{user}@{}", self.target),
            None => formatter.write_str(&self.target),
        }
    }
}

/// Whether the settings for `name` differ from those for a name that nobody has, in more than the name.
fn is_known(of_name: &str, name: &str, of_nobody: &str) -> bool {
    let neutral = |text: &str| {
        let value = |value: &str| value.replace(name, "*").replace(NOBODY, "*");
        // Only values: a machine may be called `server`, and options are called so too.
        let line = |line: &str| match line.split_once(' ') {
            Some((key, rest)) => format!("{key} {}", value(rest)),
            None => line.to_owned(),
        };
        let mut lines: Vec<String> = text.lines().map(line).collect();
        lines.sort();
        lines
    };
    neutral(of_name) != neutral(of_nobody)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_once_anything_is_said_for_it() {
        let nobody = format!("host {NOBODY}\nuser me\nhostname {NOBODY}\nport 22\nidentityfile ~/.ssh/id\n");
        let same = "host rpi-01\nuser me\nhostname rpi-01\nport 22\nidentityfile ~/.ssh/id\n";
        assert!(!is_known(same, "rpi-01", &nobody));
        for (from, to) in
            [("user me", "user pi"), ("hostname rpi-01", "hostname 10.0.0.1"), ("port 22", "port 2222")]
        {
            assert!(is_known(&same.replace(from, to), "rpi-01", &nobody), "{to}");
        }
    }

    #[test]
    fn a_machine_called_like_an_option_is_no_better_known() {
        let nobody = format!("hostname {NOBODY}\nserveraliveinterval 15\nidentityfile /home/server/id\n");
        assert!(!is_known(&nobody.replace(NOBODY, "server"), "server", &nobody));
    }

    #[test]
    fn no_name_becomes_an_option() {
        let words = Destination::by_address("a", "-oProxyCommand=x", "u").words();
        assert_eq!(words, ["-l", "u", "--", "-oProxyCommand=x"]);
    }
}
