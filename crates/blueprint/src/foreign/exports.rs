//! exports, and lines for it that scripts write.
//!
//! In: lines. Out: findings on who may mount what.

use std::ops::Range;

use ipnet::Ipv4Net;

use super::facts::Facts;
use super::report::{Report, lines};
use crate::finding::rules::{foreign as rule, share};

pub(crate) fn judge(text: &str, facts: &Facts<'_>, report: &mut Report<'_>) {
    for (span, line) in lines(text) {
        self::line(line, &span, facts, report);
    }
}

/// One folder and its clients. In a script `span` is the whole command that writes it.
pub(crate) fn line(line: &str, span: &Range<usize>, facts: &Facts<'_>, report: &mut Report<'_>) {
    let mut words = line.split_whitespace();
    let folder = words.next().unwrap_or_default();
    if !folder.starts_with(['/', '"']) {
        report.at(&rule::NOT_ITS_KIND, span.clone(), format!("`{folder}` is no absolute path"));
        return;
    }
    let fuse = facts.model.shares.values().any(|share| {
        share.path.as_str() == folder
            && share.filesystem.as_ref().is_some_and(|kind| kind.starts_with("fuse"))
    });
    let fuse = fuse || facts.propagates(folder);
    let clients: Vec<&str> = words.filter(|word| !word.starts_with('-')).collect();
    if clients.is_empty() {
        report.at(&share::WIDE_EXPORT, span.clone(), format!("`{folder}` is exported to every machine"));
    }
    for client in &clients {
        let (host, options) = client.split_once('(').unwrap_or((client, ""));
        let options: Vec<&str> = options.trim_end_matches(')').split(',').collect();
        if fuse && !options.iter().any(|option| option.starts_with("fsid=")) {
            let message = format!("`{folder}` is FUSE and exported without an fsid");
            report.at(&share::FUSE_EXPORT, span.clone(), message);
        }
        let network = host.parse::<Ipv4Net>().ok();
        let everybody = matches!(host, "" | "*");
        if everybody {
            report.at(&share::WIDE_EXPORT, span.clone(), format!("`{folder}` is exported to every machine"));
        }
        if options.contains(&"no_root_squash")
            && (everybody || network.is_some_and(|network| network.prefix_len() < 32))
        {
            let message = format!("root of every machine in `{host}` is root here");
            report.at(&rule::ROOT_EXPORT, span.clone(), message);
        }
        let lan = facts.model.network.lan;
        if network.is_some_and(|network| network.contains(&lan) && network != lan) {
            report.at(&share::WIDE_EXPORT, span.clone(), format!("`{host}` is wider than the LAN {lan}"));
        }
    }
    reach(&clients, span, facts, report);
}

/// Some client is a host, or a network that nodes are in: else the export is for strangers alone.
fn reach(clients: &[&str], span: &Range<usize>, facts: &Facts<'_>, report: &mut Report<'_>) {
    let network = |client: &&str| client.split('(').next().unwrap_or_default().parse::<Ipv4Net>().ok();
    let networks: Vec<Ipv4Net> = clients.iter().filter_map(network).collect();
    let is_ours = |net: &Ipv4Net| facts.networks().any(|own| own.contains(net) || net.contains(&own));
    if let Some(first) = networks.first()
        && networks.len() == clients.len()
        && !networks.iter().any(is_ours)
    {
        let lan = facts.model.network.lan;
        report.at(&share::EXPORT_NETWORK, span.clone(), format!("the nodes are in {lan}, not in {first}"));
    }
}
