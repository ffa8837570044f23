//! Tools that no distribution packages: mise from npm, chezmoi and the programs of a mesh from their Go modules.
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
    let package = "github.com/twpayne/chezmoi/v2";
    let program = built(permission, "chezmoi", ("chezmoi", package), talk)?;
    speaks(&program, "chezmoi")
}

/// The programs of a mesh: the coordinator, the command, the daemon.
pub const MESH: [&str; 3] = ["headscale", "tailscale", "tailscaled"];

/// One of [`MESH`], built from the modules pinned in `tests/lab/mesh`: never one of this machine, which may be in use.
///
/// # Errors
/// As [`chezmoi`].
pub fn of_mesh(
    permission: &Permission,
    name: &'static str,
    talk: &mut dyn FnMut(&str),
) -> Result<PathBuf, Missing> {
    let package = match name {
        "headscale" => "github.com/juanfont/headscale/cmd/headscale",
        "tailscale" => "tailscale.com/cmd/tailscale",
        _ => "tailscale.com/cmd/tailscaled",
    };
    let program = built(permission, name, ("mesh", package), talk)?;
    program.canonicalize().map_err(|error| {
        Missing::new(format!("find {}: {error}", program.display()), "look at the lab's folder")
    })
}

/// Programs that read objects of Kubernetes.
pub const KUBERNETES: [&str; 3] = ["helm", "kubectl-validate", "kustomize"];

/// One of [`KUBERNETES`], built from the modules pinned in `tests/lab/kubernetes` and `tests/lab/validate`.
///
/// # Errors
/// As [`chezmoi`].
pub fn of_kubernetes(
    permission: &Permission,
    name: &'static str,
    talk: &mut dyn FnMut(&str),
) -> Result<PathBuf, Missing> {
    let package = match name {
        "helm" => ("kubernetes", "helm.sh/helm/v3/cmd/helm"),
        "kustomize" => ("kubernetes", "sigs.k8s.io/kustomize/kustomize/v5"),
        _ => ("validate", "sigs.k8s.io/kubectl-validate"),
    };
    let program = built(permission, name, package, talk)?;
    program.canonicalize().map_err(|error| {
        Missing::new(format!("find {}: {error}", program.display()), "look at the lab's folder")
    })
}

/// `package`, built once from the module pinned in that folder of `tests/lab`.
fn built(
    permission: &Permission,
    name: &str,
    (module, package): (&str, &str),
    talk: &mut dyn FnMut(&str),
) -> Result<PathBuf, Missing> {
    let program = permission.folder.join("bin").join(name);
    if program.exists() {
        return Ok(program);
    }
    let fix = "install Go 1.24 or newer, then run this again";
    may_fetch(permission, "go", fix)?;
    talk(&format!("go: building {name} (about two minutes, once)"));
    folder(&permission.folder.join("bin"))?;
    let module = crate::repository().join("tests/lab").join(module);
    // A private name first: a build that is interrupted leaves nothing that looks finished.
    let unfinished = program.with_extension(std::process::id().to_string());
    let call =
        Invocation::new("go").args(["build", "-mod=readonly", "-buildvcs=false", "-o"]).arg(&unfinished);
    let call = call.arg(package).folder(module).env("CGO_ENABLED", "0");
    let call = call.env("GOFLAGS", "").timeout(Duration::from_secs(900));
    call.run().map_err(|error| Missing::new(format!("go failed: {error}"), fix))?;
    std::fs::rename(&unfinished, &program).map_err(|error| {
        Missing::new(format!("keep {}: {error}", program.display()), "look at the lab's folder")
    })?;
    Ok(program)
}

/// What cloud-init imports, besides Python itself.
const OF_CLOUD_INIT: [&str; 7] =
    ["pyyaml", "jsonschema", "configobj", "jinja2", "oauthlib", "requests", "jsonpatch"];

/// The real cloud-init, unpacked from Debian's package into the lab with what it imports. Installed, it would take this
/// machine for a fresh one at its next start.
///
/// # Errors
/// If apt, dpkg or Python are not there or fail.
pub fn cloud_init(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    let home = permission.folder.join("cloud-init");
    let program = home.join("cloud-init");
    if !program.exists() {
        let fix = "apt-get download cloud-init";
        may_fetch(permission, "apt-get", fix)?;
        talk("apt-get: fetching cloud-init (it is unpacked, not installed)");
        folder(&home)?;
        let run = |call: Invocation| {
            let call = call.folder(&home).timeout(Duration::from_secs(300));
            call.run().map_err(|error| Missing::new(format!("cloud-init can't be had: {error}"), fix))
        };
        run(Invocation::new("apt-get").args(["download", "cloud-init"]))?;
        run(Invocation::new("sh").args(["-c", "dpkg -x cloud-init_*.deb package"]))?;
        run(Invocation::new("python3").args(["-m", "venv", "python"]))?;
        run(Invocation::new(home.join("python/bin/pip")).args(["install", "--quiet"]).args(OF_CLOUD_INIT))?;
        let script = "#!/bin/sh\nhere=$(dirname \"$(readlink -f \"$0\")\")\nPYTHONPATH=$here/package/usr/lib/python3/dist-packages \\\n    exec \"$here/python/bin/python\" -m cloudinit.cmd.main \"$@\"\n";
        std::fs::write(&program, script)
            .and_then(|()| {
                std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            })
            .map_err(|error| Missing::new(format!("write {}: {error}", program.display()), fix))?;
    }
    speaks(&program, "cloud-init")
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

/// Podman's generator of units, unpacked from Debian 13's package into the lab; the package is not installed.
///
/// # Errors
/// If apt, dpkg or the package are not there.
pub fn quadlet(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<PathBuf, Missing> {
    let home = permission.folder.join("podman");
    let program = home.join("x/usr/libexec/podman/quadlet");
    if !program.exists() {
        let lists = super::apt::lists(permission, "trixie", talk)?;
        let fix = "apt-get download podman/trixie";
        may_fetch(permission, "apt-get", fix)?;
        talk("apt-get: fetching podman (it is unpacked, not installed)");
        folder(&home)?;
        let run = |call: Invocation| {
            let call = call.folder(&home).env("APT_CONFIG", &lists).timeout(Duration::from_secs(300));
            call.run().map_err(|error| Missing::new(format!("podman can't be had: {error}"), fix))
        };
        run(Invocation::new("apt-get").args(["-q", "download", "podman"]))?;
        run(Invocation::new("sh").args(["-c", "dpkg -x podman_*.deb x"]))?;
    }
    let program = program.canonicalize().unwrap_or(program);
    let said = Invocation::new(&program).arg("-version").run();
    said.map(|_| program.clone()).map_err(|error| {
        Missing::new(
            format!("podman's generator does not run: {error}"),
            format!("delete {} and run this again", home.display()),
        )
    })
}
