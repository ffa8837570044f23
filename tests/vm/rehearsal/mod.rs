//! A card's first boot before it leaves the desk: the very file boots, joins, boots again, and each time is that node.
//!
//! In: a card's image and what its node is to be ([`Role`]). Out: [`Rehearsal`]: what was looked at, in order, how each look
//! ended, and a [`timeline`] of each boot. A look that fails does not keep the next from happening, as long as the machine answers.
//! [`looks`] is what is looked at. [`Rehearsal::write_down`] leaves it to `cargo xtask validate`, whose report it becomes a part of.

mod looks;
pub mod timeline;

use crate::vm::card::{Machine, Options, Other};
use crate::vm::line::Line;
use anyhow::Context as _;
use desired::Arch;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Instant;
use timeline::Timeline;

/// Bytes of the medium that cards are put on: more than any base holds, so that the root has to grow.
const MEDIUM: u64 = 8 << 30;
/// Its memory in MiB; the smallest Raspberry Pi 5 has as much.
const MEMORY: u32 = 1024;

/// What a card is to become.
#[derive(Debug, Clone)]
pub struct Role {
    /// The node.
    pub node: String,
    /// The architecture of its machine.
    pub arch: Arch,
    /// Its address.
    pub address: Ipv4Addr,
    /// Who logs in with which key, if that is known.
    pub user: Option<(String, PathBuf)>,
    /// What nobody finds any more once it has joined.
    pub secrets: Vec<String>,
    /// Units that are still at work at the end of a start, or have failed, since the machine they need is not there.
    pub orphans: Vec<String>,
    /// Who is in its network.
    pub others: Vec<Other>,
}

/// How one look ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Which boot it was, from 1.
    pub boot: u32,
    /// What holds.
    pub what: String,
    /// Why it does not.
    pub why: Option<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rehearsal {
    /// The node.
    pub node: String,
    /// The architecture of its machine.
    pub arch: Arch,
    /// Every look.
    pub looks: Vec<Look>,
    /// Of each boot, what took how long.
    pub boots: Vec<Timeline>,
}

impl Rehearsal {
    /// Whether everything held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.looks.iter().all(|look| look.why.is_none())
    }

    /// What did not hold, as sentences.
    #[must_use]
    pub fn failures(&self) -> String {
        let failed = self.looks.iter().filter_map(|look| Some((look, look.why.as_ref()?)));
        let failed = failed.map(|(look, why)| format!("boot {}: {}: {why}", look.boot, look.what));
        failed.collect::<Vec<_>>().join("\n")
    }

    /// Leaves it where `cargo xtask validate` looks for it, if that is who asks.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write_down(&self) -> anyhow::Result<()> {
        let Some(folder) = std::env::var_os("ROOTSTOCK_REHEARSALS") else { return Ok(()) };
        let path = Path::new(&folder).join(format!("{}.json", self.node));
        let record = serde_json::json!({ "version": 1, "rehearsal": self });
        std::fs::write(&path, record.to_string()).with_context(|| format!("write {}", path.display()))
    }

    fn look(&mut self, boot: u32, what: &str, found: impl FnOnce() -> anyhow::Result<()>) -> bool {
        let started = Instant::now();
        let why = found().err().map(|error| format!("{error:#}"));
        let held = why.is_none();
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.looks.push(Look { boot, what: what.to_owned(), why, milliseconds });
        held
    }
}

/// Boots a card twice and looks at everything that any node has to be; `further` is what only this one has to be, looked at
/// each time.
///
/// # Errors
/// If there is no machine to put the card into. What is wrong with the card is in the rehearsal.
pub fn rehearse(
    card: &Path,
    role: &Role,
    further: &dyn Fn(&Machine, u32) -> anyhow::Result<()>,
) -> anyhow::Result<(Rehearsal, Machine)> {
    let mut machine = machine(card, role)?;
    let mut rehearsal =
        Rehearsal { node: role.node.clone(), arch: role.arch, looks: Vec::new(), boots: Vec::new() };
    for boot in 1..=2 {
        if !rehearsal
            .look(boot, "it boots, and all that starts with it has started", || boots(&mut machine, role))
        {
            break;
        }
        looks::all(&mut rehearsal, &machine, role, boot);
        rehearsal.look(boot, "it is what only this node has to be", || further(&machine, boot));
        let mut told = Timeline::default();
        rehearsal.look(boot, "it tells who waited for what", || {
            told = Timeline::read(&machine.sh(timeline::ASK)?)?;
            Ok(())
        });
        rehearsal.boots.push(told);
        if !rehearsal.look(boot, "it shuts down in order", || machine.shut_down()) {
            break;
        }
        rehearsal.look(boot, "its file systems are clean", || looks::medium(&machine, role));
    }
    Ok((rehearsal, machine))
}

/// A machine with that card, as every rehearsal uses it.
///
/// # Errors
/// If there is no space for its medium.
pub fn machine(card: &Path, role: &Role) -> anyhow::Result<Machine> {
    let Role { arch, address, others, .. } = role.clone();
    let options = Options { arch, memory: MEMORY, medium: MEDIUM, address, others };
    Machine::new(card, options)
}

/// Switches it on and waits for the end of its start.
///
/// # Errors
/// If it does not get there, or something fails on the way that nobody else is to blame for.
pub fn boots(machine: &mut Machine, role: &Role) -> anyhow::Result<()> {
    machine.switch_on()?;
    machine.wait_for_login()?;
    let failed = machine.wait_booted(&role.orphans)?;
    if failed.is_empty() {
        return Ok(());
    }
    let journal: Vec<String> = failed
        .iter()
        .map(|unit| machine.sh(&format!("journalctl -q --no-pager -o cat -n 12 -u {unit}")))
        .collect::<Result<_, _>>()?;
    anyhow::bail!("failed: {}: {}", failed.join(", "), journal.join("\n"))
}

/// A login as the person that the card knows.
fn person(machine: &Machine, role: &Role) -> anyhow::Result<Line> {
    let (user, key) = role.user.as_ref().context("nobody is known")?;
    machine.log_in(user, key)
}
