//! What a node of the lab starts from: a Debian root made by mmdebstrap, kept as a tar, and an image made of it.
//!
//! In: a release. Out: the tar, cached by everything that goes into it; then, in a running engine, an image with the
//! stand-ins of `tests/lab/node/`. The tar takes half a minute and needs the package mirror, the image some seconds.

use crate::lab::debian::Recipe;
use crate::lab::engine::Engine;
use crate::lab::{Missing, Permission, folder};
use std::path::{Path, PathBuf};

/// A release of Debian that nodes run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Debian 13.
    #[default]
    Trixie,
    /// Debian 12.
    Bookworm,
}

impl Release {
    /// Its name in package archives.
    #[must_use]
    pub fn codename(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Bookworm => "bookworm",
        }
    }

    /// The name its image has in the engine.
    #[must_use]
    pub fn image(self) -> String {
        format!("rootstock-node:{}", self.codename())
    }
}

/// What a node has before anybody joins it: systemd, ssh, and what k3s finds on every machine or brings along.
const PACKAGES: &str = "systemd-sysv,dbus,openssh-server,iproute2,iptables,conntrack,containernetworking-plugins,runc,\
                        ca-certificates,curl,procps,kmod,mount,sudo";
/// Left out of the tar: what is one machine's own, and what the engine writes itself.
const FORGET: &str =
    r#"rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/etc/hosts"; : >"$1/etc/machine-id""#;
/// The packages that joins of the lab install, as an archive of their own, since nodes reach no mirror; of the same moment
/// as the rest, so that they fit.
const ARCHIVE: &str = r#"chroot "$1" sh -eu -c '
mkdir -p /srv/packages
cd /srv/packages
apt-get -qq download systemd-timesyncd tzdata
for file in *.deb; do
  dpkg-deb --field "$file"
  printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -c -64)"
done >Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [trusted=yes] file:/srv/packages ./" >/etc/apt/sources.list.d/lab.list'"#;
const STAND_INS: [&str; 7] =
    ["Dockerfile", "flannel", "runc", "own-names", "own-names.service", "ssh.conf", "manager.conf"];

/// The root of a release as a tar: found, or made.
///
/// # Errors
/// If mmdebstrap, the mirror or root's rights are not to be had.
pub fn root(
    permission: &Permission,
    release: Release,
    talk: &mut dyn FnMut(&str),
) -> Result<PathBuf, Missing> {
    let recipe =
        Recipe { codename: release.codename(), arch: None, packages: PACKAGES, hooks: &[FORGET, ARCHIVE] };
    let cache = permission.folder.join("nodes");
    let tar = cache.join(format!("{}-{}.tar", release.codename(), recipe.key()?));
    if tar.exists() {
        return Ok(tar);
    }
    let unfinished = folder(&cache)?.join(format!("unfinished-{}.tar", std::process::id()));
    let made = recipe.make(permission, "the root of a node", &unfinished, talk);
    let kept = made.and_then(|()| std::fs::rename(&unfinished, &tar).map_err(|error| failed(&tar, &error)));
    if kept.is_err() {
        // What is left of it is of no use to anybody; the reason is in `kept`.
        let _ = std::fs::remove_file(&unfinished);
    }
    kept.map(|()| tar)
}

/// Makes the image in the engine.
///
/// # Errors
/// If it can't be built.
pub fn load(engine: &Engine, lab: &Path, release: Release, tar: &Path) -> Result<(), Missing> {
    let context = tempfile::Builder::new().prefix("node-image-").tempdir_in(folder(lab)?);
    let context = context.map_err(|error| failed(lab, &error))?;
    let stand_ins = crate::repository().join("tests/lab/node");
    for name in STAND_INS {
        let to = context.path().join(name);
        std::fs::copy(stand_ins.join(name), &to).map_err(|error| failed(&to, &error))?;
    }
    let to = context.path().join("root.tar");
    std::fs::hard_link(tar, &to).map_err(|error| failed(&to, &error))?;
    let build = engine.docker().folder(context.path()).args(["buildx", "build", "--quiet", "--load"]);
    let build = build.args(["--network=none", "--provenance=false", "--tag", &release.image(), "."]);
    build.run().map(|_| ()).map_err(|error| {
        Missing::new(format!("the node's image can't be built: {error}"), "look at the message")
    })
}

fn failed(path: &Path, error: &std::io::Error) -> Missing {
    Missing::new(format!("{}: {error}", path.display()), "free space or set ROOTSTOCK_LAB")
}
