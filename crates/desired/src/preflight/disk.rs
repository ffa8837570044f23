//! Judgements about swap, room and disks.

use super::facts::Facts;
use super::needs::K3sNeeds;
use super::{Check, Verdict, known};
use crate::types::ByteSize;

/// What the journal, copies in the making and the system itself need besides, in bytes.
const MARGIN: u64 = 64 << 20;

pub(super) fn swap(facts: &Facts) -> Result<Verdict, Verdict> {
    let swap = known(&facts.swap, Check::Swap, "K32")?;
    let active = if swap.active.is_empty() { "none".to_owned() } else { swap.active.join(", ") };
    if swap.generators.is_empty() {
        return Ok(Verdict::ok(Check::Swap, "K32", active));
    }
    let makers = swap.generators.join(", ");
    if swap.fstab + swap.generators.len() > 1 {
        let evidence = format!("made by {makers} and {} lines of fstab", swap.fstab);
        return Ok(Verdict::warning(Check::Swap, "K32", evidence).because(
            "they race at boot, and one of them fails (\"Duplicate entry\")",
            "keep one: take the swap line out of /etc/fstab, or remove the generator's package",
        ));
    }
    Ok(Verdict::ok(Check::Swap, "K32", format!("{active}, made by {makers}")))
}

pub(super) fn space(facts: &Facts) -> Result<Verdict, Verdict> {
    let spaces = known(&facts.space, Check::Space, "B10")?;
    let is_short = |available: u64, wanted: u64| wanted > 0 && available < wanted.saturating_add(MARGIN);
    let tell = |folder: &str, available: u64, wanted: u64| {
        format!("{folder}: {} free, {} to write", ByteSize(available), ByteSize(wanted))
    };
    let short: Vec<String> = spaces
        .iter()
        .filter(|space| is_short(space.available, space.wanted))
        .map(|space| tell(&space.folder, space.available, space.wanted))
        .collect();
    if short.is_empty() {
        let all: Vec<String> =
            spaces.iter().map(|space| tell(&space.folder, space.available, space.wanted)).collect();
        let all = if all.is_empty() { "nothing to write".to_owned() } else { all.join(", ") };
        return Ok(Verdict::ok(Check::Space, "B10", all));
    }
    Ok(Verdict::refuse(Check::Space, "B10", short.join(", ")).because(
        format!("the disk would be full in the middle; {} stay free besides", ByteSize(MARGIN)),
        "make room (apt-get clean, journalctl --vacuum-size=50M), or use a larger disk",
    ))
}

pub(super) fn server_disk(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    let device = known(&facts.data_device, Check::ServerDisk, "K31")?;
    let evidence = format!("{} is on {device}", k3s.data_directory);
    if device.starts_with("mmcblk") {
        return Ok(Verdict::warning(Check::ServerDisk, "K31", evidence).because(
            "a server writes all the time; SD cards stall under it and wear out",
            "put the data of servers on NVMe or SSD",
        ));
    }
    Ok(Verdict::ok(Check::ServerDisk, "K31", evidence))
}
