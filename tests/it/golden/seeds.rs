//! Seeds of the three kinds of first boot, held against the committed files.
//!
//! `ROOTSTOCK_UPDATE_GOLDEN=1 cargo xtask test golden seeds` writes them anew; read the difference before you commit it.

use anyhow::ensure;
use desired::card::Lasts;
use std::collections::BTreeMap;
use tests::ring::{Ring, Trial};
use tests::seeds;

/// What Raspberry Pi OS has on its boot partition, by name.
const OF_THE_BASE: [(&str, &str); 2] = [
    (
        "cmdline.txt",
        "console=serial0,115200 console=tty1 root=PARTUUID=041bba91-02 rootfstype=ext4 fsck.repair=yes rootwait quiet\n",
    ),
    ("config.txt", "dtparam=audio=on\n[cm4]\notg_mode=1\n\n[all]\n"),
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "seeds::three_nodes_get_what_was_read_and_committed", |_| committed()),
        Trial::new(Ring::Golden, "seeds::secrets_are_in_files_that_are_taken_away", |_| secrets()),
    ]
}

/// Every file of every seed, and the base's files with their changes, by path below the folder.
fn files() -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (node, seed) in seeds::all()? {
        for (path, file) in &seed.files {
            files.insert(format!("{node}/{path}"), file.content.clone());
        }
        for (path, before) in OF_THE_BASE {
            if seed.edits.paths().any(|one| one == path) {
                files.insert(format!("{node}/{path}"), seed.edits.apply(path, before.as_bytes())?);
            }
        }
    }
    Ok(files)
}

fn committed() -> anyhow::Result<()> {
    let folder = tests::repository().join("tests/fixtures/seeds/expected");
    let files = files()?;
    if std::env::var_os("ROOTSTOCK_UPDATE_GOLDEN").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        for (path, content) in &files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(path, content)?;
        }
        return Ok(());
    }
    let mut found = BTreeMap::new();
    for path in host::tree::files(&folder)? {
        let below = path.strip_prefix(&folder)?.to_string_lossy().into_owned();
        found.insert(below, std::fs::read(&path)?);
    }
    let names: Vec<&String> = files.keys().filter(|path| files.get(*path) != found.get(*path)).collect();
    let stray: Vec<&String> = found.keys().filter(|path| !files.contains_key(*path)).collect();
    ensure!(names.is_empty() && stray.is_empty(), "these changed: {names:?}, and nobody makes {stray:?}");
    Ok(())
}

fn secrets() -> anyhow::Result<()> {
    for (node, seed) in seeds::all()? {
        for (path, file) in &seed.files {
            let text = String::from_utf8_lossy(&file.content);
            let holds = text.contains("canary");
            ensure!(!holds || file.lasts == Lasts::UntilJoined, "{node}: {path} holds a secret and stays");
            ensure!(!holds || !path.ends_with(".sh"), "{node}: {path} is a script and holds a secret");
        }
    }
    Ok(())
}
