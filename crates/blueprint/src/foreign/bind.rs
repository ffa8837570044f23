//! Folders of the host that containers see, in Compose files and Quadlets.
//!
//! In: a volume as it is written, and whose it is. Out: findings of the rules that volumes in `cluster.toml` are held to.

use std::ops::Range;

use super::facts::Facts;
use super::report::Report;
use crate::finding::rules::service as rule;
use crate::lint::service::within;
use crate::model::{Share, ShareServer};

/// A folder of the host in a container.
pub(crate) struct Bind<'a> {
    pub(crate) source: &'a str,
    pub(crate) flags: &'a str,
    pub(crate) span: Range<usize>,
}

/// Whose it is.
pub(crate) struct Owner<'a> {
    pub(crate) service: &'a str,
    pub(crate) database: bool,
}

impl<'a> Bind<'a> {
    /// Reads `source:target:flags`. Of `${NAME:-default}` the default counts; a named volume is none.
    pub(crate) fn short(text: &'a str, span: &Range<usize>) -> Option<Self> {
        let (source, rest) = match text.strip_prefix("${").and_then(|rest| rest.split_once('}')) {
            Some((variable, rest)) => (variable.split_once(":-")?.1, rest.strip_prefix(':')?),
            None => text.split_once(':')?,
        };
        let flags = rest.split_once(':').map_or("", |(_, flags)| flags);
        source.starts_with('/').then(|| Self { source, flags, span: span.clone() })
    }

    /// Holds it to every rule.
    pub(crate) fn judge(&self, owner: &Owner<'_>, facts: &Facts<'_>, report: &mut Report<'_>) {
        if self.source == "/etc/timezone" {
            let message = "`/etc/timezone` does not exist on newer systems";
            report.at(&rule::TIMEZONE_BIND, self.span.clone(), message);
        }
        for share in facts.model.shares.values() {
            if self.is_on(share, owner, facts) {
                self.on_share(share, owner, facts, report);
            }
        }
    }

    /// Whether it lies where a client of the owner's has the share, or where its server has not.
    fn is_on(&self, share: &Share, owner: &Owner<'_>, facts: &Facts<'_>) -> bool {
        let service = facts.model.services.get(owner.service);
        let nodes = service.map(|service| &service.nodes).filter(|nodes| !nodes.is_empty());
        let serves = nodes.is_some_and(|nodes| nodes.iter().any(|node| serves(share, node.as_str())));
        share.clients.iter().any(|(client, point)| {
            within(self.source, point) && (serves || nodes.is_none_or(|nodes| nodes.contains(client)))
        })
    }

    fn on_share(&self, share: &Share, owner: &Owner<'_>, facts: &Facts<'_>, report: &mut Report<'_>) {
        let service = facts.model.services.get(owner.service);
        if owner.database {
            let message = format!("a database on the share `{}`", share.name);
            report.at(&rule::DATABASE_ON_SHARE, self.span.clone(), message);
        }
        if self.flags.split(',').any(|flag| matches!(flag, "z" | "Z")) {
            let message = format!("`{}` is a share and holds no labels", share.name);
            report.at(&rule::RELABEL, self.span.clone(), message);
        }
        if service.is_none_or(|service| !service.needs_shares.contains(&share.name)) {
            let message = format!("this lies on `{}`, which is not in needs-shares", share.name);
            report.at(&rule::UNGATED_VOLUME, self.span.clone(), message);
        }
        let mut nodes = service.into_iter().flat_map(|service| &service.nodes);
        if let Some(node) = nodes.find(|node| serves(share, node.as_str()))
            && !within(self.source, share.path.as_str())
        {
            let message = format!("`{node}` serves `{}` itself, from `{}`", share.name, share.path);
            report.at(&rule::WRONG_SIDE, self.span.clone(), message);
        }
    }
}

fn serves(share: &Share, node: &str) -> bool {
    matches!(&share.server, ShareServer::Node(server) if server.as_str() == node)
}
