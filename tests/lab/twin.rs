//! A twin of this machine: its whole root as it is, in which everything may be changed and nothing of it is kept.
//!
//! In: root's rights. Out: [`Twin`], in which programs run with `/` as theirs; dropping it forgets all they did. No system
//! is started in it: for what needs a package manager or an engine and no systemd.

use anyhow::Context as _;
use host::process::Invocation;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A root over this machine's own.
#[derive(Debug)]
pub struct Twin {
    folder: TempDir,
}

impl Twin {
    /// A fresh one.
    ///
    /// # Errors
    /// If the kernel does not lay one root over another here.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rootstock-twin-").tempdir()?;
        let twin = Self { folder };
        // What is changed lies in memory: a layer can't be within the one below it.
        mount(&["-t", "tmpfs", "tmpfs"], twin.folder.path())?;
        let inner = |name: &str| twin.folder.path().join(name);
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(inner(name))?;
        }
        let mut layers = OsString::from("lowerdir=/,upperdir=");
        layers.push(inner("upper"));
        layers.push(",workdir=");
        layers.push(inner("work"));
        let lay = Invocation::new("mount").args(["-t", "overlay", "overlay", "-o"]).arg(layers);
        lay.arg(twin.root()).run().context("lay a root over this machine's")?;
        mount(&["-t", "proc", "proc"], &twin.root().join("proc"))?;
        mount(&["--rbind", "/dev"], &twin.root().join("dev"))?;
        Ok(twin)
    }

    /// Where its root lies on this machine.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Shows a folder of this machine's at the same path.
    ///
    /// # Errors
    /// If it can't be mounted.
    pub fn show(&self, folder: &Path) -> anyhow::Result<()> {
        let to = self.root().join(folder.strip_prefix("/")?);
        std::fs::create_dir_all(&to)?;
        mount(&["--bind".as_ref(), folder.as_os_str()], &to)
    }

    /// A call of a program in it.
    #[must_use]
    pub fn call(&self, program: impl Into<OsString>) -> Invocation {
        Invocation::new("chroot").arg(self.root()).arg(program).timeout(Duration::from_secs(900))
    }
}

fn mount<A: AsRef<std::ffi::OsStr>>(words: &[A], to: &Path) -> anyhow::Result<()> {
    let call = Invocation::new("mount").args(words.iter().map(AsRef::as_ref)).arg(to);
    call.run().with_context(|| format!("mount at {}", to.display()))?;
    Ok(())
}

impl Drop for Twin {
    fn drop(&mut self) {
        // What is busy goes with the last program that holds it.
        let _ = Invocation::new("umount").args(["--recursive", "--lazy"]).arg(self.folder.path()).run();
    }
}
