//! A Debian root made by mmdebstrap, from the mirror this machine uses.
//!
//! In: a [`Recipe`]. Out: a folder or a tar, by what its path ends with; and [`Recipe::key`], by which whoever keeps it
//! finds it again as long as nothing that goes into it has changed. Needs root and the mirror.

use super::{Missing, Permission, apt};
use desired::{Arch, Digest};
use host::process::Invocation;
use std::path::Path;
use std::time::Duration;

/// A hook: Debian's kernel for virtual machines, which has NVMe and ext4 built in. Without what its package does around it:
/// no initrd is made, which would take longest of all.
pub const CLOUD_KERNEL: &str = r#"chroot "$1" sh -eu -c '
cd /tmp
meta=linux-image-cloud-$(dpkg --print-architecture)
kernel=$(apt-cache depends "$meta" | sed -n "s/.*Depends: \(linux-image-[0-9][^ ]*\)/\1/p" | head -n 1)
apt-get -qq download "$kernel"
dpkg -x linux-image-*.deb /
rm linux-image-*.deb
depmod "$(ls /usr/lib/modules)"'"#;

/// A hook: the packages that joins install, as an archive of the root's own, and the only one it knows.
macro_rules! archive_of {
    ($packages:literal) => {
        concat!(
            r#"chroot "$1" sh -eu -c '
mkdir -p /srv/packages
cd /srv/packages
apt-get -qq install --download-only --no-install-recommends -o Dir::Cache::archives=/srv/packages "#,
            $packages,
            r#"
rm -rf partial lock'
cd "$1/srv/packages"
# Not in the root: of an emulated one that costs ten times as much.
for file in *.deb; do
  dpkg-deb --field "$file"
  printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -c -64)"
done >Packages
cd "$1"
rm -rf etc/apt/sources.list etc/apt/sources.list.d/* var/lib/apt/lists/*
echo "deb [trusted=yes] file:/srv/packages ./" >etc/apt/sources.list.d/lab.list"#
        )
    };
}
pub(crate) use archive_of;

/// What goes into a root.
#[derive(Debug)]
pub struct Recipe {
    /// The release by its name in archives.
    pub codename: &'static str,
    /// Another architecture than this machine's is emulated.
    pub arch: Option<Arch>,
    /// Packages besides the essential ones and apt.
    pub packages: &'static str,
    /// Scripts that finish it, each with the root's path as `$1`.
    pub hooks: &'static [&'static str],
}

impl Recipe {
    /// Twelve digits that stand for everything that goes into it.
    ///
    /// # Errors
    /// If Debian's keys are not here.
    pub fn key(&self) -> Result<String, Missing> {
        let source = apt::source(self.codename)?;
        let arch = self.arch.map_or_else(String::new, |arch| format!("\n{arch}"));
        let recipe = format!("{source}\n{}\n{}{arch}", self.packages, self.hooks.join("\n"));
        Ok(Digest::sha256_of(recipe.as_bytes()).hex()[..12].to_owned())
    }

    /// Makes it at `to`; what is half-made after a failure is the caller's to remove.
    ///
    /// # Errors
    /// If fetching is not allowed, we are not root, or mmdebstrap fails.
    pub fn make(
        &self,
        permission: &Permission,
        what: &str,
        to: &Path,
        talk: &mut dyn FnMut(&str),
    ) -> Result<(), Missing> {
        if !permission.install {
            return Err(Missing::new(format!("{what} is not made yet"), "cargo xtask test makes it"));
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Missing::new(format!("making {what} needs root"), "sudo -E cargo xtask test"));
        }
        apt::install_absent(permission, apt::NODE_ROOT, talk)?;
        if self.arch.is_some() {
            apt::install_absent(permission, apt::FOREIGN_ROOT, talk)?;
        }
        talk(&format!("mmdebstrap: making {what} (Debian {}, a minute or two, once)", self.codename));
        let call = Invocation::new("mmdebstrap").args(["--quiet", "--mode=root", "--variant=apt"]);
        let call = call.args(["--components=main", "--aptopt=Acquire::Languages \"none\""]);
        let call = call.args(["--aptopt=Apt::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io"]);
        let call =
            call.args(["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]);
        let call = match self.arch {
            Some(arch) => call.arg(format!("--architectures={arch}")),
            None => call,
        };
        let call = call.arg(format!("--include={}", self.packages));
        let call = call.args(self.hooks.iter().map(|hook| format!("--customize-hook={hook}")));
        let call = call.arg(self.codename).arg(to).arg(apt::source(self.codename)?);
        call.timeout(Duration::from_secs(1500))
            .run()
            .map(|_| ())
            .map_err(|error| Missing::new(format!("mmdebstrap failed: {error}"), "look at the message"))
    }
}
