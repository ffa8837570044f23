//! Judgements about the machine itself: programs, memory, clock.

use super::facts::{Cgroup, Clock, Facts};
use super::{Check, Needs, Verdict, known};
use crate::observed::Answer;

/// No clock is right that shows an earlier time than this, 2026-11-01: this program did not exist then.
pub const EARLIEST: u64 = 1_793_491_200;
/// Nor is one right that shows a later time than this, 25 years after: certificates made now have ended by then.
const LATEST: u64 = EARLIEST + 25 * 31_556_952;

pub(super) fn userland(needs: &Needs, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Userland;
    let found = known(&facts.userland, CHECK, "K30")?;
    let evidence = format!("programs here are for {found}");
    let wanted = match needs.arch {
        Some(arch) if arch.as_str() != found => arch.as_str(),
        None if !matches!(found.as_str(), "amd64" | "arm64") => "amd64 or arm64",
        _ => return Ok(Verdict::ok(CHECK, "K30", evidence)),
    };
    let fix = match found.as_str() {
        "armhf" | "i386" => "write a 64-bit system onto this machine; a 64-bit kernel alone is not enough",
        _ => "use the bundle for this machine's architecture",
    };
    Ok(Verdict::refuse(CHECK, "K30", evidence).because(format!("the bundle is for {wanted}"), fix))
}

pub(super) fn page_size(facts: &Facts) -> Result<Verdict, Verdict> {
    let size = *known(&facts.page_size, Check::PageSize, "K5")?;
    let evidence = format!("{size} bytes");
    if size == 4096 {
        return Ok(Verdict::ok(Check::PageSize, "K5", evidence));
    }
    Ok(Verdict::warning(Check::PageSize, "K5", evidence).because(
        "many arm64 images start with 4096 alone (\"Unsupported system page size\")",
        "on a Pi 5, put kernel=kernel8.img under [all] in /boot/firmware/config.txt and reboot",
    ))
}

pub(super) fn clock(clock: &Answer<Clock>) -> Result<Verdict, Verdict> {
    let clock = known(clock, Check::Clock, "K19")?;
    let year = 1970 + clock.now / 31_556_952;
    if !is_sane(clock.now) {
        return Ok(Verdict::refuse(Check::Clock, "K19", format!("it is {year} here")).because(
            if clock.now < EARLIEST {
                "certificates would not be valid yet"
            } else {
                "certificates would have ended"
            },
            "let a time server set the clock (timedatectl set-ntp true), or set it: date --set",
        ));
    }
    Ok(match clock.is_synchronised {
        Some(true) => Verdict::ok(Check::Clock, "K19", format!("{year}, kept by a time server")),
        Some(false) => Verdict::warning(Check::Clock, "K19", format!("{year}, not kept by a time server"))
            .because(
                "a clock that drifts makes certificates invalid one day",
                "switch a time server on: timedatectl set-ntp true",
            ),
        None => Verdict::ok(Check::Clock, "K19", format!("{year}")),
    })
}

/// Whether a clock with these seconds since 1970 can be right.
#[must_use]
pub const fn is_sane(now: u64) -> bool {
    EARLIEST <= now && now <= LATEST
}

pub(super) fn memory_cgroup(needs: &Needs, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::MemoryCgroup;
    let cgroup = known(&facts.cgroup, CHECK, "K1")?;
    if has_word(cgroup.controllers.as_deref(), "memory") {
        return Ok(Verdict::ok(CHECK, "K1", "in cgroup.controllers"));
    }
    if cgroup.enabled == Some(true) {
        return Ok(Verdict::ok(CHECK, "K1", "enabled in /proc/cgroups"));
    }
    let reason = "k3s stops with \"failed to find memory cgroup\"";
    let (evidence, field, fix) = lacking(cgroup);
    // Several lines in the file are a person's to repair; all else join does itself.
    if needs.kernel_words.contains("cgroup_enable=memory") && cgroup.file.is_some() && field != "K2" {
        let reason = "k3s can't run before the machine has started with it";
        let fix = "join puts it into the kernel's command line; reboot afterwards, k3s starts by itself then";
        return Ok(Verdict::warning(CHECK, field, evidence).because(reason, fix));
    }
    Ok(Verdict::refuse(CHECK, field, evidence).because(reason, fix))
}

/// What is seen of a memory cgroup that is off, and the way on from there.
fn lacking(cgroup: &Cgroup) -> (String, &'static str, String) {
    const WANTED: &str = "cgroup_memory=1 cgroup_enable=memory";
    let running = Some(cgroup.command_line.as_str());
    let Some((path, text)) = &cgroup.file else {
        let evidence = "it is off".to_owned();
        return (evidence, "K1", format!("start the kernel with {WANTED} on its command line"));
    };
    let first = text.lines().next();
    if !has_word(first, "cgroup_enable=memory") && has_word(Some(text), "cgroup_enable=memory") {
        let evidence = format!("it is off, and {path} asks for it on a line that is not the first");
        return (evidence, "K2", format!("make {path} one line and reboot"));
    }
    if is_disabled_last(first.unwrap_or_default()) {
        let evidence = format!("cgroup_disable=memory stands last in {path}");
        return (evidence, "K1", format!("take cgroup_disable=memory out of {path} and reboot"));
    }
    if has_word(first, "cgroup_enable=memory") && !has_word(running, "cgroup_enable=memory") {
        let evidence = format!("it is off; {path} asks for it, the running kernel was started without");
        return (evidence, "K3", "reboot".to_owned());
    }
    let evidence = format!("it is off, and {path} does not ask for it");
    (evidence, "K1", format!("add {WANTED} to the one line of {path} and reboot"))
}

fn has_word(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.split_whitespace().any(|found| found == word))
}

/// Later words win, so a `disable` behind the `enable` undoes it.
fn is_disabled_last(line: &str) -> bool {
    let mut words = line.split_whitespace().rev();
    words.find(|word| matches!(*word, "cgroup_disable=memory" | "cgroup_enable=memory"))
        == Some("cgroup_disable=memory")
}
