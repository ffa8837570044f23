//! Runs of the node's tool that others disturb while they are at work.
//!
//! In: a node and words. Out: [`AtWork`], a run in the background that is waited for, signalled and asked how it ended; and
//! [`Held`], an apt that stops where it has its locks until it is let go.

use anyhow::{Context as _, ensure};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tests::lab::node::{Node, STICK, wait_for};

/// How long anything here may take: seconds when idle.
const LONGEST: Duration = Duration::from_secs(240);
/// Numbers for runs.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// What the shell on a node says.
pub(super) fn sh(node: &Node<'_>, script: &str) -> anyhow::Result<String> {
    node.said("sh", &["-c", script])
}

/// A run in the background.
#[derive(Debug)]
pub(super) struct AtWork<'a> {
    node: &'a Node<'a>,
    place: String,
    /// Its process.
    pub(super) pid: u32,
}

impl<'a> AtWork<'a> {
    /// Starts `bootstrap` from the stick.
    pub(super) fn bootstrap(node: &'a Node<'a>, words: &[&str]) -> anyhow::Result<Self> {
        Self::start(node, &format!("{STICK}/bootstrap {}", words.join(" ")))
    }

    /// Starts a program.
    pub(super) fn start(node: &'a Node<'a>, line: &str) -> anyhow::Result<Self> {
        let place = format!("/tmp/run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let script = format!(
            "( {line} >{place}.said 2>&1 </dev/null & echo $! >{place}.pid; wait $!; echo $? >{place}.code ) \
             >/dev/null 2>&1 </dev/null & while [ ! -s {place}.pid ]; do sleep 0.01; done; cat {place}.pid"
        );
        let pid = sh(node, &script)?.trim().parse().context("the number of a run")?;
        Ok(Self { node, place, pid })
    }

    /// Waits until a shell's condition holds on the node; an error if the run ends before.
    pub(super) fn until(&self, what: &str, condition: &str) -> anyhow::Result<()> {
        let script = format!(
            // One that has ended may have done it before.
            "n=0; until {condition}; do [ ! -e {0}.code ] || {{ {condition} && break; exit 9; }}; \
             n=$((n+1)); [ $n -lt 8000 ] || exit 8; sleep 0.02; done",
            self.place
        );
        let call = self.node.call("sh").args(["-c", &script]).accept([0, 8, 9]).timeout(LONGEST);
        let code = call.run().with_context(|| what.to_owned())?.code;
        ensure!(
            code == 0,
            "{what}: {}: {}",
            ["it did not come", "it ended before"][usize::from(code == 9)],
            self.said()?
        );
        Ok(())
    }

    /// Waits until it says something.
    pub(super) fn until_it_says(&self, words: &str) -> anyhow::Result<()> {
        self.until(&format!("it says `{words}`"), &format!("grep -qF '{words}' {}.said", self.place))
    }

    /// Sends it, and it alone, a signal.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        sh(self.node, &format!("kill -{name} {}", self.pid)).map(drop)
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> anyhow::Result<String> {
        self.node.read(&format!("{}.said", self.place))
    }

    /// Waits for its end; gives the code as a shell has it, and what it said.
    pub(super) fn ended(self) -> anyhow::Result<(i32, String)> {
        let code = wait_for("a run ends", LONGEST, || {
            let text = self.node.read(&format!("{}.code", self.place)).unwrap_or_default();
            Ok(text.trim().parse().ok())
        });
        let said = self.said()?;
        Ok((code.with_context(|| said.clone())?, said))
    }

    /// The same with the code it shall have.
    pub(super) fn ends_with(self, code: i32, words: &[&str]) -> anyhow::Result<String> {
        let (found, said) = self.ended()?;
        ensure!(found == code, "it ends with {found}, not {code}: {said}");
        for word in words {
            ensure!(said.contains(word), "nothing is said of `{word}`: {said}");
        }
        Ok(said)
    }
}

/// Every apt-get on a node stops before dpkg, and before it reads lists, until it is let go.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a Node<'a>);

impl<'a> Held<'a> {
    const HOOKS: &'static str = "/etc/apt/apt.conf.d/99-held";

    /// Writes the hooks.
    pub(super) fn new(node: &'a Node<'a>) -> anyhow::Result<Self> {
        let wait = "touch /run/apt-at-work; while [ -e /run/apt-hold ]; do sleep 0.05; done; true";
        let hooks = format!(
            "printf 'DPkg::Pre-Invoke {{ \"{wait}\"; }};\\nAPT::Update::Pre-Invoke {{ \"{wait}\"; }};\\n' >{}",
            Self::HOOKS
        );
        sh(node, &format!("{hooks}; rm -f /run/apt-at-work; touch /run/apt-hold"))?;
        Ok(Self(node))
    }

    /// A shell's condition: one of them has come there.
    pub(super) const IS_AT_WORK: &'static str = "[ -e /run/apt-at-work ]";

    /// Lets them go.
    pub(super) fn let_go(self) -> anyhow::Result<()> {
        sh(self.0, &format!("rm -f /run/apt-hold /run/apt-at-work {}", Self::HOOKS)).map(drop)
    }
}

/// Nothing that a run starts is there any more, and its journal can be read to its last line.
pub(super) fn nothing_goes_on(node: &Node<'_>) -> anyhow::Result<()> {
    // One that has ended and that process 1 has not asked for yet (`Z`) goes on with nothing.
    let left = sh(
        node,
        "ps -eo stat=,pid=,args= | grep -v '^Z' | grep -E '[b]ootstrap (join|leave)|[a]pt-get|[d]pkg |[s]ystemctl ' || true",
    )?;
    ensure!(left.trim().is_empty(), "this goes on: {left}");
    for line in node.read("/var/lib/rootstock/journal.jsonl")?.split_inclusive('\n') {
        ensure!(line.ends_with('\n'), "a line is torn: {line}");
        let _: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    }
    Ok(())
}
