//! The real k3s, built from its Go module, with the shim it starts containers by.
//!
//! In: the lab's folder. Out: [`K3s`], a folder with both programs and the manifests a server deploys by itself; kept
//! by version, so the minutes of building are spent once a machine. The module registry serves k3s at a few exact
//! versions only; the sums below hold the module, and the module's own list of sums holds everything it is built of.

use super::apt;
use super::{Missing, Permission, folder};
use desired::Arch;
use host::process::{Invocation, find_program};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the built program says its version is.
pub const VERSION: &str = "v1.34.1+k3s-8215b940";

/// What the same code says its version is after it was linked once more: the version that nodes are brought to.
pub const NEWER: &str = "v1.34.2+k3s-8215b940";

const MODULE: &str = "github.com/k3s-io/k3s";
/// The main module of the build, which has no code.
const OURS: &str = "rootstock.test/lab/k3s";
const MODULE_VERSION: &str = "v1.33.0-rc1.0.20251111204923-8215b940e3eb";
/// Sums of the module and of its `go.mod`. The public checksum database has no entry for this version.
const SUMS: [(&str, &str); 2] = [
    ("", "h1:9riWMz/oUBcm4AbB9SEzLTtd+3h6yWGIO8P5tGH7Ukk="),
    ("/go.mod", "h1:u/rMrhuxT3+h8Mih6RkVaxA7LyJrKZsdv34kBxhyB6Y="),
];
const SERVER: &str = "github.com/k3s-io/k3s/cmd/server";
const SHIM: &str = "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2";
/// Build tags of the vendor's own build, but for `seccomp`, which wants a library; the shim swaps the second one.
const TAGS: &str = "ctrd netcgo osusergo providerless urfave_cli_no_docs sqlite_omit_load_extension apparmor";
/// What a server without any add-on still needs; the rest wants images from the internet.
const MANIFESTS: [&str; 3] = ["ccm.yaml", "rolebindings.yaml", "runtimes.yaml"];
const FIX: &str = "install Go 1.24.6 or newer and reach its module registry, then run this again";

/// A built k3s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3s {
    folder: PathBuf,
}

impl K3s {
    /// Finds it, or builds it.
    ///
    /// # Errors
    /// If Go, a C compiler or the module is not to be had here, or the build fails.
    pub fn find_or_build(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<Self, Missing> {
        let cache = permission.folder.join("k3s");
        let found = cache.join(VERSION);
        if !found.exists() || !cache.join(NEWER).exists() {
            if find_program("go").is_none() {
                return Err(Missing::new("go is not on PATH", FIX));
            }
            if !permission.install {
                return Err(Missing::new("not built yet", "cargo xtask test builds it"));
            }
            apt::install_absent(permission, apt::K3S_BUILD, talk)?;
            talk(&format!("go: building k3s {VERSION} (7 minutes on two idle cores, 6 GB meanwhile, once)"));
            build(folder(&cache)?)?;
        }
        let folder = found.canonicalize().map_err(|error| failed("find", &found, &error))?;
        let k3s = Self { folder };
        let said = Invocation::new(k3s.program()).arg("--version").run();
        said.map(|_| k3s).map_err(|error| {
            let fix = format!("delete {} and run this again", found.display());
            Missing::new(format!("the k3s that was built does not run: {error}"), fix)
        })
    }

    /// Finds the one for arm64, or builds it. Only what an agent needs is looked after, so there are no manifests.
    ///
    /// # Errors
    /// As [`Self::find_or_build`], and if there is no compiler for arm64.
    pub fn find_or_cross_build(permission: &Permission, talk: &mut dyn FnMut(&str)) -> Result<Self, Missing> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Missing::new("only arm64 is built as the other architecture", "run this on amd64"));
        }
        let cache = permission.folder.join("k3s");
        let found = cache.join(format!("{VERSION}-{}", Arch::Arm64));
        if !found.exists() {
            if !permission.install {
                return Err(Missing::new("not built yet", "cargo xtask test --long builds it"));
            }
            apt::install_absent(permission, apt::K3S_CROSS_BUILD, talk)?;
            talk(&format!("go: building k3s {VERSION} for arm64 (7 minutes on two idle cores, once)"));
            in_module(folder(&cache)?, Arch::Arm64, |go, _, unfinished| {
                let out = programs(go, unfinished)?;
                std::fs::rename(&out, &found).map_err(|error| failed("keep", &found, &error))
            })?;
        }
        Ok(Self { folder: found })
    }

    /// `k3s`; also containerd, ctr, crictl and kubectl when called by these names.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.folder.join("k3s")
    }

    /// The same of version [`NEWER`].
    #[must_use]
    pub fn newer_program(&self) -> PathBuf {
        self.folder.with_file_name(NEWER).join("k3s")
    }

    /// `containerd-shim-runc-v2`, which the vendor's program carries inside and this one does not.
    #[must_use]
    pub fn shim(&self) -> PathBuf {
        self.folder.join("containerd-shim-runc-v2")
    }

    /// The folder whose content belongs into a server's `/var/lib/rancher/k3s/server/manifests`.
    #[must_use]
    pub fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }
}

/// Builds into folders of our own names and gives them their final ones at the end, so that an interrupted build leaves
/// nothing that looks finished.
fn build(cache: &Path) -> Result<(), Missing> {
    in_module(cache, Arch::Amd64, |go, source, unfinished| {
        let keep = |out: &Path, version: &str| {
            let found = cache.join(version);
            std::fs::rename(out, &found).map_err(|error| failed("keep", &found, &error))
        };
        if !cache.join(VERSION).exists() {
            let out = programs(go, unfinished)?;
            let manifests = folder(&out.join("manifests"))?.to_owned();
            for name in MANIFESTS {
                let from = source.join("manifests").join(name);
                // Written anew, since files of the module cache are read-only.
                let text = std::fs::read(&from).map_err(|error| failed("read", &from, &error))?;
                let to = manifests.join(name);
                std::fs::write(&to, text).map_err(|error| failed("write", &to, &error))?;
            }
            keep(&out, VERSION)?;
        }
        let out = folder(&unfinished.join("newer"))?.to_owned();
        go.build(&out.join("k3s"), &go.tags(), &go.versions(NEWER)?, SERVER)?;
        keep(&out, NEWER)
    })
}

/// Has something done with Go in our module, with k3s's source, in a folder that is gone afterwards.
fn in_module(
    cache: &Path,
    arch: Arch,
    work: impl FnOnce(&Go<'_>, &Path, &Path) -> Result<(), Missing>,
) -> Result<(), Missing> {
    let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(cache);
    let unfinished = unfinished.map_err(|error| failed("create a folder in", cache, &error))?;
    let module = folder(&unfinished.path().join("module"))?.to_owned();
    // Gigabytes that only an interrupted build has a use for.
    let objects = cache.join("go-build");
    let go = Go { module: &module, objects: &objects, arch };
    let source = source(&go)?;
    write_module(&go, &source)?;
    work(&go, &source, unfinished.path())?;
    std::fs::remove_dir_all(&objects).map_err(|error| failed("remove", &objects, &error))
}

/// Builds both programs, into a folder of their own.
fn programs(go: &Go<'_>, unfinished: &Path) -> Result<PathBuf, Missing> {
    let out = folder(&unfinished.join("out"))?.to_owned();
    go.build(&out.join("k3s"), &go.tags(), &go.versions(VERSION)?, SERVER)?;
    let shim = out.join("containerd-shim-runc-v2");
    go.build(&shim, &go.tags().replace("netcgo", "netgo"), "-s -w", SHIM)?;
    Ok(out)
}

/// Downloads the module and answers with its folder in Go's cache. The sums stand beside it before that, so Go itself
/// refuses anything else.
fn source(go: &Go<'_>) -> Result<PathBuf, Missing> {
    // Without a language version Go would first fetch the requirements of everything that is required anywhere.
    let requirement = format!("module {OURS}\n\ngo 1.24.6\n\nrequire {MODULE} {MODULE_VERSION}\n");
    write(&go.module.join("go.mod"), &requirement)?;
    write(&go.module.join("go.sum"), &own_sums())?;
    let call = go.call(&["mod", "download", "-json", &format!("{MODULE}@{MODULE_VERSION}")]);
    // Its reason is in the answer, not on standard error.
    let output =
        call.accept([0, 1]).run().map_err(|error| Missing::new(format!("go failed: {error}"), FIX))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match answer["Dir"].as_str() {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => {
            let why = answer["Error"].as_str().unwrap_or(&output.stderr_tail).trim().to_owned();
            Err(Missing::new(format!("the module registry does not serve k3s {MODULE_VERSION}: {why}"), FIX))
        }
    }
}

fn own_sums() -> String {
    SUMS.iter().map(|(of, sum)| format!("{MODULE} {MODULE_VERSION}{of} {sum}\n")).collect()
}

/// A module of our own with k3s's requirements and replacements, which hold only in a main module, and its sums.
fn write_module(go: &Go<'_>, source: &Path) -> Result<(), Missing> {
    let read = |name: &str| {
        let path = source.join(name);
        std::fs::read_to_string(&path).map_err(|error| failed("read", &path, &error))
    };
    let requirements = read("go.mod")?.replacen(&format!("module {MODULE}"), &format!("module {OURS}"), 1);
    write(&go.module.join("go.mod"), &requirements)?;
    write(&go.module.join("go.sum"), &(read("go.sum")? + &own_sums()))?;
    let edit = ["mod", "edit", &format!("-require={MODULE}@{MODULE_VERSION}"), "-tool"];
    let edit = go.call(&edit).arg(SERVER).args(["-tool", SHIM]);
    edit.run().map(|_| ()).map_err(|error| Missing::new(format!("go failed: {error}"), FIX))
}

/// Calls of Go in our module.
struct Go<'a> {
    module: &'a Path,
    /// Where Go keeps what it has compiled.
    objects: &'a Path,
    /// What the programs run on.
    arch: Arch,
}

impl Go<'_> {
    /// The vendor's tags, as far as their libraries are here.
    fn tags(&self) -> String {
        match self.arch {
            Arch::Amd64 => format!("{TAGS} seccomp"),
            Arch::Arm64 => TAGS.to_owned(),
        }
    }

    fn call(&self, arguments: &[&str]) -> Invocation {
        // The people of this machine come first.
        let call = Invocation::new("nice").args(["-n", "10", "go"]).args(arguments.iter().copied());
        let call = call.folder(self.module).timeout(Duration::from_secs(3600));
        // Modules come from the registry, never from a repository.
        let call = call.env("GOFLAGS", "-buildvcs=false").env("GOVCS", "*:off").env("GOTOOLCHAIN", "local");
        let call = call.env("CGO_ENABLED", "1").env("GOWORK", "off").env("GOCACHE", self.objects);
        let call = match self.arch {
            Arch::Amd64 => call,
            Arch::Arm64 => call.env("GOARCH", "arm64").env("CC", "aarch64-linux-gnu-gcc"),
        };
        call.env("CGO_CFLAGS", "-DSQLITE_ENABLE_DBSTAT_VTAB=1 -DSQLITE_USE_ALLOCA=1")
    }

    fn build(&self, out: &Path, tags: &str, linker: &str, package: &str) -> Result<(), Missing> {
        let call = self.call(&["build", "-tags", tags, "-ldflags", linker, "-o"]).arg(out).arg(package);
        call.run().map(|_| ()).map_err(|error| Missing::new(format!("go failed: {error}"), FIX))
    }

    /// The linker's settings that tell k3s its own version; without the Go version it refuses to start.
    fn versions(&self, own_version: &str) -> Result<String, Missing> {
        let version = self.call(&["env", "GOVERSION"]).run();
        let version = version.map_err(|error| Missing::new(format!("go failed: {error}"), FIX))?.text();
        let commit = own_version.rsplit('-').next().unwrap_or_default();
        let own = format!("{MODULE}/pkg/version");
        Ok(format!(
            "-s -w -X {own}.Version={own_version} -X {own}.GitCommit={commit} -X {own}.UpstreamGolang={version} \
             -X k8s.io/client-go/pkg/version.gitVersion={own_version} -X k8s.io/component-base/version.gitVersion={own_version} \
             -X github.com/containerd/containerd/v2/version.Version=v2.1.5-k3s1"
        ))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Missing> {
    std::fs::write(path, text).map_err(|error| failed("write", path, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Missing {
    Missing::new(format!("{what} {}: {error}", path.display()), "free space or set ROOTSTOCK_LAB")
}
