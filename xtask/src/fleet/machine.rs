//! One machine with its bundle: brought there once, then `bootstrap` run from it.
//!
//! In: a connection and a bundle of the desk. Out: what `bootstrap` answered there, as data. The program is taken out of
//! the bundle over there, once its digest was compared.

use super::outcome::Trouble;
use blueprint::model::Node;
use desired::cluster_manifest::BundleRow;
use desired::plan::PlanDocument;
use desired::{NodeName, SecretReference};
use host::process::{Invocation, Output};
use host::report::Task;
use host::secret::{self, Secret};
use host::ssh::{Connection, Fault, Pushed, STORE, SshError, push};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What `bootstrap` answers with; everything else is a failure of the way.
const CODES: [i32; 7] = [0, 1, 2, 3, 5, 6, 7];
/// How long a join may take: packages over a slow line, images from a card.
const JOIN: Duration = Duration::from_secs(2 * 3600);
/// How long to wait for a run of `bootstrap` that went on there after its connection broke.
const HELD: Duration = Duration::from_secs(900);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(600);
/// The archive holds all below `rootstock/`; its program is made executable for root alone.
const RUN: &str = "cd \"$1\" || exit 90
if [ ! -x \"$2.run\" ]; then
  ( umask 077; tar -xzOf \"$2.tar.gz\" rootstock/bootstrap >\"$2.new\" && chmod 0700 \"$2.new\" && mv \"$2.new\" \"$2.run\" ) || exit 91
fi
archive=$1/$2.tar.gz; program=$1/$2.run; verb=$3; shift 3
if [ \"$verb\" = leave ]; then exec \"$program\" leave \"$@\"; fi
exec \"$program\" \"$verb\" --bundle \"$archive\" \"$@\"";

/// A machine and the bundle it joins from.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The way to it.
    pub connection: &'a Connection,
    /// Its node's name.
    pub name: &'a NodeName,
    /// The row of its bundle.
    pub bundle: &'a BundleRow,
    /// The bundle at the desk.
    pub archive: PathBuf,
}

/// What a join did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Changes that were made, as far as this call saw them.
    pub changes: usize,
    /// The connection broke meanwhile, so that what came before was not seen.
    pub was_lost: bool,
}

impl Machine<'_> {
    /// Refuses a machine of another architecture than its profile says.
    pub fn check(&self, node: &Node) -> Result<(), Trouble> {
        let machine = self.connection.reach()?;
        if machine.arch == Some(node.arch) {
            return Ok(());
        }
        Err(Trouble::new(
            format!("it is {}, and the profile says {}", machine.machine, node.arch),
            format!(
                "is another machine at this address? else correct `arch` of {} in the profile",
                node.name
            ),
        ))
    }

    /// Brings the bundle there.
    pub fn push(&self, task: &Task) -> Result<Pushed, Trouble> {
        let size = self.bundle.size.0.max(1);
        let progress =
            |there: u64| task.show(&format!("bundle {} %", u128::from(there) * 100 / u128::from(size)));
        let pushed = push(self.connection, &self.archive, &self.bundle.digest, &progress)?;
        if pushed.sent == 0 {
            task.step("the bundle is there");
        } else {
            let found = if pushed.found == 0 {
                String::new()
            } else {
                format!(", {} were there", desired::ByteSize(pushed.found))
            };
            task.step(&format!("the bundle is there, {} sent{found}", desired::ByteSize(pushed.sent)));
        }
        Ok(pushed)
    }

    /// A call of `bootstrap` there, as root.
    fn bootstrap(&self, verb: &str, words: &[&str]) -> Invocation {
        let digest = self.bundle.digest.hex();
        let own = [STORE, digest, verb];
        let words: Vec<&str> = own.into_iter().chain(words.iter().copied()).collect();
        self.connection.script(RUN, &words).accept(CODES).timeout(LOOK)
    }

    /// What a join would change.
    pub fn plan(&self) -> Result<PlanDocument, Trouble> {
        let call = self.bootstrap("plan", &["--json", "--node", self.name.as_str()]);
        let output = self.connection.run(&call)?;
        if output.code != 0 {
            return Err(refused(&output));
        }
        read(&output)
    }

    /// Joins with these secrets at hand; every line it says is a step.
    pub fn join(&self, secrets: &BTreeMap<SecretReference, Secret>, task: &Task) -> Result<Joined, Trouble> {
        let words = ["--yes", "--json", "--secrets-stdin", "--node", self.name.as_str()];
        let call = self.bootstrap("join", &words).stdin(secret::to_hand_over(secrets)).timeout(JOIN);
        let (output, was_lost) = self.follow(&call, task)?;
        let answer: Value = read(&output)?;
        let results = answer["results"].as_array().cloned().unwrap_or_default();
        let of = |wanted: &[&str]| {
            let is = |result: &&Value| wanted.iter().any(|word| result["outcome"] == *word);
            results.iter().filter(is).cloned().collect::<Vec<_>>()
        };
        let bad = of(&["failed", "skipped"]);
        if answer["converged"] == true && bad.is_empty() {
            return Ok(Joined { changes: of(&["done"]).len(), was_lost });
        }
        let first = of(&["failed"]).into_iter().chain(bad).next().unwrap_or_default();
        let text = |key: &str| first[key].as_str().unwrap_or("not converged").to_owned();
        Err(Trouble::new(
            format!("{}: {}", text("id"), text("why")),
            format!("cure that, then run this again; on {}: sudo bootstrap doctor", self.name),
        ))
    }

    /// Runs the join; where the connection broke, waits for the run that goes on there and asks again. Also tells whether
    /// it broke.
    fn follow(&self, call: &Invocation, task: &Task) -> Result<(Output, bool), Trouble> {
        let begun = Instant::now();
        let mut was_lost = false;
        loop {
            match self.connection.run_streaming(call, |line| task.step(line)) {
                Ok(output) if matches!(output.code, 0 | 1) && !output.stdout.is_empty() => {
                    return Ok((output, was_lost));
                }
                Ok(output) if was_lost && output.code == 7 && begun.elapsed() < HELD => {
                    task.step("waiting for the run that goes on there");
                }
                Ok(output) => return Err(refused(&output)),
                Err(error) if comes_back(&error, was_lost) && begun.elapsed() < HELD => {
                    was_lost = true;
                    task.step("the connection broke; trying again");
                }
                Err(error) if was_lost => {
                    return Err(Trouble::new(
                        format!("the connection broke while it joined, and now: {}", error.sentence()),
                        format!("what it has begun goes on there; {}; then run this again", error.fix()),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(Duration::from_secs(3));
        }
    }

    /// Why k3s did not join, if it says so in its journal; else the first check that is in the way.
    pub fn doctor(&self) -> Option<Trouble> {
        let call = self.bootstrap("doctor", &["--json", "--node", self.name.as_str()]);
        let answer: Value = read(&self.connection.run(&call).ok()?).ok()?;
        let said = |value: &Value, why: &str| {
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            Some(Trouble::new(text(why)?, text("fix")?))
        };
        said(&answer["diagnosis"], "reason").or_else(|| {
            let checks = answer["checks"].as_array()?;
            checks.iter().filter(|check| check["mark"] == "refuse").find_map(|check| said(check, "reason"))
        })
    }

    /// Gives the machine back as it was before it joined, as far as nobody else has changed it since; a machine that never
    /// joined is left alone.
    pub fn leave(&self, task: &Task) -> Result<(), Trouble> {
        let call = self.bootstrap("leave", &["--yes"]).timeout(JOIN);
        let output = self.connection.run_streaming(&call, |line| task.step(line))?;
        if matches!(output.code, 0 | 7) { Ok(()) } else { Err(refused(&output)) }
    }

    /// Whether systemd calls `unit` active there.
    pub fn is_active(&self, unit: &str) -> bool {
        let ask = Invocation::new("systemctl").args(["is-active", "--quiet", "--", unit]);
        self.connection.run(&self.connection.call(&ask)).is_ok()
    }

    /// Whether k3s there has the password that belongs to its node's name (FIELD K8).
    pub fn has_node_password(&self) -> Result<bool, Trouble> {
        let ask = self.connection.script("test -s /etc/rancher/node/password", &[]).accept([0, 1]);
        Ok(self.connection.run(&ask)?.code == 0)
    }
}

fn comes_back(error: &SshError, was_lost: bool) -> bool {
    error.is_lost() || (was_lost && matches!(error.fault, Fault::Refused | Fault::TimedOut | Fault::NoRoute))
}

fn read<T: serde::de::DeserializeOwned>(output: &Output) -> Result<T, Trouble> {
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Trouble::new(format!("bootstrap's answer there can't be read: {error}"), "run this again")
    })
}

/// What `bootstrap` said when it refused: its `error:` with the causes, which name their own fixes.
fn refused(output: &Output) -> Trouble {
    let said = output.stderr_tail.trim();
    let why = said.find("error: ").map_or(said, |at| &said[at + "error: ".len()..]);
    let why = if why.is_empty() { format!("bootstrap ended with {}", output.code) } else { why.to_owned() };
    Trouble::new(why, "cure that, then run this again")
}
