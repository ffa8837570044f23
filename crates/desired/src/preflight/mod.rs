//! What must hold on a node before its first change, judged from facts alone.
//!
//! In: [`Needs`], read off a node's resources, and [`Facts`], which `host::preflight` collected. Out: one [`Verdict`] for
//! each [`Check`] that concerns this node: fine, worth a word, a refusal, or not known. Nothing is looked at here, so every
//! judgement is tested without a machine. Texts that come from the node are escaped and cut.

mod disk;
pub mod facts;
mod k3s;
mod machine;
pub mod needs;
mod network;
pub mod skew;
pub mod token;

use serde::Serialize;

use crate::change::clean;
use crate::observed::Answer;

pub use facts::Facts;
pub use machine::is_sane;
pub use needs::Needs;

/// Everything that is checked, in the order it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The programs of this system are for the bundle's architecture (FIELD K30).
    Userland,
    /// The kernel's memory cgroup is on (FIELD K1–K3).
    MemoryCgroup,
    /// Memory pages have 4 KiB (FIELD K5).
    PageSize,
    /// The clock can be believed (FIELD K19).
    Clock,
    /// The host name is legal and no default (FIELD K8).
    Hostname,
    /// There is a default route (FIELD K21).
    DefaultRoute,
    /// It is clear which network interface and address the node uses (FIELD K17).
    Interface,
    /// The server answers (FIELD K20).
    Server,
    /// The token is of the kind this role takes (FIELD K11–K14).
    Token,
    /// The server is the one the token is from (FIELD K10).
    ServerCertificate,
    /// Nobody else has the ports (FIELD K20).
    Ports,
    /// iptables has none of the bad versions (FIELD K29).
    Iptables,
    /// The kernel has the module vxlan (FIELD K7).
    Vxlan,
    /// k3s is not set back, and not taken over more than one minor version (FIELD K25).
    K3sVersion,
    /// No other Kubernetes lives here (FIELD K9, K22).
    OtherKubernetes,
    /// Swap is made by one party alone (FIELD K32).
    Swap,
    /// Everything that will be written has room.
    Space,
    /// A server's data is not on an SD card (FIELD K31).
    ServerDisk,
}

impl Check {
    /// Its name in tables, with hyphens as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Userland => "userland",
            Self::MemoryCgroup => "memory-cgroup",
            Self::PageSize => "page-size",
            Self::Clock => "clock",
            Self::Hostname => "hostname",
            Self::DefaultRoute => "default-route",
            Self::Interface => "interface",
            Self::Server => "server",
            Self::Token => "token",
            Self::ServerCertificate => "server-certificate",
            Self::Ports => "ports",
            Self::Iptables => "iptables",
            Self::Vxlan => "vxlan",
            Self::K3sVersion => "k3s-version",
            Self::OtherKubernetes => "other-kubernetes",
            Self::Swap => "swap",
            Self::Space => "space",
            Self::ServerDisk => "server-disk",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It holds.
    Ok,
    /// The join can go on, but somebody should know.
    Warning,
    /// The join must not start.
    Refuse,
    /// It can't be told.
    Unknown,
}

impl Mark {
    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Refuse => "REFUSED",
            Self::Unknown => "unknown",
        }
    }
}

/// One check's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Which check.
    pub check: Check,
    /// How it ended.
    pub mark: Mark,
    /// What was seen, or why it could not be.
    pub evidence: String,
    /// Why that is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The known ways it goes wrong, by the names the tests use too.
    pub field: &'static str,
}

impl Verdict {
    fn new(check: Check, field: &'static str, mark: Mark, evidence: impl AsRef<str>) -> Self {
        Self { check, mark, evidence: clean(evidence.as_ref()), reason: None, fix: None, field }
    }
    fn ok(check: Check, field: &'static str, evidence: impl AsRef<str>) -> Self {
        Self::new(check, field, Mark::Ok, evidence)
    }
    fn unknown(check: Check, field: &'static str, why: impl AsRef<str>) -> Self {
        Self::new(check, field, Mark::Unknown, why)
    }
    fn warning(check: Check, field: &'static str, evidence: impl AsRef<str>) -> Self {
        Self::new(check, field, Mark::Warning, evidence)
    }
    fn refuse(check: Check, field: &'static str, evidence: impl AsRef<str>) -> Self {
        Self::new(check, field, Mark::Refuse, evidence)
    }
    fn because(mut self, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self.fix = Some(fix.into());
        self
    }
    /// Everything in one sentence, for errors.
    #[must_use]
    pub fn sentence(&self) -> String {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
        let fix = self.fix.as_ref().map_or_else(String::new, |fix| format!("; {fix}"));
        format!("{}: {}{reason}{fix}", self.check.name(), self.evidence)
    }
}

/// The value, or the verdict that it isn't known.
fn known<'a, T>(answer: &'a Answer<T>, check: Check, field: &'static str) -> Result<&'a T, Verdict> {
    match answer {
        Answer::Known(value) => Ok(value),
        Answer::Unknown { why } | Answer::Later { why } => Err(Verdict::unknown(check, field, why)),
    }
}

/// Either way a verdict.
fn verdict(judged: Result<Verdict, Verdict>) -> Verdict {
    judged.unwrap_or_else(|unknown| unknown)
}

/// Judges the clock alone.
#[must_use]
pub fn judge_clock(clock: &Answer<facts::Clock>) -> Verdict {
    verdict(machine::clock(clock))
}

/// Judges everything that concerns a node with these needs.
#[must_use]
pub fn judge(needs: &Needs, facts: &Facts) -> Vec<Verdict> {
    let mut verdicts = vec![
        verdict(machine::userland(needs, facts)),
        verdict(machine::page_size(facts)),
        judge_clock(&facts.clock),
        verdict(network::hostname(needs, facts)),
        verdict(disk::swap(facts)),
        verdict(disk::space(facts)),
    ];
    if let Some(k3s) = &needs.k3s {
        verdicts.extend([
            verdict(machine::memory_cgroup(needs, facts)),
            verdict(network::default_route(facts)),
            verdict(network::interface(k3s, facts)),
            verdict(k3s::token(k3s, facts)),
            verdict(network::ports(k3s, facts)),
            verdict(k3s::iptables(k3s, facts)),
            verdict(k3s::vxlan(needs, k3s, facts)),
            verdict(skew::version(k3s, facts)),
            k3s::other_kubernetes(k3s, facts),
        ]);
        if let Some(server) = &k3s.server {
            verdicts.push(verdict(network::server(server, facts)));
            verdicts.push(verdict(k3s::server_certificate(server, facts)));
        }
        if k3s.role.is_server() {
            verdicts.push(verdict(disk::server_disk(k3s, facts)));
        }
    }
    verdicts.sort_by_key(|verdict| verdict.check);
    verdicts
}

#[cfg(test)]
mod tests;
