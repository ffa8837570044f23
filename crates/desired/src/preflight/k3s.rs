//! Judgements about k3s: token, certificates, kernel modules, and others who are here already.

use super::facts::Facts;
use super::needs::{K3sNeeds, Role};
use super::token::TokenKind;
use super::{Check, Needs, Verdict, known};
use crate::observed::Answer;

/// How a token for an agent is made.
const MINT: &str = "make one on a server: k3s token create --ttl 1h";

pub(super) fn token(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Token;
    let token = known(&facts.token, CHECK, "K11-K14")?;
    let refuse = |field, reason: &str, fix: &str| {
        Ok(Verdict::refuse(CHECK, field, token.words()).because(reason, fix))
    };
    let full = token.authority.is_some();
    match (k3s.role, token.kind) {
        (_, TokenKind::Broken) => {
            refuse("K10", "k3s would not read it", "copy the whole line, from K10 to its last character")
        }
        (Role::FirstServer, TokenKind::Bootstrap | TokenKind::Node) => refuse(
            "K13",
            "a cluster begins with a secret of its own",
            "give the first server a random secret",
        ),
        (Role::FirstServer, _) if full && !facts.kubernetes.has_authority => refuse(
            "K12",
            "its hash is of certificates that the first server has yet to make",
            "give the first server a random secret; the full token exists once it runs",
        ),
        (Role::Server, TokenKind::Bootstrap | TokenKind::Node) => refuse(
            "K13",
            "only agents can join with it",
            "take the servers' token: /var/lib/rancher/k3s/server/token on the first server",
        ),
        (Role::Agent, TokenKind::Server) => {
            refuse("K13", "whoever reads it on this node is master of the whole cluster", MINT)
        }
        (Role::Server, _) if !full => refuse(
            "K11",
            "without the hash of the certificates any machine can pose as the server",
            "take the full token, which begins with K10",
        ),
        (Role::Agent, _) if !full => {
            refuse("K11", "without the hash of the certificates any machine can pose as the server", MINT)
        }
        _ if facts.token_accepted == Answer::Known(false) => refuse(
            "K14",
            "the server lets nobody join with it: it has ended, was taken back, or its secret is another",
            if k3s.role == Role::Agent {
                MINT
            } else {
                "take it again from /var/lib/rancher/k3s/server/token there"
            },
        ),
        (Role::Agent, TokenKind::Bootstrap) => {
            let evidence = format!("{}; it ends 24 h after it was made unless told otherwise", token.words());
            Ok(Verdict::ok(CHECK, "K14", evidence))
        }
        _ => Ok(Verdict::ok(CHECK, "K11-K14", token.words())),
    }
}

pub(super) fn server_certificate(server: &str, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::ServerCertificate;
    let token = known(&facts.token, CHECK, "K10")?;
    let Some(wanted) = &token.authority else {
        return Err(Verdict::unknown(CHECK, "K10", format!("the token is {}", token.words())));
    };
    let found = known(&facts.server_certificates, CHECK, "K10")?;
    if found.hex() == wanted {
        return Ok(Verdict::ok(CHECK, "K10", format!("{server} has {}, as the token says", found.short())));
    }
    let short = wanted.get(..12).unwrap_or(wanted);
    let evidence = format!("{server} has {}, the token is for {short}", found.short());
    Ok(Verdict::refuse(CHECK, "K10", evidence).because(
        "the token is of another cluster, or of this one before it was made anew, or another machine answers",
        "check the address of the server, then take a token from it",
    ))
}

pub(super) fn iptables(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Iptables;
    let found = known(&facts.iptables, CHECK, "K29")?;
    let Some(text) = found else {
        return Ok(if k3s.bundled_programs {
            Verdict::ok(CHECK, "K29", "none here, k3s brings its own")
        } else {
            Verdict::warning(CHECK, "K29", "none here")
                .because("k3s falls back to its own", "prefer-bundled-bin: true says so in its settings")
        });
    };
    let Some(version) = version(text) else {
        return Ok(Verdict::unknown(CHECK, "K29", format!("`{text}` names no version")));
    };
    let is_bad =
        ((1, 8, 0)..=(1, 8, 4)).contains(&version) || (version <= (1, 6, 1) && text.contains("nf_tables"));
    if !is_bad {
        return Ok(Verdict::ok(CHECK, "K29", text));
    }
    if k3s.bundled_programs {
        return Ok(Verdict::ok(CHECK, "K29", format!("{text}, but k3s prefers its own")));
    }
    Ok(Verdict::warning(CHECK, "K29", text).because(
        "this version writes rules twice and slows the node down",
        "put prefer-bundled-bin: true into the settings of k3s",
    ))
}

/// `iptables v1.8.9 (nf_tables)` → 1.8.9.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let word = text.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
    let mut parts = word.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

pub(super) fn vxlan(needs: &Needs, k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::Vxlan;
    if let Some(backend) = k3s.backend.as_deref().filter(|backend| *backend != "vxlan") {
        return Ok(Verdict::ok(CHECK, "K7", format!("not needed, pods talk over {backend}")));
    }
    if *known(&facts.vxlan, CHECK, "K7")? {
        return Ok(Verdict::ok(CHECK, "K7", "the kernel has it"));
    }
    let reason = "pods of different nodes could not talk (\"flannel exited: operation not supported\")";
    let comes = |name: &&String| name.contains("modules-extra");
    if let Some(package) = needs.packages.iter().find(comes) {
        return Ok(Verdict::warning(CHECK, "K7", format!("not yet, {package} brings it"))
            .because(reason, "reboot after the join"));
    }
    let fix =
        "install linux-modules-extra-raspi (Ubuntu) or kernel-modules-extra (Fedora, RHEL), then reboot";
    Ok(if k3s.backend.is_some() {
        Verdict::refuse(CHECK, "K7", "the kernel does not have it").because(reason, fix)
    } else {
        // An agent learns from the server what pods talk over; usually it is this.
        Verdict::warning(CHECK, "K7", "the kernel does not have it").because(reason, fix)
    })
}

pub(super) fn other_kubernetes(k3s: &K3sNeeds, facts: &Facts) -> Verdict {
    const CHECK: Check = Check::OtherKubernetes;
    let found = &facts.kubernetes;
    if !found.foreign.is_empty() {
        return Verdict::refuse(CHECK, "K20", format!("found {}", found.foreign.join(", "))).because(
            "two of them would fight over ports, rules and containers",
            "remove the other one with its own uninstaller (kubeadm reset, snap remove microk8s, k0s reset), \
             then what it leaves of these folders",
        );
    }
    let (own, other, uninstaller) = if k3s.role.is_server() {
        ("k3s.service", "k3s-agent.service", "k3s-agent-uninstall.sh")
    } else {
        ("k3s-agent.service", "k3s.service", "k3s-uninstall.sh")
    };
    if found.units.iter().any(|unit| unit == other) {
        return Verdict::refuse(CHECK, "K22", format!("found {other}")).because(
            format!("this node is to be run by {own}"),
            format!("`bootstrap leave` if it was joined with this tool, else {uninstaller}"),
        );
    }
    if let Some(server) = found.server.as_ref().filter(|server| Some(*server) != k3s.server.as_ref()) {
        let wanted = k3s.server.as_deref().unwrap_or("a cluster of its own");
        let evidence = format!("its k3s belongs to {server}, the profile says {wanted}");
        let reason = "it would keep the other cluster's certificates and be rejected";
        return if found.is_ours {
            Verdict::warning(CHECK, "K10", evidence)
                .because(reason, "if the server did not just move, `bootstrap leave` first")
        } else {
            Verdict::refuse(CHECK, "K10", evidence)
                .because(reason, format!("remove it first: {}", own_uninstaller(k3s)))
        };
    }
    if found.units.iter().any(|unit| unit == own) && !found.is_ours {
        return Verdict::warning(CHECK, "K22", format!("{own} is here already"))
            .because("the join takes it over; `leave` gives it back", "nothing, if that is meant");
    }
    Verdict::ok(CHECK, "K22", "none")
}

const fn own_uninstaller(k3s: &K3sNeeds) -> &'static str {
    if k3s.role.is_server() { "k3s-uninstall.sh" } else { "k3s-agent-uninstall.sh" }
}
