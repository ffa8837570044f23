//! kubectl and helm in scripts.
//!
//! In: one command and its script. Out: findings on what fails when repeated, is refused, or is put back by Flux.

use super::super::facts::Facts;
use super::super::report::Report;
use super::{Command, Script};
use crate::finding::rules::foreign as rule;

pub(super) fn judge(script: &Script<'_>, command: &Command, facts: &Facts<'_>, report: &mut Report<'_>) {
    let installs = ["install", "upgrade", "template"].iter().any(|verb| command.has(verb));
    if command.program() == "helm"
        && installs
        && command.words.iter().any(|word| word.contains("ingress-nginx"))
    {
        report.at(&rule::INGRESS_NGINX, command.span.clone(), "ingress-nginx is no longer maintained");
    }
    if command.program() != "kubectl" {
        return;
    }
    let words = plain(command);
    let mut words = words.into_iter();
    let (verb, object) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let kind = object.split('/').next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    match (verb, kind) {
        ("label", "node" | "nodes" | "no") => labels(command, &rest, report),
        ("patch", "pv" | "persistentvolume" | "persistentvolumes") => {
            let sources = ["\"nfs\"", "\"local\"", "\"csi\"", "\"hostPath\"", "/spec/nfs"];
            if command.words.iter().any(|word| sources.iter().any(|source| word.contains(source))) {
                report.at(&rule::PATCH_VOLUME, command.span.clone(), "a volume's source can't be changed");
            }
        }
        ("edit" | "scale" | "patch" | "set", _) => {
            let workload = command.words.iter().skip(2).any(|word| {
                ["deploy", "deployment", "deployments", "statefulset", "statefulsets", "sts"]
                    .contains(&word.split('/').next().unwrap_or_default())
            });
            let suspended = script.commands.iter().any(|other| other.is(&["flux", "suspend"]));
            if workload && !suspended && facts.kustomizations().next().is_some() {
                report.at(&rule::FLUX_REVERTS, command.span.clone(), "Flux puts this back");
            }
        }
        _ => {}
    }
}

/// Its words without flags; of those that stand in front of verbs the values go as well.
fn plain(command: &Command) -> Vec<&str> {
    const VALUED: [&str; 5] = ["-n", "--namespace", "--context", "--kubeconfig", "-s"];
    let words = &command.words;
    let is_value = |at: usize| VALUED.contains(&words[at - 1].as_str());
    let plain = (1..words.len()).filter(|at| !words[*at].starts_with('-') && !is_value(*at));
    plain.map(|at| words[at].as_str()).collect()
}

fn labels(command: &Command, rest: &[&str], report: &mut Report<'_>) {
    let labels: Vec<&str> = rest.iter().filter_map(|word| Some(word.split_once('=')?.0)).collect();
    if !labels.is_empty() && !command.has_flag("--overwrite") {
        let message = "a second run with another value fails";
        report.at(&rule::LABEL_OVERWRITE, command.span.clone(), message);
    }
    if let Some(bare) = labels.iter().find(|label| !label.contains('/')) {
        let message = format!("the label `{bare}` has no prefix");
        report.at(&rule::BARE_LABEL, command.span.clone(), message);
    }
}
