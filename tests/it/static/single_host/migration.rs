//! The way from a volume to a folder, stopped at many moments.
//!
//! The engine is a stand-in that knows one volume and one container: what is judged here are the files. That a real
//! engine answers the same questions so is for the ring that has one.

use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tests::lab::Lab;
use tests::programs::{answering, said, scratch};

const ENGINE: &str = r#"#!/bin/sh
case "$*" in
"volume inspect --format {{.Mountpoint}} config") printf '%s\n' "$HOME_OF_TRIAL/the volume" ;;
"container inspect --format {{.State.Running}} komga")
    if [ -e "$HOME_OF_TRIAL/running" ]; then echo true; else echo false; fi ;;
"container inspect komga") ;;
"stop komga") rm -f "$HOME_OF_TRIAL/running" ;;
"start komga") : >"$HOME_OF_TRIAL/running" ;;
compose*) printf '%s\n' "$*" >>"$HOME_OF_TRIAL/composed" ;;
*) exit 1 ;;
esac
"#;

/// A machine with a container that runs on a volume, and the script in its folder.
struct Machine {
    folder: TempDir,
    _root: TempDir,
    script: PathBuf,
}

impl Machine {
    fn new() -> anyhow::Result<Self> {
        let (folder, root) = (scratch()?, super::komga()?);
        let here = folder.path();
        let volume = here.join("the volume");
        std::fs::create_dir_all(volume.join("sub folder"))?;
        std::fs::write(volume.join("database.sqlite"), vec![7_u8; 300_000])?;
        std::fs::write(volume.join("sub folder/two\nlines"), "x")?;
        std::os::unix::fs::symlink("../database.sqlite", volume.join("sub folder/link"))?;
        std::fs::set_permissions(volume.join("database.sqlite"), std::fs::Permissions::from_mode(0o640))?;
        let engine = here.join("engine");
        std::fs::write(&engine, ENGINE)?;
        std::fs::set_permissions(&engine, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(here.join("running"), "")?;
        let script = super::service(root.path()).join("migrate.sh");
        let text = std::fs::read_to_string(&script)?;
        ensure!(text.contains("backups=/srv/komga/backup\n"), "{text}");
        let backups = format!("backups='{}'\n", here.join("back ups").display());
        std::fs::write(&script, text.replace("backups=/srv/komga/backup\n", &backups))?;
        let machine = Self { folder, _root: root, script };
        machine.target_is(&machine.here().join("new folder/config"))?;
        Ok(machine)
    }

    fn here(&self) -> &Path {
        self.folder.path()
    }

    fn target_is(&self, folder: &Path) -> anyhow::Result<()> {
        let env = self.script.with_file_name(".env");
        Ok(std::fs::write(env, format!("KOMGA_TMP=/x\nKOMGA_CONFIG='{}'\n", folder.display()))?)
    }

    fn call(&self, words: &[&str]) -> Invocation {
        let call = Invocation::new("sh").arg(&self.script).args(words.iter().copied());
        answering(call.env("ENGINE", self.here().join("engine")).env("HOME_OF_TRIAL", self.here()))
    }

    fn copy(&self) -> Invocation {
        self.call(&["copy", "config", "komga", "KOMGA_CONFIG"])
    }

    /// Whether a folder holds what the volume does, by another program than the script's.
    fn holds(&self, folder: &Path) -> anyhow::Result<bool> {
        let call =
            Invocation::new("diff").args(["-r", "--no-dereference"]).arg(self.here().join("the volume"));
        Ok(answering(call.arg(folder)).run()?.code == 0)
    }
}

pub fn moves(_: &Lab) -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let target = machine.here().join("new folder/config");
    // Killed at moments all over it, and run again each time.
    for pause in [1, 5, 10, 20, 40, 60, 80, 100] {
        let _killed = machine.copy().timeout(Duration::from_millis(pause)).run();
        ensure!(!target.exists() || machine.holds(&target)?, "half a copy stands in the folder's place");
    }
    for _ in 0..2 {
        let output = machine.copy().run()?;
        ensure!(output.code == 0, "{}", said(&output));
        ensure!(machine.holds(&target)? && !machine.here().join("running").exists());
    }
    let mode = std::fs::metadata(target.join("database.sqlite"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o640, "its rights are {mode:o}");
    // What somebody wrote meanwhile is not overwritten.
    std::fs::write(target.join("new"), "x")?;
    ensure!(machine.copy().run()?.code == 7);
    std::fs::remove_file(target.join("new"))?;
    // A backup that is no longer what the volume holds is set aside, and kept.
    std::fs::remove_dir_all(&target)?;
    std::fs::write(machine.here().join("the volume/later"), "x")?;
    ensure!(machine.copy().run()?.code == 6 && !target.exists());
    ensure!(machine.copy().run()?.code == 0 && machine.holds(&target)?);
    ensure!(machine.here().join("back ups/config.tar.differs").exists());
    // There and back.
    ensure!(machine.call(&["switch"]).run()?.code == 0);
    ensure!(machine.call(&["rollback", "komga"]).run()?.code == 0);
    ensure!(machine.here().join("running").exists(), "the old container does not run again");
    let composed = std::fs::read_to_string(machine.here().join("composed"))?;
    let words: Vec<&str> =
        composed.lines().filter_map(|line| line.rsplit(' ').find(|word| *word != "-d")).collect();
    ensure!(words == ["up", "down"], "{composed}");
    // The backup alone gives everything back.
    let restored = machine.here().join("restored");
    std::fs::create_dir(&restored)?;
    let tar = Invocation::new("tar").arg("-xpf").arg(machine.here().join("back ups/config.tar")).arg("-C");
    tar.arg(&restored).run().context("restore")?;
    ensure!(machine.holds(&restored)?);
    Ok(())
}

/// The folder is on a disk that is too small, then on one that is not.
pub fn full_disk(_: &Lab) -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let disk = machine.here().join("disk");
    std::fs::create_dir(&disk)?;
    Invocation::new("mount").args(["-t", "tmpfs", "-o", "size=100k", "tmpfs"]).arg(&disk).run()?;
    let outcome = full(&machine, &disk);
    Invocation::new("umount").arg(&disk).run()?;
    outcome
}

fn full(machine: &Machine, disk: &Path) -> anyhow::Result<()> {
    let target = disk.join("config");
    machine.target_is(&target)?;
    let output = machine.copy().run()?;
    // tar says it with other words where some bytes of a block still fitted.
    let words = ["No space left", "Wrote only"];
    ensure!(output.code != 0 && words.iter().any(|word| said(&output).contains(word)), "{}", said(&output));
    ensure!(!target.exists(), "half a copy stands in the folder's place");
    Invocation::new("mount").args(["-o", "remount,size=2m"]).arg(disk).run()?;
    ensure!(machine.copy().run()?.code == 0 && machine.holds(&target)?);
    Ok(())
}
