//! Tools that no distribution packages: mise from npm, chezmoi from its Go module.
//!
//! In: the lab's folder. Out: the path of a program that ran once and said its version. What was fetched or built
//! before is used again.

use super::{Missing, Permission, folder};
use host::process::{Invocation, find_program};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The release of mise whose reading of our files the trials assert.
pub const MISE: &str = "2026.9.15";

/// The real mise, from its npm package.
///
/// # Errors
/// If npm is not there or fails.
pub fn mise(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("@jdxcode/mise-linux-{architecture}");
    let prefix = permission.folder.join("npm").join(MISE);
    let program = prefix.join("node_modules").join(&package).join("bin/mise");
    if !program.exists() {
        let fix = format!("npm install --prefix {} {package}@{MISE}", prefix.display());
        may_fetch(permission, "npm", &fix)?;
        talk(&format!("npm: fetching mise {MISE}"));
        let call = Invocation::new("npm").args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ]);
        let call =
            call.arg(folder(&prefix)?).arg(format!("{package}@{MISE}")).timeout(Duration::from_secs(300));
        call.run().map_err(|error| Missing::new(format!("npm failed: {error}"), fix))?;
    }
    speaks(&program, "mise")
}

/// The real chezmoi: on `PATH`, else built from the module pinned in `tests/lab/chezmoi`.
///
/// # Errors
/// If Go is not there or the build fails.
pub fn chezmoi(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    if let Some(program) = find_program("chezmoi") {
        return Ok(program);
    }
    let program = permission.folder.join("bin/chezmoi");
    if !program.exists() {
        let fix = "install Go 1.24 or newer, then run this again";
        may_fetch(permission, "go", fix)?;
        talk("go: building chezmoi (about two minutes, once)");
        folder(&permission.folder.join("bin"))?;
        let module = crate::repository().join("tests/lab/chezmoi");
        // A private name first: a build that is interrupted leaves nothing that looks finished.
        let unfinished = program.with_extension(std::process::id().to_string());
        let call =
            Invocation::new("go").args(["build", "-mod=readonly", "-buildvcs=false", "-o"]).arg(&unfinished);
        let call = call.arg("github.com/twpayne/chezmoi/v2").folder(module).env("CGO_ENABLED", "0");
        let call = call.env("GOFLAGS", "").timeout(Duration::from_secs(900));
        call.run().map_err(|error| Missing::new(format!("go failed: {error}"), fix))?;
        std::fs::rename(&unfinished, &program).map_err(|error| {
            Missing::new(format!("keep {}: {error}", program.display()), "look at the lab's folder")
        })?;
    }
    speaks(&program, "chezmoi")
}

/// Whether something may be fetched with this client.
fn may_fetch(permission: &Permission, client: &str, fix: &str) -> Result<(), Missing> {
    if find_program(client).is_none() {
        return Err(Missing::new(format!("{client} is not on PATH"), fix));
    }
    if permission.install {
        Ok(())
    } else {
        Err(Missing::new("not fetched yet", "cargo xtask test fetches it"))
    }
}

/// A program that can't even say its version is not there.
fn speaks(program: &Path, name: &str) -> Result<PathBuf, Missing> {
    let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let said = Invocation::new(&program).arg("--version").run();
    said.map(|_| program.clone()).map_err(|error| {
        Missing::new(
            format!("{name} does not run: {error}"),
            format!("delete {} and run this again", program.display()),
        )
    })
}
