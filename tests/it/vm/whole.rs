//! The run that nothing interrupts: what the others are compared with.

use anyhow::ensure;
use desired::Arch;
use std::sync::OnceLock;
use tests::lab::Lab;
use tests::lab::snapshot::{Snapshot, without};
use tests::programs::said;
use tests::vm::bundle::GuestBundle;
use tests::vm::guest::{Guest, Options};

/// What two joins of one machine never have in common, or what one of them still has to hold, with the reason.
const OWN: [(&str, &str); 22] = [
    ("/etc/machine-id", "made at the first boot"),
    ("/etc/.pwd.lock", "made by whoever changes accounts"),
    ("/etc/resolv.conf", "made by whoever is asked first"),
    ("/root", "the key that logs in, and what trials leave"),
    ("/run", "in memory: the running state of others"),
    ("/srv/store/media/written", "the gated program writes down when it was started"),
    ("/tmp", "gone with each boot"),
    ("/var/cache", "caches of apt, debconf and ldconfig, by their moment"),
    ("/var/lib/apt", "apt's lists, read once more after a cut"),
    ("/var/lib/dbus", "the machine's id"),
    ("/var/lib/dpkg/info/format", "dpkg notes it when it is asked"),
    ("/var/lib/dpkg/lock", "locks of others"),
    ("/var/lib/dpkg/status-old", "dpkg's copy of its former state"),
    ("/var/lib/dpkg/status", "the same in another order; what is installed is compared by its files"),
    ("/var/lib/dpkg/triggers", "a list that dpkg appends to"),
    ("/var/lib/nfs", "who mounted what, with times"),
    ("/var/lib/rootstock", "the journal tells what happened, and that differs; the plan over it is compared"),
    ("/var/lib/samba", "databases of the NAS"),
    ("/var/lib/ucf", "names of files by the moment they came"),
    ("/var/lib/lastlog", "every login is written down"),
    ("/var/log", "the same"),
    ("/var/tmp", "private folders of systemd's own services"),
];

/// A join from beginning to end.
#[derive(Debug)]
pub struct Whole {
    /// What the machine is afterwards.
    pub snapshot: Snapshot,
    /// How many lines its journal has.
    pub lines: usize,
    /// What came of its share by NFS.
    pub share: Result<(), String>,
    /// What came of its share by SMB.
    pub vault: Result<(), String>,
}

impl Whole {
    /// The one of this run.
    ///
    /// # Errors
    /// If it did not join.
    pub fn of(lab: &Lab) -> anyhow::Result<&'static Self> {
        static WHOLE: OnceLock<Result<Whole, String>> = OnceLock::new();
        let whole = WHOLE.get_or_init(|| Self::run(lab).map_err(|error| format!("{error:#}")));
        whole.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn run(lab: &Lab) -> anyhow::Result<Self> {
        let guest = fresh(lab)?;
        joins(&guest)?;
        let (snapshot, lines) = (look(&guest)?, journal_lines(&guest)?);
        let share = super::share::holds(&guest).map_err(|error| format!("{error:#}"));
        let vault = super::share::vault_holds(&guest).map_err(|error| format!("{error:#}"));
        Ok(Self { snapshot, lines, share, vault })
    }
}

/// A booted machine nobody has joined.
pub fn fresh(lab: &Lab) -> anyhow::Result<Guest<'_>> {
    let stick = GuestBundle::of(lab)?.stick(Arch::Amd64);
    Guest::booted(lab, &Options { stick: Some(&stick), ..Options::default() })
}

/// Joins, and has nothing left to do.
pub fn joins(guest: &Guest<'_>) -> anyhow::Result<()> {
    let joined = guest.bootstrap(&["join", "--yes", "--node", "guest"])?;
    ensure!(joined.code == 0, "join ends with {}: {}", joined.code, said(&joined));
    is_converged(guest)
}

/// The verbs that only look all say that nothing is left to do.
pub fn is_converged(guest: &Guest<'_>) -> anyhow::Result<()> {
    for words in [&["plan", "--detailed-exitcode"][..], &["status"], &["doctor"]] {
        let output = guest.bootstrap(words)?;
        ensure!(output.code == 0, "{} ends with {}: {}", words.join(" "), output.code, said(&output));
    }
    Ok(())
}

/// What is compared: files with their content, owner and mode, and what is mounted.
pub fn look(guest: &Guest<'_>) -> anyhow::Result<Snapshot> {
    let mut snapshot = without(&guest.snapshot()?, &OWN);
    snapshot.retain(|name, _| ["file ", "content ", "mount "].iter().any(|kind| name.starts_with(kind)));
    Ok(snapshot)
}

/// How many whole lines its journal has.
pub fn journal_lines(guest: &Guest<'_>) -> anyhow::Result<usize> {
    let count = guest.sh("wc -l </var/lib/rootstock/journal.jsonl 2>/dev/null || echo 0")?;
    Ok(count.trim().parse()?)
}
