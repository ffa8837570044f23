//! Installed packages, from dpkg's own status file: no program is started, so nothing waits for a lock.
//!
//! Format: deb-control paragraphs; `Status: <want> <error> <state>`, dpkg-query(1).

use std::collections::BTreeSet;

use desired::observed::Answer;
use desired::resource::PackageManager;

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

/// Those of `names` that are installed.
pub(super) fn installed(
    dpkg: &Dpkg,
    manager: PackageManager,
    names: &BTreeSet<String>,
) -> Answer<BTreeSet<String>> {
    match (manager, &dpkg.0) {
        (PackageManager::Apt, Answer::Known(all)) => {
            Answer::Known(names.intersection(all).cloned().collect())
        }
        (PackageManager::Apt, Answer::Unknown { why }) => Answer::unknown(why.clone()),
        (PackageManager::Dnf, _) => Answer::unknown("rpm's database is asked at join"),
    }
}

/// Names whose state is `installed`, once bare and once with their architecture (`libc6:arm64`).
fn parse(status: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for paragraph in status.split("\n\n") {
        let field = |key: &str| paragraph.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let (Some(name), Some(state)) = (field("Package:"), field("Status:")) else { continue };
        if state.split(' ').next_back() == Some("installed") {
            names.insert(name.to_owned());
            names.extend(field("Architecture:").map(|arch| format!("{name}:{arch}")));
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
