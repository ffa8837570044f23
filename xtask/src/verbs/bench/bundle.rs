//! Packing a bundle: ours against `tar | pigz -6 -p2`, to files in one temporary folder.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;
use desired::{ByteSize, Mode};
use host::archive::tar::Entry;
use host::archive::{Options, pack_file};
use host::process::{Invocation, find_program};

use super::{Row, Way, in_turns, input};

/// DESIGN 8: bundle archive with k3s in it.
const AIM: f64 = 0.5;
/// Threads for both.
const THREADS: usize = 2;

/// A folder to pack: name, noise files, bytes of each, bytes of text, small files.
struct Tree {
    name: &'static str,
    noise: (usize, usize),
    text: usize,
    small: usize,
    /// The ratio asked for, where DESIGN 8 names this sort of content.
    aim: Option<f64>,
}

const TREES: [Tree; 2] = [
    // As SPEED 4: 200 MB incompressible, 100 MB text, 5,000 small files.
    Tree { name: "tree of 304 MB", noise: (20, 10_000_000), text: 100_000_000, small: 5000, aim: None },
    // k3s and its images are compressed already; the rest is our binary and the nodes' resources.
    Tree { name: "bundle with k3s", noise: (1, 70_000_000), text: 4_000_000, small: 300, aim: Some(AIM) },
];

/// Times both ways on both trees.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for tree in TREES {
        let folder = tempfile::tempdir().context("create a temporary folder")?;
        rows.extend(compare_tree(rounds, &tree, folder.path())?);
    }
    Ok(rows)
}

fn compare_tree(rounds: u32, tree: &Tree, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let source = folder.join("tree");
    let entries = fill(tree, &source)?;
    let (ours, theirs) = (folder.join("ours.tar.gz"), folder.join("theirs.tar.gz"));
    let threads = NonZeroUsize::new(THREADS).unwrap_or(NonZeroUsize::MIN);
    let options = Options { threads, ..Options::new(0) };
    let mut ways = vec![Way {
        name: "rootstock",
        work: Box::new(|| Ok(pack_file(&ours, &entries, &options, &|_| {}).map(drop)?)),
    }];
    let peer = find_program("pigz").is_some();
    if peer {
        let call = Invocation::new("tar")
            .args(["--sort=name", "--use-compress-program=pigz -6 -p2", "-cf"])
            .arg(&theirs)
            .arg("-C")
            .arg(&source)
            .arg(".");
        ways.push(Way { name: "tar | pigz -6 -p2", work: Box::new(move || Ok(call.run().map(drop)?)) });
    }
    let seconds = in_turns(rounds, &mut ways)?;
    drop(ways);
    let size = |path: &Path| {
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        format!("{} packed", ByteSize(length))
    };
    let row = |way: &str, seconds: Option<f64>, ratio, aim, note| Row {
        input: tree.name.to_owned(),
        way: way.to_owned(),
        seconds,
        ratio,
        aim,
        note,
    };
    let peer_seconds = seconds.get(1).copied();
    let note = if peer { size(&theirs) } else { "missing: apt-get install pigz".to_owned() };
    Ok(vec![
        row(
            "rootstock",
            Some(seconds[0]),
            peer_seconds.map(|theirs| seconds[0] / theirs),
            tree.aim,
            size(&ours),
        ),
        row("tar | pigz -6 -p2", peer_seconds, peer_seconds.map(|_| 1.0), None, note),
    ])
}

/// Writes the tree and gives its entries.
fn fill(tree: &Tree, source: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut add = |name: String, bytes: &[u8]| -> anyhow::Result<()> {
        let path = source.join(&name);
        input::write(&path, bytes)?;
        entries.push(Entry::file(name, Mode::PUBLIC, path, bytes.len() as u64));
        Ok(())
    };
    let (count, length) = tree.noise;
    for index in 0..count {
        add(format!("artifacts/{index:02}"), &input::noise(length, index as u64 + 1))?;
    }
    add("text".to_owned(), &input::text(tree.text, 77))?;
    for index in 0..tree.small {
        let bytes = input::text(400 + index % 800, index as u64 + 100);
        add(format!("nodes/{:03}/file-{index:04}", index % 100), &bytes)?;
    }
    Ok(entries)
}
