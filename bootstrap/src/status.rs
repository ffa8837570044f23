//! `bootstrap status`: whether the node is as desired, what it was last joined with, and how it is besides.

use clap::Args;
use desired::change::{Action, Change};
use desired::observed::Observed;
use desired::preflight::{Mark, judge_clock};
use desired::resource::{Resource, Want};
use desired::{AbsPath, UnitName};
use host::health::{millidegrees, throttling, units};
use host::mount;
use host::preflight::clock;
use serde_json::{Value, json};

use crate::exit::{Code, Outcome, answer};
use crate::place::{self, Subject};
use crate::target::Target;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Looks.
pub fn run(arguments: &Arguments) -> Outcome {
    let (root, bundle) = arguments.target.open()?;
    let subject = arguments.target.subject(&bundle, &root)?;
    let Subject { cluster, node, digest, resources, .. } = &subject;
    let history = place::history(&root)?;
    let plan = place::plan(&root, &subject, resources, &history)?;
    let pending = plan.changes().len() - plan.counts().unchanged - plan.counts().left;
    let joined = history.last_join().map(|run| {
        let is_this = run.bundle.as_ref() == Some(digest);
        (run.tool.clone(), run.bundle.as_ref().map(|digest| digest.short().to_owned()), is_this)
    });
    let k3s: Vec<UnitName> = resources.iter().filter_map(k3s_unit).collect();
    let units = units(&root, &k3s);
    let mounts: Vec<(AbsPath, Result<String, String>)> =
        mount_points(resources).into_iter().map(|path| (path.clone(), mount::state(&root, &path))).collect();
    let clock = Some(judge_clock(&clock(&root))).filter(|clock| clock.mark != Mark::Unknown);
    let (heat, power) = (millidegrees(&root), throttling(&root));
    if arguments.json {
        let mounts: Vec<Value> = mounts
            .iter()
            .map(|(path, state)| json!({ "path": path, "type": state.as_ref().ok(), "why": state.as_ref().err() }))
            .collect();
        let restart: Vec<_> =
            plan.changes().iter().filter(|change| waits(change)).map(|change| &change.id).collect();
        let joined = joined.map(|(version, bundle, is_this)| {
            json!({ "version": version, "bundle": bundle, "is-this-bundle": is_this })
        });
        let value = json!({
            "format": 1, "cluster": cluster, "node": node, "converged": plan.is_empty(), "pending": pending,
            "counts": plan.counts(), "bundle": digest, "last-join": joined, "units": units,
            "restart-for": restart, "mounts": mounts, "clock": clock, "millidegrees": heat, "throttling": power,
        });
        answer(&format!("{value:#}\n"))?;
    } else {
        let mut rows = vec![
            ("node", format!("{node} of cluster {cluster}")),
            (
                "plan",
                if pending == 0 { "converged".to_owned() } else { format!("{pending} changes pending") },
            ),
            ("last join", joined.map_or_else(|| "never".to_owned(), last_join)),
        ];
        rows.extend(
            plan.changes()
                .iter()
                .filter(|change| waits(change))
                .map(|change| ("restart", format!("needed for {}", change.id))),
        );
        rows.extend(units.iter().map(|(unit, state)| ("unit", format!("{unit} is {state}"))));
        rows.extend(mounts.iter().map(|(path, state)| ("share", share(path, state))));
        rows.extend(clock.map(|clock| ("clock", clock.evidence)));
        rows.extend(heat.map(|heat| ("temperature", format!("{}.{} °C", heat / 1000, heat % 1000 / 100))));
        let power = power.map(|power| if power.is_empty() { "good".to_owned() } else { power.join(", ") });
        rows.extend(power.map(|power| ("power", power)));
        let lines: String = rows.iter().map(|(name, value)| format!("{name:<11}  {value}\n")).collect();
        answer(&lines)?;
    }
    Ok(if plan.is_empty() { Code::Done } else { Code::Pending })
}

/// Whether it is written and waits for the machine's next start.
fn waits(change: &Change) -> bool {
    change.action == Action::Left && change.why.as_deref() == Some(Observed::RESTART)
}

fn last_join((version, bundle, is_this): (String, Option<String>, bool)) -> String {
    let which = if is_this { "this bundle" } else { "another bundle" };
    format!("with {which}, {}, version {version}", bundle.unwrap_or_default())
}

fn share(path: &AbsPath, state: &Result<String, String>) -> String {
    match state {
        Ok(kind) => format!("{path} is mounted ({kind})"),
        Err(why) => format!("{path}: {why}"),
    }
}

fn k3s_unit(resource: &Resource) -> Option<UnitName> {
    match &resource.want {
        Want::Unit { name, .. } if matches!(name.as_str(), "k3s.service" | "k3s-agent.service") => {
            Some(name.clone())
        }
        _ => None,
    }
}

/// Where shares are mounted: `Where=` of mount units, and the second word of our lines in fstab.
fn mount_points(resources: &[Resource]) -> Vec<AbsPath> {
    let mut points: Vec<AbsPath> = Vec::new();
    for Resource { want, .. } in resources {
        match want {
            Want::File { path, content, .. } if path.as_str().ends_with(".mount") => {
                let found = content.lines().filter_map(|line| line.strip_prefix("Where="));
                points.extend(found.filter_map(|point| point.parse().ok()));
            }
            Want::ManagedBlock { path, content, .. } if path.as_str() == "/etc/fstab" => {
                let lines = content.lines().filter(|line| !line.starts_with('#'));
                let found = lines.filter_map(|line| line.split_whitespace().nth(1));
                points.extend(found.filter_map(|point| point.replace("\\040", " ").parse().ok()));
            }
            _ => {}
        }
    }
    points
}
