//! ^C while `build-images` works: it ends by itself with 130, with its children, and leaves nothing half-made.

use anyhow::{Context as _, ensure};
use host::process::Invocation;
use std::time::Duration;
use tests::desk::{CLUSTER, Desk};
use tests::programs;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "interrupt::while_it_builds_it_cleans_up_and_ends_with_130", |_| building()),
        Trial::new(Ring::Golden, "interrupt::children_end_with_it", |_| children()),
    ]
}

/// Sends SIGINT once `when` holds, and gives the exit code as a shell sees it; a death by the signal is an error here.
fn interrupted(call: &Invocation, when: impl FnMut() -> bool) -> anyhow::Result<i32> {
    let outcome = programs::signalled(&call.clone().timeout(Duration::from_secs(900)), "INT", when)?;
    Ok(outcome?.code)
}

fn building() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.build()?;
    let sums = |desk: &Desk| std::fs::read(desk.out().join(CLUSTER).join("SHA256SUMS"));
    let before = sums(&desk)?;
    desk.edit("[cluster]\n", "# other input\n[cluster]\n")?;
    let staged = || -> bool {
        let entries = std::fs::read_dir(desk.out()).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".building-"))
    };
    let code = interrupted(&desk.call(&desk.out())?, staged)?;
    ensure!(code == 130, "exit {code}, not 130");
    ensure!(!staged(), "what was being built is still there");
    ensure!(sums(&desk)? == before, "the old output changed");
    let next = desk.build()?;
    ensure!(next.code == 0, "the next run fails:\n{}", programs::said(&next));
    Ok(())
}

/// A cargo that never ends stands in for a long compilation.
fn children() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let programs = desk.folder().join("bin");
    std::fs::create_dir(&programs)?;
    let (cargo, note) = (programs.join("cargo"), desk.folder().join("children"));
    let script = format!("#!/bin/sh\nsleep 600 &\necho $$ $! >'{}'\nwait\n", note.display());
    std::fs::write(&cargo, script)?;
    Invocation::new("chmod").arg("755").arg(&cargo).run()?;
    let path = std::env::var("PATH").context("there is a PATH")?;
    let call = desk.call(&desk.out())?;
    let call = Invocation::new("env")
        .arg(format!("PATH={}:{path}", programs.display()))
        .arg("sh")
        .args(["-c", &format!("exec {}", call.line())]);
    let ready = || std::fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n'));
    let code = interrupted(&call, ready)?;
    ensure!(code == 130, "exit {code}, not 130");
    let numbers = std::fs::read_to_string(&note)?;
    for number in numbers.split_whitespace() {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        ensure!(stat.is_empty() || stat.contains(") Z "), "process {number} goes on: {stat}");
    }
    Ok(())
}
