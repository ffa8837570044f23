//! Seeds judged by those who read them on a node, and boot partitions by those who check them.

use anyhow::{Context as _, ensure};
use host::disk::Whole;
use host::disk::fat::Fat;
use host::disk::overlay::{BLOCK_BYTES, Overlay};
use host::disk::volume::{Content, put};
use host::process::Invocation;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use tests::consumers::shell;
use tests::lab::{Lab, Need};
use tests::programs::{answering, said, scratch};
use tests::ring::{Ring, Trial};
use tests::seeds;

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, need: Need, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("seeds::{name}"), body).needs(&[need])
    };
    vec![
        trial("every_script_holds", Need::Shellcheck, scripts),
        trial("cloud_init_takes_every_user_data", Need::CloudInit, user_data),
        trial("boot_partitions_are_sound_after_seeding", Need::DiskTools, |_| volumes()),
    ]
}

/// The files of all seeds whose name ends so, written out.
fn written(folder: &Path, end: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for (node, seed) in seeds::all()? {
        for (path, file) in seed.files.iter().filter(|(path, _)| path.ends_with(end)) {
            let to = folder.join(format!("{node}-{}", path.replace('/', "-")));
            std::fs::write(&to, &file.content)?;
            paths.push(to);
        }
    }
    ensure!(!paths.is_empty(), "no seed has a file {end}");
    Ok(paths)
}

fn scripts(lab: &Lab) -> anyhow::Result<()> {
    let folder = scratch()?;
    let mut all = written(folder.path(), ".sh")?;
    // What cloud-init is to write is a script too.
    for path in written(folder.path(), "user-data")? {
        let data: serde_json::Value = blueprint::escape::yaml::read(&std::fs::read_to_string(&path)?)?;
        // What is left once the node has joined has none.
        let Some(script) = data["write_files"][0]["content"].as_str() else { continue };
        let to = path.with_extension("sh");
        std::fs::write(&to, script)?;
        all.push(to);
    }
    all.iter().try_for_each(|script| shell::verify(lab, script))
}

fn user_data(lab: &Lab) -> anyhow::Result<()> {
    let folder = scratch()?;
    let check =
        |path: &Path| answering(lab.tool("cloud-init").args(["schema", "--config-file"]).arg(path)).run();
    for path in written(folder.path(), "user-data")? {
        let output = check(&path)?;
        ensure!(output.code == 0 && said(&output).contains("Valid"), "{}", said(&output));
    }
    // A wrong value must be seen, or the judge is none.
    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "#cloud-config\nruncmd: yes\n")?;
    ensure!(check(&wrong)?.code != 0, "the schema takes a word for a list");
    Ok(())
}

fn run(program: &str, words: &[&str], path: &Path) -> anyhow::Result<String> {
    let output = Invocation::new(program).args(words.iter().copied()).arg(path).run()?;
    Ok(said(&output))
}

/// What mkfs.vfat made, fsck.vfat still likes, and mtools reads as it was put there.
fn volumes() -> anyhow::Result<()> {
    let seed = seeds::all()?.into_values().next().context("there are three")?;
    let bundle = vec![b'b'; 3 << 20];
    for (bits, mebibytes, clusters, label) in
        [("12", 8_u64, "8", None), ("16", 40, "2", Some("CIDATA")), ("32", 64, "1", Some("CIDATA"))]
    {
        let folder = scratch()?;
        let path = folder.path().join("volume.img");
        File::create(&path)?.set_len(mebibytes << 20)?;
        run("mkfs.vfat", &["-F", bits, "-S", "512", "-s", clusters, "-n", "bootfs"], &path)?;
        let disk = Whole::open(&path)?;
        let mut files: Vec<(&str, Content<'_>)> =
            seed.files.iter().map(|(path, file)| (path.as_str(), Content::Bytes(&file.content))).collect();
        files.push(("rootstock/bundle-with-a-long-name.tar.gz", Content::Bytes(&bundle)));
        let patch = put(Overlay::new(&disk, 0, mebibytes << 20), &files, label)?.into_patch()?;
        let again = put(Overlay::new(&disk, 0, mebibytes << 20), &files, label)?.into_patch()?;
        ensure!(patch.digest() == again.digest(), "FAT{bits}: the same files make other blocks");
        let image = File::options().write(true).open(&path)?;
        for (number, block) in patch.blocks() {
            image.write_all_at(block, number * BLOCK_BYTES as u64)?;
        }
        image.sync_all()?;
        // Any remark that would change something makes it end with 1.
        let judged = answering(Invocation::new("fsck.vfat").args(["-n", "-v"]).arg(&path)).run()?;
        ensure!(judged.code == 0, "FAT{bits}: {}", said(&judged));
        let image = path.to_str().context("a plain name")?;
        for (name, content) in files {
            let to = folder.path().join("copy");
            Invocation::new("mcopy").args(["-n", "-o", "-i", image, &format!("::/{name}")]).arg(&to).run()?;
            let Content::Bytes(content) = content else { continue };
            ensure!(std::fs::read(&to)? == content, "FAT{bits}: mtools reads another {name}");
        }
        if let Some(label) = label {
            let told = Invocation::new("mlabel").args(["-s", "-i", image, "::"]).run()?;
            ensure!(said(&told).contains(label), "FAT{bits}: {}", said(&told));
            let seen = run("blkid", &["-p", "-s", "LABEL", "-o", "value"], &path)?;
            ensure!(seen.trim() == label, "FAT{bits}: the system finds it as {seen}");
        }
        let disk = Whole::open(&path)?;
        ensure!(Fat::open(&disk)?.is_some(), "FAT{bits}: our own reader no longer knows it");
    }
    Ok(())
}
