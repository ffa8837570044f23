//! Mounts of every Linux node of the three clusters, read by systemd and util-linux themselves.

use anyhow::Context as _;
use blueprint::escape::systemd;
use desired::AbsPath;
use host::process::Invocation;
use std::path::{Path, PathBuf};
use tests::clusters::{models, pour, stand_in_pins};
use tests::consumers::{mounts, units};
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

/// Programs that are on a node and not here.
const ELSEWHERE: [&str; 4] = [
    "/usr/local/bin/bootstrap",
    "/usr/bin/findmnt",
    "/usr/local/bin/k3s",
    "/usr/local/lib/rootstock/sleep-cordon",
];
const GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-fstab-generator";

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("mounts::{name}"), body)
    };
    vec![
        trial("paths_escape_as_systemd_does", paths_escape_as_systemd_does).needs(&[Need::SystemdAnalyze]),
        trial("every_nodes_fstab_is_read_without_a_remark", every_nodes_fstab).needs(&[Need::Findmnt]),
        trial("no_share_is_required_at_boot", no_share_is_required_at_boot).needs(&[Need::SystemdAnalyze]),
        trial("every_nodes_units_are_read_without_a_remark", every_nodes_units)
            .needs(&[Need::SystemdAnalyze]),
    ]
}

/// FIELD M4: byte for byte what `systemd-escape` says, for a table of unpleasant paths.
fn paths_escape_as_systemd_does(_lab: &Lab) -> anyhow::Result<()> {
    let mut paths: Vec<String> =
        ["/", "/mnt/media-data", "/mnt/my share", "/.hidden/.x", "/mnt/é/日本", "/a\\b", "/srv/a:b_c.d"]
            .map(str::to_owned)
            .into();
    paths
        .extend((b'!'..=b'~').map(char::from).filter(|c| *c != '/' && *c != '.').map(|c| format!("/m/{c}x")));
    for text in paths {
        let path: AbsPath = text.parse()?;
        for kind in ["mount", "automount"] {
            let ours = systemd::path_unit(&path, kind)?;
            let call = Invocation::new("systemd-escape").args(["--path", "--suffix", kind]).arg(&text);
            assert_eq!(ours.as_str(), call.run()?.text().trim_end(), "{text}");
        }
    }
    Ok(())
}

/// The root file systems of every Linux node of every cluster, with a name for messages.
fn roots() -> anyhow::Result<Vec<(String, tempfile::TempDir)>> {
    let mut roots = Vec::new();
    for model in models()? {
        let pins = stand_in_pins(&model)?;
        for node in model.linux_nodes() {
            let folder = scratch()?;
            pour(&blueprint::render::node(&model, node, &pins)?.files, folder.path())?;
            roots.push((format!("{}/{}", model.name, node.name), folder));
        }
    }
    Ok(roots)
}

fn fstabs() -> anyhow::Result<Vec<(String, tempfile::TempDir, PathBuf)>> {
    let with_fstab = |(name, folder): (String, tempfile::TempDir)| {
        let path = folder.path().join("rootfs/etc/fstab");
        path.exists().then_some((name, folder, path))
    };
    let fstabs: Vec<_> = roots()?.into_iter().filter_map(with_fstab).collect();
    anyhow::ensure!(!fstabs.is_empty(), "no node has a block in fstab");
    Ok(fstabs)
}

fn every_nodes_fstab(lab: &Lab) -> anyhow::Result<()> {
    for (name, _folder, path) in fstabs()? {
        mounts::verify(lab, &path).with_context(|| name)?;
    }
    Ok(())
}

/// FIELD M3: what systemd makes of the block is wanted, never required, and each share has its automount.
fn no_share_is_required_at_boot(_lab: &Lab) -> anyhow::Result<()> {
    for (name, _folder, path) in fstabs()? {
        let out = scratch()?;
        let folders = ["normal", "early", "late"].map(|kind| out.path().join(kind));
        for folder in &folders {
            std::fs::create_dir(folder)?;
        }
        let call = Invocation::new(GENERATOR).args(&folders).env("SYSTEMD_FSTAB", &path);
        call.env("SYSTEMD_PROC_CMDLINE", "").run().with_context(|| name.clone())?;
        let text = std::fs::read_to_string(&path)?;
        let shares = text.lines().filter(|line| line.contains("_netdev")).count();
        for kind in ["remote-fs", "local-fs"] {
            let required = folders[0].join(format!("{kind}.target.requires"));
            assert!(!required.exists(), "{name}: {} exists", required.display());
        }
        let wanted = folders[0].join("remote-fs.target.wants");
        let wanted = if wanted.exists() { std::fs::read_dir(wanted)?.count() } else { 0 };
        assert_eq!(wanted, shares, "{name}: an automount a share");
    }
    Ok(())
}

/// FIELD M5: any line systemd prints is a fault. Drop-ins are read with a unit of that name beside them.
fn every_nodes_units(lab: &Lab) -> anyhow::Result<()> {
    let (mut native, mut gated) = (0, 0);
    for (name, folder) in roots()? {
        let folder = folder.path().join("rootfs/etc/systemd/system");
        if !folder.exists() {
            continue;
        }
        add_units_of_drop_ins(&folder)?;
        native += count(&folder, ".automount")?;
        gated += usize::from(count(&folder, ".service.d")? > 0);
        units::verify(lab, &folder, &ELSEWHERE).with_context(|| name)?;
    }
    assert!(native > 0, "no node has mounts as units");
    assert!(gated > 0, "no node has a gated service");
    Ok(())
}

fn count(folder: &Path, suffix: &str) -> anyhow::Result<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        found += usize::from(entry?.file_name().to_string_lossy().ends_with(suffix));
    }
    Ok(found)
}

/// A drop-in alone is not read: each gets a plain unit to extend, and so does the mesh daemon that mounts wait for.
fn add_units_of_drop_ins(folder: &Path) -> anyhow::Result<()> {
    let mut names = vec!["tailscaled.service".to_owned()];
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".d").filter(|unit| unit.ends_with(".service")).map(str::to_owned));
    }
    for name in names {
        let path = folder.join(name);
        if !path.exists() {
            std::fs::write(path, "[Unit]\nDescription=stands in\n[Service]\nExecStart=/bin/true\n")?;
        }
    }
    Ok(())
}
