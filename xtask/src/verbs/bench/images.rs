//! An image of both architectures: the embedded engine against `docker buildx bake` of the same Dockerfile.
//!
//! The peer is whatever engine the `docker` client reaches (`DOCKER_HOST` decides); without one that can build for two
//! platforms there are only our own times, and the table says why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use desired::Arch;
use host::oci::build::{Request, build};
use host::oci::buildx::{Engine, Wish, choose};
use host::oci::{bake, spec::Annotations};
use host::process::Invocation;
use host::report::{Kind, Report, Style};

use super::{Row, Way, in_turns, input};

/// DESIGN 8: cold against buildx warm, and unchanged against buildx warm.
const COLD_AIM: f64 = 0.15;
const UNCHANGED_AIM: f64 = 0.05;
const NAME: &str = "bench";
const DOCKERFILE: &str = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/ /\nENTRYPOINT [\"/program\"]\n";

/// Times the embedded engine with nothing there and with its last layout there, and buildx with and without its cache.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("create a temporary folder")?;
    fill(folder.path())?;
    let (cold, kept) = (folder.path().join("images/cold"), folder.path().join("images/kept"));
    embedded(folder.path(), &kept, None)?;
    let mut ways = vec![
        Way {
            name: "embedded, cold",
            work: Box::new(|| {
                // Not there, so nothing can be taken from it.
                if cold.exists() {
                    std::fs::remove_dir_all(&cold).context("remove the last layout")?;
                }
                embedded(folder.path(), &cold, None)
            }),
        },
        Way {
            name: "embedded, unchanged",
            work: Box::new(|| embedded(folder.path(), &kept, Some(kept.clone()))),
        },
    ];
    let missing = match choose(Wish::Auto, None).context("look for buildx")? {
        Engine::Embedded { why } => Some(why),
        Engine::Buildx { .. } => {
            for (name, flag) in [("buildx, cold", Some("--no-cache")), ("buildx, warm", None)] {
                let call = Invocation::new("docker")
                    .args(["buildx", "bake", "-f", "docker-bake.json", "--progress", "plain"])
                    .args(flag)
                    .arg(NAME)
                    .env("BUILDX_BAKE_ENTITLEMENTS_FS", "0")
                    .folder(folder.path());
                ways.push(Way { name, work: Box::new(move || Ok(call.run().map(drop)?)) });
            }
            None
        }
    };
    let names: Vec<&str> = ways.iter().map(|way| way.name).collect();
    let seconds = in_turns(rounds, &mut ways)?;
    let mut rows = rows(&names, &seconds);
    rows.extend(missing.map(|why| row("buildx, warm", None, None, None, format!("missing: {why}"))));
    Ok(rows)
}

fn rows(names: &[&str], seconds: &[f64]) -> Vec<Row> {
    let warm = seconds.get(3).copied();
    let aims = [Some(COLD_AIM), Some(UNCHANGED_AIM), None, None];
    let timed = names.iter().zip(seconds).zip(aims);
    timed
        .map(|((name, seconds), aim)| {
            row(name, Some(*seconds), warm.map(|warm| seconds / warm), aim, String::new())
        })
        .collect()
}

fn row(way: &str, seconds: Option<f64>, ratio: Option<f64>, aim: Option<f64>, note: String) -> Row {
    Row { input: "image of two arches".to_owned(), way: way.to_owned(), seconds, ratio, aim, note }
}

/// SPEED 3's small image: a 2 MB program and 40 files for each architecture.
fn fill(folder: &Path) -> anyhow::Result<()> {
    for (arch, seed) in Arch::ALL.into_iter().zip(1..) {
        let root = folder.join(arch.as_str());
        // Programs deflate to about half.
        let program = [input::noise(1_000_000, seed), input::text(1_000_000, seed)].concat();
        input::write(&root.join("program"), &program)?;
        for index in 0..40 {
            let bytes = input::text(2000, seed * 1000 + index);
            input::write(&root.join(format!("etc/file-{index:02}")), &bytes)?;
        }
    }
    input::write(&folder.join(bake::dockerfile(NAME)), DOCKERFILE.as_bytes())?;
    std::fs::create_dir_all(folder.join("images")).context("create the images' folder")?;
    let target = bake::Target {
        name: NAME.to_owned(),
        arches: Arch::ALL.to_vec(),
        reference: "rootstock/bench:1".to_owned(),
        labels: Annotations::new(),
        epoch: 1_704_067_200,
    };
    input::write(&folder.join("docker-bake.json"), bake::render(&[target]).as_bytes())
}

fn embedded(folder: &Path, layout: &Path, previous: Option<PathBuf>) -> anyhow::Result<()> {
    let dockerfile = folder.join(bake::dockerfile(NAME));
    let request = Request {
        dockerfile: &dockerfile,
        context: folder,
        named_contexts: BTreeMap::new(),
        arches: Arch::ALL.to_vec(),
        arguments: BTreeMap::new(),
        labels: Annotations::new(),
        reference: "rootstock/bench:1".to_owned(),
        epoch: 1_704_067_200,
        known: BTreeMap::new(),
        previous,
    };
    let task = Report::new(Style::Quiet).task(Kind::Image, NAME, None);
    build(&request, layout, &task)?;
    task.finish("");
    Ok(())
}
