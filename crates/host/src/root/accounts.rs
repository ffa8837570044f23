//! The node's own names of users and groups, passwd(5) and group(5); root has its name everywhere.
//!
//! In: a root. Out: names for numbers and numbers for names. The machine this program runs on is not asked: its
//! numbers may differ from the node's.

use std::collections::BTreeMap;

use desired::Mode;
use desired::observed::Access;
use desired::resource::Owner;
use rustix::fs::Stat;

use super::{Ownership, Root};

/// Users and groups of a node.
#[derive(Debug, Clone)]
pub struct Accounts {
    users: Table,
    groups: Table,
}

#[derive(Debug, Clone)]
struct Table {
    names: BTreeMap<u32, String>,
    ids: BTreeMap<String, u32>,
}

/// A name the node does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this node has no {what} `{name}`; make the account first, or name another in the profile")]
pub struct NoAccount {
    what: &'static str,
    name: String,
}

impl Accounts {
    /// Reads both tables; what can't be read holds root alone.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let table = |path| Table::parse(&root.read_text(path).ok().flatten().unwrap_or_default());
        Self { users: table("/etc/passwd"), groups: table("/etc/group") }
    }
    /// Owner and mode with the node's names, numbers where it has none.
    #[must_use]
    pub fn access(&self, stat: &Stat) -> Access {
        Access {
            bits: stat.st_mode & 0o7777,
            user: self.users.name(stat.st_uid),
            group: self.groups.name(stat.st_gid),
        }
    }
    /// Owner and mode with the node's numbers.
    ///
    /// # Errors
    /// If the node has no such user or group.
    pub fn ownership(&self, mode: Mode, owner: &Owner) -> Result<Ownership, NoAccount> {
        Ok(Ownership {
            bits: mode.bits(),
            uid: self.users.id("user", &owner.user)?,
            gid: self.groups.id("group", &owner.group)?,
        })
    }
}

impl Table {
    fn parse(text: &str) -> Self {
        let mut names = BTreeMap::from([(0, "root".to_owned())]);
        let mut ids = BTreeMap::from([("root".to_owned(), 0)]);
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), _, Some(Ok(id))) =
                (fields.next(), fields.next(), fields.next().map(str::parse::<u32>))
            {
                // The first line wins, as it does for the C library.
                names.entry(id).or_insert_with(|| name.to_owned());
                ids.entry(name.to_owned()).or_insert(id);
            }
        }
        Self { names, ids }
    }
    fn name(&self, id: u32) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
    fn id(&self, what: &'static str, name: &str) -> Result<u32, NoAccount> {
        let known = self.ids.get(name).copied().or_else(|| name.parse().ok());
        known.ok_or_else(|| NoAccount { what, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_wins_and_strangers_are_named() {
        let table = Table::parse("root:x:0:0::/root:/bin/sh\npi:x:1000:\nalso:x:1000:\nodd\n");
        assert_eq!((table.name(1000).as_str(), table.name(7).as_str()), ("pi", "7"));
        assert_eq!(table.id("user", "also"), Ok(1000));
        assert_eq!(table.id("user", "44"), Ok(44));
        assert!(table.id("group", "ghost").unwrap_err().to_string().contains("no group `ghost`"));
    }
}
