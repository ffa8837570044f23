//! `status`: every node of a cluster in one table, over ssh; again and again with `--watch`.
//!
//! In: nodes. Out: who is reachable, converged, drifted, in which version and how it is besides. Nothing is changed. Exit 3
//! where a node drifted, 5 where one can't be asked.

use crate::common::Common;
use crate::exit::{Code, Outcome};
use crate::fleet::desk::{Desk, Work};
use crate::fleet::server::Server;
use crate::fleet::status;
use anyhow::Context as _;
use clap::Args;
use desired::NodeName;
use host::report::Style;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Nodes, or `all` (also if only a cluster is named)
    #[arg(value_name = "NODE|all|CLUSTER")]
    nodes: Vec<String>,
    /// Look again and again until ^C
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    every: u64,
    /// At most so many machines at the same time
    #[arg(long, value_name = "N", default_value_t = 16)]
    parallel: usize,
}

/// Looks, once or until it is interrupted.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let profiles = crate::load::profiles_folder(common)?;
    let mut words = arguments.nodes.clone();
    if words.iter().all(|word| profiles.join(word).join("cluster.toml").is_file()) {
        words.push("all".to_owned());
    }
    // The table is soon there; without a terminal nobody watches how it comes about.
    let style = if std::io::stderr().is_terminal() && !common.json { Style::Auto } else { Style::Quiet };
    let (desk, nodes) = Desk::open(common, &words, arguments.parallel, style)?;
    loop {
        let works = reach(&desk, &nodes);
        let first = desk.model.first_server().map(|node| &node.name);
        let way = works.iter().find(|work| Some(&work.name) == first).and_then(|work| work.way.as_ref().ok());
        let server = way.zip(desk.model.k3s.as_ref()).map(|(way, k3s)| Server::new(way.clone(), k3s));
        let seen = status::look(&desk, &works, server.as_ref());
        let asked: Vec<_> = seen.into_iter().filter(|one| nodes.contains(&one.node)).collect();
        for work in works {
            work.task.finish("");
        }
        show(common, arguments, &desk, &asked)?;
        if !arguments.watch {
            return Ok(status::code(&asked));
        }
        if host::interrupt::came() {
            return Ok(Code::Done);
        }
        std::thread::sleep(Duration::from_secs(arguments.every.max(1)));
    }
}

/// The nodes and, to ask it about them, the first server.
fn reach(desk: &Desk, nodes: &[NodeName]) -> Vec<Work> {
    let mut all = nodes.to_vec();
    let is_asked = nodes.iter().any(|name| desk.node(name).k3s.is_some());
    all.extend(
        desk.model
            .first_server()
            .map(|node| node.name.clone())
            .filter(|name| is_asked && !nodes.contains(name)),
    );
    desk.reach(&all)
}

fn show(common: &Common, arguments: &Arguments, desk: &Desk, seen: &[status::Seen]) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    let cluster = desk.model.name.as_str();
    let text = if common.json && arguments.watch {
        format!("{}\n", status::document(cluster, seen))
    } else if common.json {
        format!("{:#}\n", status::document(cluster, seen))
    } else {
        status::table(seen)
    };
    if arguments.watch && !common.json && std::io::stdout().is_terminal() {
        // Home, and clear what is below.
        write!(stdout, "\x1b[H\x1b[J").context("write to stdout")?;
    }
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("write to stdout")
}
