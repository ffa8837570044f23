//! Check and render of 1,000 nodes with 20 files each, against minijinja alone that renders as many bytes from templates.
//!
//! Both run on all cores and write to memory where there is a tmpfs. Ours is the whole process: it parses, resolves, lints,
//! renders, compares and writes. What it needs of memory is measured by a run inside this process.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use desired::ByteSize;
use host::process::Invocation;
use minijinja::{Environment, context};

use super::{Row, Way, in_turns, input};
use crate::common::{Color, Common};
use crate::repository;
use crate::verbs::{self, render::Arguments};
use host::parallel;

/// DESIGN 8: half a second, where minijinja alone took 0.32 s.
const AIM: f64 = 0.5 / 0.32;
/// DESIGN 8.
const MEMORY_LIMIT_KIBIBYTES: u64 = 200 << 10;
const NODES: usize = 1000;
const FILES: usize = 20;
const INPUT: &str = "1,000 nodes × 20 files";

/// Times the engine alone, a first run and a run with nothing to do.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let folder = scratch()?;
    let profiles = folder.path().join("profiles");
    fill(&profiles)?;
    let kept = folder.path().join("kept");
    let first = render(&profiles, &kept)?;
    ensure!(first > NODES * FILES, "{first} files were rendered, fewer than {}", NODES * FILES);
    let bytes = length(&kept)?;
    let (mut fresh, mut peer) = (0, 0);
    let mut ways = [
        Way {
            name: "minijinja alone",
            work: Box::new(|| {
                peer += 1;
                engine_alone(&folder.path().join(format!("peer-{peer}")), bytes / (NODES * FILES) as u64)
            }),
        },
        Way {
            name: "render, from nothing",
            work: Box::new(|| {
                fresh += 1;
                render(&profiles, &folder.path().join(format!("fresh-{fresh}"))).map(drop)
            }),
        },
        Way {
            name: "render, nothing changed",
            work: Box::new(|| match render(&profiles, &kept)? {
                0 => Ok(()),
                written => bail!("{written} files were written although nothing had changed"),
            }),
        },
    ];
    let names: Vec<&str> = ways.iter().map(|way| way.name).collect();
    let seconds = in_turns(rounds, &mut ways)?;
    let notes = [
        format!("{} written", ByteSize(bytes)),
        format!("{} written", ByteSize(bytes)),
        "no file written".to_owned(),
    ];
    let row = |index: usize, aim| Row {
        input: INPUT.to_owned(),
        way: names[index].to_owned(),
        seconds: Some(seconds[index]),
        ratio: Some(seconds[index] / seconds[0]),
        aim,
        note: notes[index].clone(),
    };
    let mut rows = vec![row(0, None), row(1, Some(AIM)), row(2, Some(AIM))];
    rows.push(memory(&profiles, &folder.path().join("memory"))?);
    Ok(rows)
}

/// A folder in memory where the machine has one, so that the disk is not what is measured.
fn scratch() -> anyhow::Result<tempfile::TempDir> {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    folder.context("create a temporary folder")
}

/// Runs `render` and gives how many files it wrote.
fn render(profiles: &Path, out: &Path) -> anyhow::Result<usize> {
    let program = std::env::current_exe().context("find this program")?;
    let call = Invocation::new(&program).args(["render", "--json", "--profiles"]).arg(profiles);
    let answer: serde_json::Value =
        serde_json::from_str(&call.arg("--out").arg(out).run()?.text()).context("read render's answer")?;
    let written = answer["clusters"][0]["written"].as_array();
    Ok(written.context("find the written files in render's answer")?.len())
}

/// The peer: one compiled template, a context of its own for each file, written below `out`.
fn engine_alone(out: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut environment = Environment::new();
    let line = "{{ key }}={{ node }}-{{ loop.index }}.{{ address }}\n";
    let source = format!("# {{{{ node }}}}\n{{% for key in keys %}}{line}{{% endfor %}}");
    environment.add_template("file", &source).context("compile the template")?;
    let nodes: Vec<usize> = (0..NODES).collect();
    parallel::each(&nodes, |node| {
        let name = format!("pi-{node:04}");
        let address = format!("10.20.{}.{}", node / 250, node % 250);
        // A line is about 27 bytes long.
        let keys: Vec<String> = (0..bytes / 27).map(|key| format!("key-{key:02}")).collect();
        let folder = out.join(&name);
        let values = context! { node => name, address => address, keys => keys };
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        for file in 0..FILES {
            let template = environment.get_template("file")?;
            let text = template.render(&values)?;
            input::write(&folder.join(format!("file-{file:02}")), text.as_bytes())?;
        }
        anyhow::Ok(())
    })?;
    Ok(())
}

/// Peak memory of a render in this process, which counts what the process held before.
fn memory(profiles: &Path, out: &Path) -> anyhow::Result<Row> {
    // proc(5): 5 resets the peak, VmHWM.
    std::fs::write("/proc/self/clear_refs", "5").context("reset the peak of memory")?;
    let arguments = Arguments { clusters: Vec::new(), node: None, out: Some(out.to_owned()), check: false };
    let common = Common {
        json: false,
        offline: true,
        locked: true,
        profiles: Some(PathBuf::from(profiles)),
        verbose: 0,
        color: Color::Never,
    };
    for rendered in verbs::render::compare(&common, &arguments).map_err(|failure| failure.error)? {
        rendered.changes.make(&rendered.set)?;
    }
    let status = std::fs::read_to_string("/proc/self/status").context("read the peak of memory")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("find VmHWM")?;
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().context("read VmHWM")?;
    Ok(Row {
        input: INPUT.to_owned(),
        way: "render, peak memory".to_owned(),
        seconds: None,
        ratio: Some(kibibytes as f64 / MEMORY_LIMIT_KIBIBYTES as f64),
        aim: Some(1.0),
        note: format!("{} of at most {}", ByteSize(kibibytes << 10), ByteSize(MEMORY_LIMIT_KIBIBYTES << 10)),
    })
}

fn length(folder: &Path) -> anyhow::Result<u64> {
    let files = host::tree::files(folder).context("list what was rendered")?;
    let lengths = files.iter().map(|file| std::fs::metadata(file).map(|metadata| metadata.len()));
    lengths.sum::<Result<u64, _>>().context("look at what was rendered")
}

/// A cluster of one server and a group of agents with four shares each, and its lock.
fn fill(profiles: &Path) -> anyhow::Result<()> {
    let ours = repository::root().map_err(|failure| failure.error)?.join("profiles");
    for path in ["roles/rpi5.toml", "roles/k3s-agent.toml"] {
        let text = std::fs::read(ours.join(path)).with_context(|| format!("read profiles/{path}"))?;
        input::write(&profiles.join(path), &text)?;
    }
    let lock = std::fs::read(ours.join("vnext/lock.toml")).context("read profiles/vnext/lock.toml")?;
    input::write(&profiles.join("fleet/lock.toml"), &lock)?;
    let shares: String = (0..4)
        .map(|index| {
            format!(
                "[shares.data{index}]\nkind = \"nfs\"\nserver = \"head\"\npath = \"/srv/data{index}\"\n\
                 clients = [\"pi\"]\nmount-point = \"/srv/data{index}\"\nprotocol-version = \"4.2\"\n\
                 export-to = \"10.20.0.0/16\"\ngates = [\"k3s-agent.service\"]\n"
            )
        })
        .collect();
    input::write(&profiles.join("fleet/cluster.toml"), format!("{CLUSTER}{shares}").as_bytes())
}

const CLUSTER: &str = r#"schema-version = 1
[cluster]
name = "fleet"
description = "A fleet of one group."
domain = "fleet.home.arpa"
admin-user = "operator"
orchestrator = "k3s"
[network]
lan = "10.20.0.0/16"
gateway = "10.20.0.1"
dns = ["10.20.0.1"]
[versions]
k3s = "v1.36.4+k3s1"
[k3s]
server-token = "env:FLEET_SERVER_TOKEN"
agent-token = "env:FLEET_JOIN_TOKEN"
[nodes.head]
address = "10.20.0.2"
arch = "amd64"
os = { family = "debian", release = "13" }
power = "always-on"
root-medium = "ssd"
capabilities = ["docker", "nfs-server"]
k3s = "first-server"
[groups.pi]
names = "pi-{0001..1000}"
addresses = "{10.20.1.0..10.20.4.231}"
roles = ["rpi5", "k3s-agent"]
interface = "eth0"
"#;
