//! A real apt is asked for every package name that a Debian node would be given.
//!
//! Names of Ubuntu and Fedora are not asked for: docs/decisions/0031-package-names.md.

use anyhow::ensure;
use blueprint::model::{Os, OsFamily};
use blueprint::render::packages::{self, Need as Wanted};
use desired::resource::Want;
use std::collections::BTreeSet;
use tests::clusters::{models, stand_in_pins};
use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Static, "packages::debian_13_has_every_name", debian_13_has_every_name)
            .needs(&[Need::DebianLists]),
    ]
}

/// The release whose archive is asked; Raspberry Pi OS of that number has its packages and more.
const RELEASE: &str = "13";

fn debian_13_has_every_name(lab: &Lab) -> anyhow::Result<()> {
    let known =
        lab.tool("apt-cache").env("APT_CONFIG", lab.path("debian-lists")).arg("pkgnames").run()?.text();
    let known: BTreeSet<&str> = known.lines().collect();
    ensure!(
        known.contains("bash") && !known.contains("rootstock-no-such-package"),
        "these are no lists of Debian"
    );
    let mut wanted = BTreeSet::new();
    for family in [OsFamily::Debian, OsFamily::RaspberryPiOs] {
        let os = Os { family, release: RELEASE.to_owned(), wsl: None, selinux: false };
        for need in Wanted::ALL {
            wanted.extend(packages::names(need, &os).iter().map(|name| (*name).to_owned()));
        }
    }
    let of_needs = wanted.len();
    for model in models()? {
        let pins = stand_in_pins(&model)?;
        for node in model.linux_nodes() {
            let debian = [OsFamily::Debian, OsFamily::RaspberryPiOs].contains(&node.os.family);
            if !debian || node.os.release != RELEASE {
                continue;
            }
            for resource in blueprint::render::node(&model, node, &pins)?.resources {
                if let Want::Packages { names, .. } = resource.want {
                    wanted.extend(names);
                }
            }
        }
    }
    ensure!(wanted.len() > of_needs, "no profile names a package of its own");
    let absent: Vec<_> = wanted.iter().filter(|name| !known.contains(name.as_str())).collect();
    ensure!(absent.is_empty(), "Debian {RELEASE} has no package {absent:?}");
    Ok(())
}
