//! Installed packages. dpkg's from its own status file: no program is started, so nothing waits for a lock; rpm's
//! from rpm, whose database has no form that others read.
//!
//! Format: deb-control paragraphs; `Status: <want> <error> <state>`, dpkg-query(1).

use std::collections::BTreeSet;

use desired::observed::Answer;
use desired::resource::PackageManager;

use crate::process::Invocation;
use crate::root::Root;

/// The names dpkg has as installed, or why that isn't known.
pub(super) struct Dpkg(Answer<BTreeSet<String>>);

impl Dpkg {
    pub(super) fn read(root: &Root) -> Self {
        Self(match root.read_text("/var/lib/dpkg/status") {
            Ok(text) => Answer::Known(parse(&text.unwrap_or_default())),
            Err(error) => Answer::unknown(format!("dpkg's status can't be read: {error}")),
        })
    }
}

/// Those of `names` that are installed. Packages are installed by the running node, for its own arch and with its own
/// scripts; below a folder they are left to it.
pub(super) fn installed(
    root: &Root,
    dpkg: &Dpkg,
    manager: PackageManager,
    names: &BTreeSet<String>,
) -> Answer<BTreeSet<String>> {
    let installed = match (manager, &dpkg.0) {
        (PackageManager::Apt, Answer::Known(all)) => names.intersection(all).cloned().collect(),
        (PackageManager::Apt, unknown) => return unknown.clone(),
        (PackageManager::Dnf | PackageManager::Zypper, _) if root.is_live() => match rpm(names) {
            Ok(installed) => installed,
            Err(why) => return Answer::unknown(why),
        },
        (PackageManager::Dnf | PackageManager::Zypper, _) => BTreeSet::new(),
    };
    let missing: Vec<&str> = names.difference(&installed).map(String::as_str).collect();
    if missing.is_empty() || root.is_live() {
        Answer::Known(installed)
    } else {
        Answer::later(format!("the running node installs {}", missing.join(" ")))
    }
}

/// Every package that is installed, for telling what a change brought.
pub(crate) fn every(root: &Root, manager: PackageManager) -> Result<BTreeSet<String>, String> {
    match manager {
        PackageManager::Apt => match Dpkg::read(root).0 {
            Answer::Known(names) => Ok(names.into_iter().filter(|name| !name.contains(':')).collect()),
            Answer::Unknown { why } | Answer::Later { why } => Err(why),
        },
        PackageManager::Dnf | PackageManager::Zypper => {
            let call = Invocation::new("rpm").args(["--query", "--all", "--queryformat", "%{NAME}\n"]);
            let output = call.run().map_err(|error| error.to_string())?;
            Ok(output.text().lines().map(str::to_owned).collect())
        }
    }
}

/// rpm(8): one line a package, in words where it is not installed; the status counts those.
pub(crate) fn rpm(names: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let call = Invocation::new("rpm").args(["--query", "--queryformat", "%{NAME}\n", "--"]).args(names);
    let output = call.accept((0..=255).collect::<Vec<i32>>()).run().map_err(|error| error.to_string())?;
    let text = output.text();
    let said: BTreeSet<&str> = text.lines().collect();
    Ok(names.iter().filter(|name| said.contains(name.as_str())).cloned().collect())
}

/// Names whose state is `installed`, once bare and once with their architecture (`libc6:arm64`).
fn parse(status: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for paragraph in status.split("\n\n") {
        let (mut name, mut state, mut architecture) = ("", "", "");
        for line in paragraph.lines() {
            // Most lines go on with a field before them.
            let Some((key, value)) = line.split_once(": ").filter(|_| !line.starts_with(' ')) else {
                continue;
            };
            match key {
                "Package" => name = value.trim(),
                "Status" => state = value.trim(),
                "Architecture" => architecture = value.trim(),
                _ => {}
            }
        }
        if state.split(' ').next_back() == Some("installed") && !name.is_empty() {
            names.insert(name.to_owned());
            if !architecture.is_empty() {
                names.insert(format!("{name}:{architecture}"));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_state_installed_counts() {
        let status = "Package: nfs-common\nStatus: install ok installed\nArchitecture: arm64\nDescription: x\n Status: odd\n\n\
            Package: old\nStatus: deinstall ok config-files\n\n\
            Package: broken\nStatus: install reinstreq half-installed\n\n\
            Package: held\nStatus: hold ok installed\n";
        let names = ["held", "nfs-common", "nfs-common:arm64"];
        assert!(parse(status).iter().eq(names), "{:?}", parse(status));
        assert_eq!(parse(""), BTreeSet::new());
    }
}
