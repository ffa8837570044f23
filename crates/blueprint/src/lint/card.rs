//! What cards are made with, against the node and its network.

use super::Context;
use crate::finding::rules::card as rule;
use crate::model::Addressing;
use crate::resolve::place::{Findings, Place};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    for draft in context.nodes.values() {
        let (node, said) = (&draft.node, &draft.origin.preset.card);
        let network = &context.spec.network;
        if let Some(addressing) = &said.addressing
            && addressing.value == Addressing::Static
            && node.card.is_some()
            && (network.gateway.is_none() || network.dns.is_empty())
        {
            let lacks = if network.gateway.is_none() { "gateway" } else { "name server" };
            let message = format!("`{}` takes its address itself, and the LAN has no {lacks}", node.name);
            findings
                .at(&rule::STATIC_ADDRESS, addressing.place, message)
                .related(Place::of(&network.lan), "the LAN");
        }
        let Some(board) = draft.origin.preset.board.as_ref().filter(|_| said.is_said()) else { continue };
        if said.base.is_none() {
            let message = format!("the card of `{}` has no base", node.name);
            findings.at(&rule::CARD_BASE, board.place, message);
        }
        if said.ssh_keys.is_empty() && said.password_hash.is_none() {
            let message = format!("nobody can log in to `{}` once it has booted from its card", node.name);
            findings.at(&rule::CARD_LOGIN, board.place, message);
        }
    }
}
