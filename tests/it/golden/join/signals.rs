//! ^C and a hangup while a program that join has started is at work.

use super::{DONE, expect, golden, same};
use anyhow::{Context as _, ensure};
use desired::Mode;
use host::process::{Invocation, Output};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::node::{Artifact, JOURNAL, Node, SECRET, VARIABLE, resources, tool, whole_tree};
use tests::programs::{self, said};
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::interrupted_it_ends_with_130_and_nothing_goes_on", interrupted),
        golden("join::a_hangup_does_not_end_what_it_has_begun", hung_up),
    ]
}

/// A node whose artifact is fetched by a curl that takes as long as a file lies there.
pub struct Slow {
    pub node: Node,
}

impl Slow {
    pub fn new() -> anyhow::Result<Self> {
        let slow = Self { node: Node::with(&resources(), Artifact::Deferred)? };
        let [folder, hold, note, source] = ["programs", "hold", "note", "source"].map(|name| slow.at(name));
        std::fs::create_dir(&folder)?;
        std::fs::write(&hold, "")?;
        std::fs::write(&source, tool())?;
        let script = format!(
            "#!/bin/sh\necho $$ >'{}'\nwhile [ -e '{}' ]; do sleep 0.02; done\n\
             while [ \"$1\" != --output ]; do shift; done\ncp '{}' \"$2\"\n",
            note.display(),
            hold.display(),
            source.display()
        );
        host::tree::write_file(&folder.join("curl"), Mode::EXECUTABLE, script.as_bytes())?;
        Ok(slow)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.node.outside().join(name)
    }

    /// A call that finds this curl and the secret.
    pub fn call(&self, call: Invocation) -> anyhow::Result<Invocation> {
        let path = format!("{}:{}", self.at("programs").display(), std::env::var("PATH").context("a PATH")?);
        Ok(programs::answering(call).env("PATH", path).env(VARIABLE, SECRET))
    }

    /// Joins in a session of its own and lets `act` have its number once curl is at work; gives what it said.
    pub fn during(&self, act: impl FnOnce(Pid) -> anyhow::Result<()>) -> anyhow::Result<Output> {
        let join = self.node.call("join")?.arg("--yes");
        let script = format!("echo $$ >'{}'; exec {}", self.at("pid").display(), join.line());
        let call = self.call(Invocation::new("setsid").args(["sh", "-c", &script]))?;
        std::thread::scope(|scope| {
            let run = scope.spawn(|| call.run());
            let _ = self.number("note")?;
            act(self.number("pid")?)?;
            run.join().map_err(|_| anyhow::anyhow!("the run panicked"))?.context("join")
        })
    }

    /// The process that has written its number into this file.
    fn number(&self, name: &str) -> anyhow::Result<Pid> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(self.at(name)).unwrap_or_default();
            if text.ends_with('\n') {
                return Pid::from_raw(text.trim().parse()?).context("a process");
            }
            ensure!(Instant::now() < deadline, "nobody wrote {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn goes_on(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.at("hold"))?;
        let again = self.call(self.node.call("join")?.arg("--yes"))?.run()?;
        expect(&again, DONE, &["converged"])
    }
}

fn interrupted() -> anyhow::Result<()> {
    let whole = Node::new(&resources())?;
    expect(&whole.join()?, DONE, &["converged"])?;
    let slow = Slow::new()?;
    let before = whole_tree(slow.node.root())?;
    // As a terminal does it: all that it has in the foreground.
    let output = slow.during(|pid| Ok(kill_process_group(pid, Signal::INT)?))?;
    expect(&output, 130, &["interrupted"])?;
    ensure!(!said(&output).contains("this remains"), "it goes on to talk: {}", said(&output));
    let curl = slow.number("note")?.as_raw_nonzero();
    let stat = std::fs::read_to_string(format!("/proc/{curl}/stat")).unwrap_or_default();
    ensure!(stat.is_empty() || stat.contains(") Z "), "curl goes on: {stat}");
    for line in std::fs::read_to_string(slow.node.at(JOURNAL))?.split_inclusive('\n') {
        ensure!(line.ends_with('\n'), "a line is torn: {line}");
        let _: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    }
    slow.goes_on()?;
    same(&whole.tree()?, &slow.node.tree()?, "joined again")?;
    expect(&slow.node.leave()?, DONE, &[])?;
    same(&before, &whole_tree(slow.node.root())?, "left")
}

fn hung_up() -> anyhow::Result<()> {
    let slow = Slow::new()?;
    let output = slow.during(|pid| {
        // The terminal is gone, and sshd or sudo says it once more to the program itself.
        kill_process_group(pid, Signal::HUP)?;
        kill_process(pid, Signal::HUP)?;
        std::thread::sleep(Duration::from_millis(500));
        Ok(std::fs::remove_file(slow.at("hold"))?)
    })?;
    expect(&output, DONE, &["done     artifact:/usr/local/bin/tool", "converged"])
}
