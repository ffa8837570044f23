//! `replace`: a node's place in its cluster given to the machine that now answers at its address.
//!
//! In: one node. Out: what would be lost, shown and agreed to; then drain, delete, forget the name's password, join from
//! nothing, labels and taints, uncordon. Exit 7 before the first change where data would be lost.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::fleet::desk::{Desk, style};
use crate::fleet::join::Joining;
use crate::fleet::metadata::Metadata;
use crate::fleet::outcome::Trouble;
use crate::fleet::replace::journal::{Journal, Step};
use crate::fleet::replace::{Outlook, Replacing, failed, refused};
use crate::fleet::server::Server;
use crate::verbs::build_images::current;
use anyhow::Context as _;
use clap::Args;
use desired::NodeName;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `replace`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The node
    node: String,
    /// Its cluster, where that is not clear
    cluster: Option<String>,
    /// Go on without asking
    #[arg(long)]
    yes: bool,
    /// Go on although data is on this node and nowhere else
    #[arg(long)]
    dangerously_lose_data: bool,
    /// End its pods with the node, without asking them or their disruption budgets
    #[arg(long)]
    dangerously_skip_drain: bool,
    /// Where `build-images` put its output
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

/// Replaces.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let begun = Instant::now();
    let words: Vec<String> =
        [Some(arguments.node.clone()), arguments.cluster.clone()].into_iter().flatten().collect();
    let (desk, nodes) = Desk::open(common, &words, 2, style(common))?;
    let [name] = &nodes[..] else {
        return Err(Failure::new(Code::Usage, "one node at a time; name it"));
    };
    let built = current::built(common, &arguments.out, &desk.model)?;
    let metadata = Metadata::read(&built)?;
    let joining = Joining { desk: &desk, built: &built, metadata: &metadata, drain: None };
    let first = desk.model.first_server().map(|node| node.name.clone());
    let (Some(first), Some(k3s)) = (first, desk.model.k3s.as_ref()) else {
        return Err(refused(
            name,
            &Trouble::new("its cluster has no k3s", "write it anew and: cargo xtask join"),
        ));
    };
    let wanted: Vec<NodeName> = if first == *name { vec![first] } else { vec![name.clone(), first] };
    let works = desk.reach(&wanted);
    let way = |index: usize| {
        let work = &works[index.min(works.len() - 1)];
        work.way.as_ref().map_err(|trouble| failed(&work.name, trouble))
    };
    let (own, server) = (way(0)?, Server::new(way(1)?.clone(), k3s));
    let replacing = Replacing::new(&joining, &works[0], own, &server)?;
    let outlook = replacing.look()?;
    let mut journal = Journal::open(&arguments.out, &desk.model.name, name)?;
    if journal.has(Step::Agreed) {
        desk.report.say(format!("{name}: going on with the replacement that was begun"));
    } else {
        agree(name, &outlook, arguments, &desk)?;
        journal.own_labels.clone_from(&outlook.own_labels);
        journal.note(Step::Agreed)?;
    }
    replacing.run(&mut journal, &outlook, !arguments.dangerously_skip_drain)?;
    let lost = journal.own_labels.clone();
    journal.finish()?;
    for work in works {
        work.task.finish("");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let text = if common.json {
        let answer = serde_json::json!({
            "format": 1, "cluster": desk.model.name, "node": name, "replaced": true, "outlook": outlook,
            "labels-not-put-back": lost, "millis": u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        format!("{answer:#}\n")
    } else {
        let mut text = format!("{name} is replaced: Ready, labelled, and open for pods ({seconds:.1} s)\n");
        if !lost.is_empty() {
            text.push_str(&format!(
                "labels that are not in the profile were not put back: {}\n",
                lost.join(", ")
            ));
        }
        text
    };
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(Code::Done)
}

/// Shows what will happen, refuses what must not, and asks.
fn agree(name: &NodeName, outlook: &Outlook, arguments: &Arguments, desk: &Desk) -> Result<(), Failure> {
    for line in picture(name, outlook, !arguments.dangerously_skip_drain) {
        desk.report.say(line);
    }
    if !outlook.losses.is_empty() && !arguments.dangerously_lose_data {
        let fix = "copy it elsewhere first, or add a replica; --dangerously-lose-data goes on all the same";
        let why = format!("{}, so nothing was changed", outlook.losses.join("; "));
        return Err(refused(name, &Trouble::new(why, fix)));
    }
    if arguments.yes {
        return Ok(());
    }
    let no = |why: &str| refused(name, &Trouble::new(format!("{why}, so nothing was changed"), "add --yes"));
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(no("there is no terminal to ask on"));
    }
    let mut answer = String::new();
    desk.report.suspend(|| {
        // A terminal that takes no question gives no answer either.
        let _ = write!(anstream::stderr().lock(), "replace {name}? [y/N] ");
        let _ = stdin.lock().read_line(&mut answer);
    });
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(no("not confirmed")) }
}

fn picture(name: &NodeName, outlook: &Outlook, drain: bool) -> Vec<String> {
    let word = if drain { "evicted" } else { "ended" };
    let mut lines = vec![match (outlook.is_registered, outlook.is_ready) {
        (false, _) => format!("{name}: the cluster has no such node; what it keeps of the name is deleted"),
        (true, false) => format!("{name}: it is not Ready; its pods go with the node"),
        (true, true) => format!("{name}: it is Ready; {} pods are {word}", outlook.evictions.len()),
    }];
    lines.extend(outlook.evictions.iter().map(|eviction| format!("  {word:<7}  {eviction}")));
    lines.extend(outlook.losses.iter().map(|loss| format!("  LOST     {loss}")));
    lines.extend(outlook.own_labels.iter().map(|label| format!("  label    {label} is not in the profile")));
    lines
}
