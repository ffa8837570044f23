//! `doctor`: what this machine can do, what is missing, and the one line that brings it.
//!
//! In: the machine, looked at without changing it. Out: a table or JSON; exit 5 only if `build-images` itself would
//! lack something, since everything else has a fallback or only serves tests.

use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::repository;
use crate::table::aligned;
use anyhow::Context as _;
use clap::Args;
use host::process::{Invocation, find_program};
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// One thing a machine has or lacks.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    /// What works with it.
    serves: &'static str,
    /// Whether `build-images` fails without it.
    required: bool,
    present: bool,
    /// What was seen.
    seen: String,
    /// The line to type; empty if it is there.
    cure: String,
}

/// Looks at everything, says it, and fails only for what the main job needs.
pub fn run(common: &Common, _arguments: &Arguments) -> Outcome {
    let root = repository::root()?;
    let mut findings = vec![cargo()];
    findings.extend(["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"].map(target));
    findings.extend([space(&root), engine(), builders(), other_architecture()]);
    findings.extend(TOOLS.map(tool));
    let answer = if common.json {
        serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "findings": findings }))
            .context("write JSON")?
            + "\n"
    } else {
        text(&findings)
    };
    anstream::stdout().lock().write_all(answer.as_bytes()).context("write the answer")?;
    let lacking = findings.iter().any(|finding| finding.required && !finding.present);
    Ok(if lacking { Code::Missing } else { Code::Done })
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let state = match (finding.present, finding.required) {
            (true, _) => "yes",
            (false, true) => "NO",
            (false, false) => "no",
        };
        [finding.what, state, finding.serves, &finding.seen].map(str::to_owned)
    };
    let rows: Vec<[String; 4]> = findings.iter().map(row).collect();
    let mut text = aligned(["what", "here", "serves", "seen"], &rows);
    let cures = findings.iter().filter(|finding| !finding.present);
    let cures: String = cures.map(|finding| format!("  {}: {}\n", finding.what, finding.cure)).collect();
    if !cures.is_empty() {
        text +=
            &format!("\nTo have the rest (`cargo xtask test` installs what tests need, as root):\n{cures}");
    }
    text
}

fn found(
    what: &'static str,
    serves: &'static str,
    required: bool,
    seen: Result<String, String>,
    cure: &str,
) -> Finding {
    let present = seen.is_ok();
    let cure = if present { String::new() } else { cure.to_owned() };
    Finding { what, serves, required, present, seen: seen.unwrap_or_else(|lack| lack), cure }
}

/// The first line a program answers, if it answers in time.
fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let call = Invocation::new(program).args(arguments.iter().copied()).timeout(Duration::from_secs(10));
    let output =
        call.run().map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    Ok(output.text().lines().next().unwrap_or_default().to_owned())
}

fn cargo() -> Finding {
    found("cargo", "everything", true, ask("cargo", &["--version"]), "curl https://sh.rustup.rs | sh")
}

/// Present if its standard library is, or if rustup can add it, which `build-images` does by itself.
fn target(name: &'static str) -> Finding {
    let sysroot = ask("rustc", &["--print", "sysroot"]);
    let seen = sysroot.and_then(|sysroot| {
        if Path::new(&sysroot).join("lib/rustlib").join(name).join("lib").is_dir() {
            Ok("installed".to_owned())
        } else if find_program("rustup").is_some() {
            Ok("build-images adds it".to_owned())
        } else {
            Err("not installed, and there is no rustup to add it".to_owned())
        }
    });
    found(name, "build-images: the node's program", true, seen, &format!("rustup target add {name}"))
}

/// Compiling everything and three clusters' output take about this much.
const SPACE: u64 = 4;

fn space(root: &Path) -> Finding {
    let folder = root.to_string_lossy();
    let call = Invocation::new("df").args(["--output=avail", "--block-size=1G", &folder]).run();
    let free = call.ok().and_then(|output| output.text().lines().nth(1)?.trim().parse::<u64>().ok());
    let seen = match free {
        Some(free) if free >= SPACE => Ok(format!("{free} GiB free")),
        Some(free) => Err(format!("{free} GiB free of {SPACE}")),
        None => Ok("unknown".to_owned()),
    };
    found("disk space", "build-images", true, seen, "free some, or set CARGO_TARGET_DIR to a larger disk")
}

fn engine() -> Finding {
    let seen = ask("docker", &["version", "--format", "{{.Server.Version}}"])
        .map(|version| format!("engine {version}"));
    found(
        "docker engine",
        "build-images --engine buildx",
        false,
        seen,
        "sudo systemctl start docker, or install it: apt-get install -y docker.io",
    )
}

fn engine_version() -> Option<String> {
    ask("docker", &["version", "--format", "engine {{.Server.Version}}"]).ok()
}

/// A builder for both platforms: the containerd image store, or a driver of its own.
fn builders() -> Finding {
    let inspect = Invocation::new("docker").args(["buildx", "inspect"]).timeout(Duration::from_secs(10));
    let seen = match (engine_version(), ask("docker", &["buildx", "version"])) {
        (_, Err(_)) => Err("buildx is not there".to_owned()),
        (None, _) => Err("no engine answers".to_owned()),
        (Some(_), Ok(version)) if inspect.run().is_ok_and(|answer| platforms(&answer.text())) => Ok(version),
        (Some(_), Ok(_)) => Err("it builds for one platform only".to_owned()),
    };
    let cure = "apt-get install -y docker-buildx, and \"features\": {\"containerd-snapshotter\": true} in /etc/docker/daemon.json";
    found("buildx, both platforms", "build-images --engine buildx", false, seen, cure)
}

/// Whether a builder's own description lists both platforms; the classic image store can't keep an index.
fn platforms(inspected: &str) -> bool {
    let line = inspected.lines().find_map(|line| line.strip_prefix("Platforms:")).unwrap_or_default();
    line.contains("linux/amd64") && line.contains("linux/arm64")
}

fn other_architecture() -> Finding {
    let emulator = if cfg!(target_arch = "aarch64") { "qemu-x86_64" } else { "qemu-aarch64" };
    let entry =
        std::fs::read_to_string(Path::new("/proc/sys/fs/binfmt_misc").join(emulator)).unwrap_or_default();
    let flags = entry.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
    let seen = match (entry.starts_with("enabled"), flags.contains('F')) {
        (true, true) => Ok("registered".to_owned()),
        (true, false) => Err("registered without flag F: not inside containers".to_owned()),
        (false, _) => Err("not registered".to_owned()),
    };
    found(
        "the other architecture",
        "test container",
        false,
        seen,
        "apt-get install -y qemu-user qemu-user-binfmt",
    )
}

/// Program, how it says its version, what it serves, and what brings it.
type Tool = (&'static str, &'static [&'static str], &'static str, &'static str);

const TOOLS: [Tool; 10] = [
    ("lsblk", &["--version"], "flash: which devices there are", "apt-get install -y util-linux"),
    ("blkid", &["--version"], "flash: what lies on them", "apt-get install -y util-linux"),
    ("git", &["--version"], "test static", "apt-get install -y git"),
    ("npm", &["--version"], "lock, test static: mise", "apt-get install -y npm"),
    ("go", &["version"], "test static: chezmoi", "apt-get install -y golang (1.24 or newer)"),
    ("shellcheck", &["--version"], "test static", "apt-get install -y shellcheck"),
    ("systemd-analyze", &["--version"], "test static", "apt-get install -y systemd"),
    ("dockerd", &["--version"], "test static, container", "apt-get install -y docker.io"),
    ("docker-registry", &["--version"], "test container", "apt-get install -y docker-registry"),
    ("skopeo", &["--version"], "test container", "apt-get install -y skopeo"),
];

fn tool((program, question, serves, cure): Tool) -> Finding {
    let seen = match find_program(program) {
        Some(path) => Ok(match ask(program, question) {
            Ok(version) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{program} {version}")
            }
            Ok(version) => version,
            Err(_) => path.display().to_string(),
        }),
        None => Err("not on PATH".to_owned()),
    };
    found(program, serves, false, seen, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_needs_both_platforms() {
        // From buildx 0.13.1.
        assert!(platforms(
            "Name: default\nDriver: docker\nPlatforms: linux/amd64, linux/amd64/v2, linux/arm64, linux/386\n"
        ));
        assert!(!platforms("Platforms: linux/amd64, linux/386\n"));
        assert!(!platforms(""));
    }

    #[test]
    fn what_is_missing_comes_with_its_cure() {
        let there = found("cargo", "everything", true, Ok("1.95".to_owned()), "x");
        let missing = found("go", "tests", false, Err("not on PATH".to_owned()), "apt-get install -y golang");
        let text = text(&[there, missing]);
        assert!(text.contains("  go: apt-get install -y golang\n"), "{text}");
        assert!(!text.contains("  cargo: "), "{text}");
    }
}
