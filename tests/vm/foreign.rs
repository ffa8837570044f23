//! A Debian root of the other architecture, whose programs run under QEMU's user emulation.
//!
//! In: the lab. Out: [`Foreign`], a copy of that root to change, and calls of programs in it: its own shell, dpkg and apt,
//! with a host name, a process table and mounts of their own. It is a system that nothing has booted: no systemd answers.

use crate::lab::debian::{Recipe, archive_of};
use crate::lab::{Lab, Missing, Permission, folder};
use crate::programs;
use anyhow::Context as _;
use desired::Arch;
use host::process::Invocation;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// That architecture.
pub const ARCH: Arch = Arch::Arm64;
/// Emulated, so only what a bare system has, and those whose installation computes long.
const PACKAGES: &str = "systemd,ca-certificates";
const ARCHIVE: &str = archive_of!("curl keyutils systemd-timesyncd tzdata");
const SETTINGS: &str = r#"set -eu
cd "$1"
sed -i /force-unsafe-io/d etc/dpkg/dpkg.cfg.d/*
mkdir -p boot/firmware
printf '[all]\narm_64bit=1\n' >boot/firmware/config.txt
echo raspberrypi >etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 raspberrypi\n' >etc/hosts
: >etc/machine-id"#;
const RECIPE: Recipe =
    Recipe { codename: "trixie", arch: Some(ARCH), packages: PACKAGES, hooks: &[ARCHIVE, SETTINGS] };

/// The root as a tar: found, or made.
///
/// # Errors
/// If mmdebstrap, the mirror or root's rights are not to be had.
pub fn tar(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    if cfg!(not(target_arch = "x86_64")) {
        return Err(Missing::new("only arm64 is set up as the other architecture", "run this on amd64"));
    }
    let cache = permission.folder.join("guests");
    let tar = cache.join(format!("{}-{ARCH}-{}.tar", RECIPE.codename, RECIPE.key()?));
    if tar.exists() {
        return Ok(tar);
    }
    let failed = |error: std::io::Error| Missing::new(format!("{}: {error}", tar.display()), "free space");
    let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(folder(&cache)?);
    let unfinished = unfinished.map_err(failed)?;
    let made = unfinished.path().join("root.tar");
    RECIPE.make(permission, "an emulated root", &made, talk)?;
    std::fs::rename(&made, &tar).map_err(failed)?;
    Ok(tar)
}

/// A copy of the root.
#[derive(Debug)]
pub struct Foreign {
    folder: TempDir,
}

impl Foreign {
    /// A fresh copy that sees `stick` as `/media/stick`.
    ///
    /// # Errors
    /// If it can't be unpacked.
    pub fn new(lab: &Lab, stick: &Path) -> anyhow::Result<Self> {
        let folder = programs::scratch()?;
        let unpack = Invocation::new("tar").args(["-x", "-p", "--numeric-owner", "-f"]);
        unpack.arg(lab.foreign_root()).arg("-C").arg(folder.path()).run().context("unpack a root")?;
        let to = folder.path().join("media/stick");
        std::fs::create_dir_all(&to)?;
        let copy = Invocation::new("cp").args(["-a", "-T"]).arg(stick).arg(&to);
        copy.run().context("copy the bundle")?;
        Ok(Self { folder })
    }

    /// Its file system on this machine.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A call of a program in it, as root; every exit code is an answer. Without a network, so that nothing it wants can
    /// come from elsewhere.
    #[must_use]
    pub fn call(&self, words: &[&str]) -> Invocation {
        let call = Invocation::new("unshare").args(["--mount", "--uts", "--ipc", "--net", "--pid", "--fork"]);
        let call = call.args(["--kill-child", "--", "sh", "-euc", ENTER, "enter"]).arg(self.root());
        programs::answering(call.args(words.iter().copied())).timeout(Duration::from_secs(900))
    }

    /// Standard output of a script in it that must succeed.
    ///
    /// # Errors
    /// If it does not.
    pub fn sh(&self, script: &str) -> anyhow::Result<String> {
        let output = self.call(&["/bin/sh", "-euc", script]).accept([0]).run()?;
        Ok(output.text())
    }
}

/// Enters the root in `$1`, with the name it has as after a boot; what is mounted for that is gone with the namespaces.
const ENTER: &str = r#"root=$1; shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
hostname "$(cat "$root/etc/hostname")"
exec chroot "$root" "$@""#;
