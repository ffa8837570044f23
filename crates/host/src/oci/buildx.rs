//! The buildx engine: is there one that can do it, and the same images through it.
//!
//! In: the output folder with `docker-bake.json`. Out: the same layout folders the embedded engine writes, unpacked from
//! buildx's OCI archives with every blob's digest checked. What is found about an engine is data ([`Probe`]), read from
//! `docker buildx inspect` and `docker info` by functions that take text.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use desired::{Arch, Digest};

use super::bake;
use super::layout::{Layout, LayoutError, LayoutWriter};
use super::spec;
use crate::archive::tar::{self, Limits};
use crate::archive::{ArchiveError, DigestingReader};
use crate::process::{Invocation, ProcessError};

/// What a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// buildx when it can do it, else embedded.
    Auto,
    /// Embedded, whatever is there.
    Embedded,
    /// buildx, or an error that says why not.
    Buildx,
}

/// What will be used, and why, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// The embedded engine.
    Embedded {
        /// Why not buildx.
        why: String,
    },
    /// buildx with this builder, or its current one.
    Buildx {
        /// `--builder`.
        builder: Option<String>,
    },
}

/// Why buildx did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BuildxError {
    /// buildx was asked for and can't build for several platforms here. Exit class 5.
    #[error("buildx can't be used: {why}; or leave `--engine buildx` out to build without it")]
    Unusable {
        /// Why, and what would change it.
        why: String,
    },
    /// The program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its archive can't be read.
    #[error("the archive buildx wrote for image {image} is not usable: {source}")]
    Archive {
        /// The image.
        image: String,
        /// What is wrong.
        source: ArchiveError,
    },
    /// The layout can't be written or is not what was asked for.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The index holds other platforms than those asked for (FIELD B7).
    #[error("buildx built image {image} for {found}, wanted was {wanted}")]
    Platforms {
        /// The image.
        image: String,
        /// What is in it.
        found: String,
        /// What should be.
        wanted: String,
    },
}

/// What asking a builder gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// `docker`, `docker-container`, `kubernetes`, `remote`.
    pub driver: String,
    /// Whether a node of it runs.
    pub running: bool,
}

/// How long an engine may take to say that it is there.
const PROBE_TIME: Duration = Duration::from_secs(15);
/// How long a build may take; images here have no `RUN`, so this is a hang.
const BUILD_TIME: Duration = Duration::from_secs(1800);

/// Chooses the engine. With [`Wish::Auto`] a builder must run already; nothing is started or pulled.
///
/// # Errors
/// [`BuildxError::Unusable`] if buildx is wished for and can't be used.
pub fn choose(wish: Wish, builder: Option<&str>) -> Result<Engine, BuildxError> {
    let engine = |usable: Result<(), String>| match (wish, usable) {
        (_, Ok(())) => Ok(Engine::Buildx { builder: builder.map(str::to_owned) }),
        (Wish::Buildx, Err(why)) => Err(BuildxError::Unusable { why }),
        (_, Err(why)) => Ok(Engine::Embedded { why }),
    };
    if wish == Wish::Embedded {
        return Ok(Engine::Embedded { why: "it was asked for".to_owned() });
    }
    let mut call = docker().args(["buildx", "inspect"]).timeout(PROBE_TIME);
    if let Some(builder) = builder {
        call = call.arg(builder);
    }
    let probe = match call.run() {
        Ok(output) => read_inspect(&output.text()),
        Err(error) if error.is_missing() => return engine(Err("there is no docker client".to_owned())),
        Err(error) if error.tail().contains("is not a docker command") => {
            return engine(Err("docker has no buildx plugin; apt-get install docker-buildx".to_owned()));
        }
        Err(error) => return engine(Err(last_line(error.tail(), "docker buildx inspect gave no answer"))),
    };
    let store = if probe.driver == "docker" {
        let info = docker().args(["info", "--format", "{{json .DriverStatus}}"]).timeout(PROBE_TIME).run();
        match info {
            Ok(output) => output.text(),
            Err(error) => return engine(Err(last_line(error.tail(), "docker info gave no answer"))),
        }
    } else {
        String::new()
    };
    engine(judge(&probe, &store, wish))
}

fn docker() -> Invocation {
    Invocation::new("docker").if_missing("apt-get install docker-cli docker-buildx")
}

fn last_line(tail: &str, otherwise: &str) -> String {
    tail.trim().lines().last().map_or_else(|| otherwise.to_owned(), |line| line.trim().to_owned())
}

/// The driver and the state in what `docker buildx inspect` prints.
#[must_use]
pub fn read_inspect(text: &str) -> Probe {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.map(|rest| rest.trim().to_owned()).unwrap_or_default()
    };
    let running = text
        .lines()
        .any(|line| line.trim().strip_prefix("Status:").is_some_and(|state| state.trim() == "running"));
    Probe { driver: value("Driver:"), running }
}

/// Whether a builder can make an index of two platforms, and if not, why. `store` is docker's `DriverStatus` as JSON,
/// where the containerd store shows itself by its snapshotter (FIELD B1).
fn judge(probe: &Probe, store: &str, wish: Wish) -> Result<(), String> {
    match probe.driver.as_str() {
        "docker" if !probe.running => Err("the Docker engine does not answer".to_owned()),
        "docker" if store.contains("io.containerd.snapshotter") => Ok(()),
        "docker" => Err("this Docker engine's classic image store builds for one platform only; turn on \
            \"features\": {\"containerd-snapshotter\": true} in daemon.json, or run \
            `docker buildx create --use --driver docker-container`"
            .to_owned()),
        "" => Err("docker buildx inspect names no driver".to_owned()),
        _ if probe.running || wish == Wish::Buildx => Ok(()),
        driver => {
            Err(format!("the {driver} builder is not running; `docker buildx inspect --bootstrap` starts it"))
        }
    }
}

/// Builds one target of `docker-bake.json` in `folder` with buildx into the layout `layout`; `line` hears what
/// buildx says.
///
/// # Errors
/// [`BuildxError`]; an older layout is then as it was.
pub fn build(
    folder: &Path,
    target: &bake::Target,
    builder: Option<&str>,
    layout: &Path,
    line: impl FnMut(&str),
) -> Result<Layout, BuildxError> {
    let writer = LayoutWriter::create(layout)?;
    let archive = writer.folder().join("buildx.oci.tar");
    let mut call = docker()
        .args(["buildx", "bake", "-f", "docker-bake.json", "--progress", "plain"])
        .arg("--set")
        .arg(format!("{}.output={}", target.name, bake::output(&archive.display().to_string())))
        .env("SOURCE_DATE_EPOCH", target.epoch.to_string())
        // Newer buildx asks before it reads or writes outside the folder; the place is ours.
        .env("BUILDX_BAKE_ENTITLEMENTS_FS", "0")
        .folder(folder)
        .timeout(BUILD_TIME);
    if let Some(builder) = builder {
        call = call.arg("--builder").arg(builder);
    }
    call.arg(&target.name).run_streaming(line)?;
    unpack(&archive, &writer)
        .map_err(|source| BuildxError::Archive { image: target.name.clone(), source })?;
    fs::remove_file(&archive).map_err(|source| LayoutError::File {
        act: "remove",
        path: archive.clone(),
        source,
    })?;
    let unpacked = Layout::open(writer.folder())?;
    check_platforms(&unpacked, target)?;
    let mut image = unpacked.image;
    image.annotations = spec::Annotations::from([(spec::REF_NAME.to_owned(), target.reference.clone())]);
    Ok(writer.finish(image)?)
}

/// Unpacks an OCI archive into the layout being written; every blob must be what its name says.
fn unpack(archive: &Path, writer: &LayoutWriter) -> Result<(), ArchiveError> {
    let file =
        File::open(archive).map_err(|source| ArchiveError::Source { path: archive.to_owned(), source })?;
    tar::read(io::BufReader::new(file), &Limits::LAYER, |member| {
        let digest = match member.path.strip_prefix("blobs/sha256/") {
            Some(hex) => Some(
                format!("sha256:{hex}")
                    .parse::<Digest>()
                    .map_err(|fault| ArchiveError::refused(&member.path, fault.to_string()))?,
            ),
            None if member.path == "index.json" => None,
            // `oci-layout` is written by us, `manifest.json` is for `docker load`.
            None => return Ok(()),
        };
        if member.kind != tar::Kind::File {
            return Err(ArchiveError::refused(&member.path, "it should be a file"));
        }
        let path = writer.folder().join(&member.path);
        let mut reader = DigestingReader::new(&mut *member);
        io::copy(&mut reader, &mut File::create(&path)?)?;
        let found = reader.finish().digest;
        match digest {
            Some(digest) if digest != found => {
                Err(ArchiveError::refused(&member.path, format!("its content has the digest {found}")))
            }
            _ => Ok(()),
        }
    })
}

fn check_platforms(layout: &Layout, target: &bake::Target) -> Result<(), BuildxError> {
    let mut found: Vec<String> = layout
        .manifests()?
        .into_iter()
        .map(|(descriptor, _)| match descriptor.platform {
            Some(platform) => format!("{}/{}", platform.os, platform.architecture),
            None => "no platform".to_owned(),
        })
        .collect();
    let mut wanted: Vec<String> = target.arches.iter().map(|arch: &Arch| format!("linux/{arch}")).collect();
    found.sort();
    wanted.sort();
    if found == wanted {
        return Ok(());
    }
    let (found, wanted) = (found.join(", "), wanted.join(", "));
    Err(BuildxError::Platforms { image: target.name.clone(), found, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tar::Entry;
    use desired::Mode;

    // As buildx 0.13.1 prints it.
    const CONTAINER: &str = "Name:          dcont\nDriver:        docker-container\nLast Activity: 2026-11-01 10:00:00 +0000 UTC\n\nNodes:\nName:      dcont0\nEndpoint:  unix:///var/run/docker.sock\nStatus:    inactive\nPlatforms: \n";
    const DOCKER: &str = "Name:   default\nDriver: docker\n\nNodes:\nName:      default\nEndpoint:  default\nStatus:    running\nBuildkit:  v0.12.5\nPlatforms: linux/amd64, linux/386\n";

    #[test]
    fn a_classic_store_and_a_sleeping_builder_are_no_engines_for_auto() {
        let docker = read_inspect(DOCKER);
        assert_eq!(docker, Probe { driver: "docker".to_owned(), running: true });
        let classic = judge(&docker, r#"[["Backing Filesystem","extfs"]]"#, Wish::Auto).unwrap_err();
        assert!(classic.contains("containerd-snapshotter"), "{classic}");
        let store = r#"[["driver-type","io.containerd.snapshotter.v1"]]"#;
        assert_eq!(judge(&docker, store, Wish::Auto), Ok(()));
        let container = read_inspect(CONTAINER);
        assert!(judge(&container, "", Wish::Auto).unwrap_err().contains("--bootstrap"));
        assert_eq!(judge(&container, "", Wish::Buildx), Ok(()));
    }

    #[test]
    fn embedded_is_taken_at_its_word() {
        assert!(matches!(choose(Wish::Embedded, None), Ok(Engine::Embedded { .. })));
    }

    #[test]
    fn an_archive_with_a_wrong_blob_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("x.tar");
        let path = format!("blobs/sha256/{}", Digest::sha256_of(b"right").hex());
        for (content, good) in [("right", true), ("wrong", false)] {
            let mut file = File::create(&archive).unwrap();
            tar::write(&mut file, &[Entry::bytes(&path, Mode::PUBLIC, content)], 0, &|_| {}).unwrap();
            let writer = LayoutWriter::create(&folder.path().join("layout")).unwrap();
            assert_eq!(unpack(&archive, &writer).is_ok(), good, "{content}");
        }
    }
}
