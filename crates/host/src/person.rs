//! Programs run as a person, for what lies in that person's home: never as root (FIELD C9).
//!
//! In: a user's name, looked up on the node. Out: a call that runs as that user in the own home, with nothing of our
//! environment: secrets that a join was given stay here.

use std::time::Duration;

use desired::AbsPath;
use rustix::process::geteuid;

use crate::process::Invocation;
use crate::root::Root;

/// Where programs are looked for, as `su -` does.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// A tool may come over a slow line.
const LONGEST: Duration = Duration::from_secs(1800);

/// A person with a home.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    name: String,
    uid: u32,
    /// The home folder.
    pub(crate) home: AbsPath,
}

impl Person {
    /// The person of this user name.
    ///
    /// # Errors
    /// Why there is none that can be acted for, as a clause.
    pub(crate) fn of(root: &Root, name: &str) -> Result<Self, String> {
        let text = root.read_text("/etc/passwd").ok().flatten().unwrap_or_default();
        let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = fields.into_iter().find(|fields| fields.len() >= 6 && fields[0] == name);
        let Some(fields) = found else {
            return Err(format!("this node has no user `{name}`; make the account first"));
        };
        let uid: u32 = fields[2].parse().map_err(|_| format!("the user `{name}` has no number"))?;
        if uid == 0 {
            return Err(format!("`{name}` is root, and a home is filled by its person"));
        }
        let home = fields[5].parse().map_err(|error: desired::Invalid| error.to_string())?;
        Ok(Self { name: name.to_owned(), uid, home })
    }
    /// A call of `program` as that person.
    pub(crate) fn call(&self, program: &str) -> Invocation {
        let caller = geteuid().as_raw();
        let call = if caller == self.uid {
            Invocation::new("env")
        } else {
            Invocation::new("runuser")
                .args(["-u", &self.name, "--", "env"])
                .if_missing("apt-get install -y util-linux")
        };
        let call = call.args(["-i", "LC_ALL=C", &format!("PATH={PATH}"), &format!("HOME={}", self.home)]);
        let call = call.args([format!("USER={}", self.name), format!("LOGNAME={}", self.name)]);
        call.arg(program).folder(self.home.as_str()).timeout(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_never_filled_as_root() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        let text =
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\npi:x:54321:1000::/home/pi:/bin/sh\n";
        std::fs::write(folder.path().join("etc/passwd"), text).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let person = |name: &str| Person::of(&root, name);
        for name in ["root", "toor"] {
            assert!(person(name).unwrap_err().contains("is root"));
        }
        assert!(person("ghost").unwrap_err().contains("no user `ghost`"));
        let line = person("pi").unwrap().call("chezmoi").arg("verify").line();
        assert!(line.starts_with("runuser -u pi -- env -i LC_ALL=C PATH="), "{line}");
        assert!(line.ends_with("HOME=/home/pi USER=pi LOGNAME=pi chezmoi verify"), "{line}");
    }
}
