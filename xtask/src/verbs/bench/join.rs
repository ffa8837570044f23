//! Converging a node that has converged: `bootstrap join` and `plan` against Ansible and mise bootstrap.
//!
//! In: the same 30 files, 3 unit files and 5 packages for all three, each below a folder of its own that plays the node.
//! Out: rows. The packages are five that every Debian has, read from this machine's own dpkg. Units are compared as
//! files: no init system stands behind a folder. The peers are installed below `target/bench` once, from PyPI and npm.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use desired::resource::{Owner, PackageManager, Resource, Want};
use desired::{Arch, Mode, NodeName};
use host::archive::Options;
use host::bundle::{self, Contents};
use host::cargo_build;
use host::process::Invocation;
use host::report::{Report, Style};

use super::{Row, Way, in_turns, input};
use crate::repository;

const ANSIBLE: &str = "ansible-core==2.19.3";
const MISE: &str = "2026.9.15";
const PACKAGES: [&str; 5] = ["bash", "coreutils", "grep", "sed", "tar"];
const NODE: &str = "bench";
/// DESIGN 8: against Ansible, against mise bootstrap; SPEED 5: `plan` against mise's.
const AIMS: [f64; 3] = [0.002, 0.2, 0.8];
const INPUT: &str = "33 files, 5 packages";

/// Times runs that find nothing to do.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("create a temporary folder")?;
    let files = files();
    let ours = Ours::prepare(&folder.path().join("ours"), &files)?;
    let join = || ours.join().run().map(drop).context("join");
    let plan = || ours.plan().run().map(drop).context("plan");
    join()?;
    let mut ways =
        vec![Way { name: "join", work: Box::new(join) }, Way { name: "plan", work: Box::new(plan) }];
    let mut missing = Vec::new();
    for peer in [ansible(folder.path(), &files), mise(folder.path(), &files)] {
        match peer {
            Ok(peers) => ways.extend(peers),
            Err(error) => missing.push(format!("{error:#}")),
        }
    }
    let names: Vec<&'static str> = ways.iter().map(|way| way.name).collect();
    let times = in_turns(rounds, &mut ways)?;
    let seconds: BTreeMap<&str, f64> = names.into_iter().zip(times).collect();
    Ok(rows(&seconds, &missing))
}

fn rows(seconds: &BTreeMap<&str, f64>, missing: &[String]) -> Vec<Row> {
    let row = |way: &str, seconds: Option<f64>, ratio, aim, note: String| Row {
        input: INPUT.to_owned(),
        way: way.to_owned(),
        seconds,
        ratio,
        aim,
        note,
    };
    let pairs = [("join", "ansible-playbook"), ("join", "mise bootstrap"), ("plan", "mise bootstrap plan")];
    let mut rows: Vec<Row> = Vec::new();
    for (peer, taken) in seconds.iter().filter(|(name, _)| !matches!(**name, "join" | "plan")) {
        rows.push(row(peer, Some(*taken), None, None, String::new()));
    }
    for ((own, peer), aim) in pairs.into_iter().zip(AIMS) {
        let (own_taken, taken) = (seconds.get(own).copied(), seconds.get(peer));
        let ratio = own_taken.zip(taken).map(|(own, peer)| own / peer);
        rows.push(row(&format!("bootstrap {own}"), own_taken, ratio, Some(aim), format!("against {peer}")));
    }
    rows.extend(missing.iter().map(|why| row("a peer is missing", None, None, None, why.clone())));
    rows
}

/// Path below the node's root, and content, of every file.
fn files() -> BTreeMap<String, String> {
    let text = |seed| String::from_utf8_lossy(&input::text(2000, seed)).into_owned() + "\n";
    let settings = (0..30).map(|index| (format!("etc/bench/file-{index:02}"), text(index + 1)));
    let units = (0..3).map(|index| {
        let unit = format!("[Unit]\nDescription=Bench {index}\n[Service]\nExecStart=/bin/sleep {index}\n");
        (format!("etc/systemd/system/bench-{index}.service"), unit)
    });
    settings.chain(units).collect()
}

/// A folder that plays the node, and a bundle for it.
struct Ours {
    root: PathBuf,
    bundle: PathBuf,
}

impl Ours {
    fn prepare(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let root = folder.join("root");
        // What a system has and the wanted files don't make: accounts, and dpkg's own word on packages.
        for path in ["etc/passwd", "etc/group", "var/lib/dpkg/status"] {
            let content =
                std::fs::read(Path::new("/").join(path)).with_context(|| format!("read /{path}"))?;
            input::write(&root.join(path), &content)?;
        }
        std::fs::create_dir_all(root.join("etc/systemd/system")).context("make the folder of units")?;
        let workspace = repository::root().map_err(|failure| failure.error)?;
        let programs = cargo_build::programs(&workspace, false, &Report::new(Style::Plain))?;
        let arch = if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::Amd64 };
        let program =
            programs.into_iter().find(|program| program.arch == arch).context("find our program")?;
        let node: NodeName = NODE.parse()?;
        let contents = Contents {
            cluster: "bench".parse()?,
            tool_version: "0".to_owned(),
            program,
            nodes: BTreeMap::from([(node, resources(files)?)]),
            identities: BTreeMap::new(),
            artifacts: Vec::new(),
            deferred: Vec::new(),
            signer: None,
        };
        let archive = folder.join("bundle.tar.gz");
        bundle::write(&contents, &archive, &Options::new(0), &|_| {})?;
        Invocation::new("tar").args(["-xzf"]).arg(&archive).arg("-C").arg(folder).run()?;
        Ok(Self { root, bundle: folder.join("rootstock") })
    }

    /// From the bundle, every digest of it verified.
    fn join(&self) -> Invocation {
        let call = Invocation::new(self.bundle.join("bootstrap")).args(["join", "--yes", "--bundle"]);
        call.arg(&self.bundle).args(["--node", NODE, "--root"]).arg(&self.root)
    }

    /// As a person on a node asks: by the installed program, which knows what was joined.
    fn plan(&self) -> Invocation {
        let call = Invocation::new(self.root.join("usr/local/bin/bootstrap"));
        call.args(["plan", "--detailed-exitcode", "--node", NODE, "--root"]).arg(&self.root)
    }
}

fn resources(files: &BTreeMap<String, String>) -> anyhow::Result<Vec<Resource>> {
    let names = PACKAGES.into_iter().map(str::to_owned).collect();
    let packages = Want::Packages { manager: PackageManager::Apt, names, files: BTreeMap::new() };
    let folder =
        Want::Directory { path: "/etc/bench".parse()?, mode: Mode::EXECUTABLE, owner: Owner::root() };
    let mut all = vec![Resource::new(packages), Resource::new(folder)];
    for (path, content) in files {
        all.push(Resource::new(Want::File {
            path: format!("/{path}").parse()?,
            mode: Mode::PUBLIC,
            owner: Owner::root(),
            content: content.clone(),
        }));
    }
    Ok(all)
}

/// A playbook of one `copy` in a loop. Its own module for packages would want python3-apt on this machine, so dpkg is
/// asked as a command, which takes less of its time.
fn ansible(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Vec<Way<'static>>> {
    let home = installed("ansible")?;
    let program = home.join("bin/ansible-playbook");
    if !program.exists() {
        Invocation::new("python3").args(["-m", "venv"]).arg(&home).run().context("make a venv")?;
        let install = Invocation::new(home.join("bin/pip")).args(["install", "--quiet", ANSIBLE]);
        install.timeout(Duration::from_secs(600)).run().context("install Ansible from PyPI")?;
    }
    let (own, root) = (folder.join("ansible"), folder.join("ansible/root"));
    let mut play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(
        play,
        "    - ansible.builtin.command: dpkg-query -W {}\n      changed_when: false\n    - ansible.builtin.copy:\n        src: \"{}/{{{{ item }}}}\"\n        dest: \"{}/{{{{ item }}}}\"\n        mode: \"0644\"\n      loop:",
        PACKAGES.join(" "),
        own.join("source").display(),
        root.display(),
    );
    for (path, content) in files {
        input::write(&own.join("source").join(path), content.as_bytes())?;
        let parent = root.join(path);
        std::fs::create_dir_all(parent.parent().context("a file lies in a folder")?)?;
        let _ = writeln!(play, "        - {path}");
    }
    input::write(&own.join("play.yml"), play.as_bytes())?;
    // Ansible refuses the plain C locale that our calls have.
    let call = Invocation::new("env").arg("LC_ALL=C.UTF-8").arg(&program);
    let interpreter = format!("ansible_python_interpreter={}", home.join("bin/python").display());
    let call = call.args(["-i", "localhost,", "-c", "local", "-e", &interpreter]).arg(own.join("play.yml"));
    let call = call.env("ANSIBLE_LOCALHOST_WARNING", "False").timeout(Duration::from_secs(600));
    call.run().context("the first run of the playbook")?;
    let work = move || {
        let said = call.run()?.text();
        ensure!(said.contains("changed=0"), "the playbook still changes something:\n{said}");
        Ok(())
    };
    Ok(vec![Way { name: "ansible-playbook", work: Box::new(work) }])
}

fn mise(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Vec<Way<'static>>> {
    let home = installed("mise")?;
    let package = if cfg!(target_arch = "aarch64") { "linux-arm64" } else { "linux-x64" };
    let program = home.join(format!("node_modules/@jdxcode/mise-{package}/bin/mise"));
    if !program.exists() {
        let npm = Invocation::new("npm").args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&home);
        npm.arg(format!("@jdxcode/mise-{package}@{MISE}"))
            .timeout(Duration::from_secs(300))
            .run()
            .context("install mise from npm")?;
    }
    let (own, root) = (folder.join("mise"), folder.join("mise/root"));
    let mut config = "[bootstrap.packages]\n".to_owned();
    for name in PACKAGES {
        let _ = writeln!(config, "\"apt:{name}\" = \"latest\"");
    }
    for (path, content) in files {
        let target = root.join(path);
        // It makes no folders on the way to a file.
        std::fs::create_dir_all(target.parent().context("a file lies in a folder")?)?;
        let _ = writeln!(
            config,
            "[bootstrap.files.{:?}]\ncontent = {content:?}\nmode = \"0644\"",
            target.display().to_string()
        );
    }
    input::write(&own.join("mise.toml"), config.as_bytes())?;
    let call = |words: &[&str]| {
        let call = Invocation::new(&program).args(words).folder(&own).env("MISE_EXPERIMENTAL", "1");
        let call = call.env("MISE_TRUSTED_CONFIG_PATHS", &own).env("MISE_OFFLINE", "1");
        call.env("HOME", own.join("home")).env("MISE_DATA_DIR", own.join("data"))
    };
    std::fs::create_dir_all(own.join("home")).context("make a home for mise")?;
    let (bootstrap, plan) =
        (call(&["bootstrap", "--yes"]), call(&["bootstrap", "plan", "--detailed-exitcode"]));
    bootstrap.run().context("the first run of mise bootstrap")?;
    // Its own word that nothing is left: exit 2 otherwise.
    plan.run().context("mise's plan after its own run")?;
    let once = |call: Invocation| move || Ok(call.run().map(drop)?);
    Ok(vec![
        Way { name: "mise bootstrap", work: Box::new(once(bootstrap)) },
        Way { name: "mise bootstrap plan", work: Box::new(once(plan)) },
    ])
}

/// Where a peer is installed.
fn installed(name: &str) -> anyhow::Result<PathBuf> {
    Ok(repository::root().map_err(|failure| failure.error)?.join("target/bench").join(name))
}
