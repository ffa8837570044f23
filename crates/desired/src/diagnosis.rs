//! Why a node did not join, from what k3s said.
//!
//! In: lines of the journal of `k3s` or `k3s-agent`, oldest first. Out: one [`Diagnosis`]: a sentence, the fix, the line it
//! was read from. k3s restarts for ever and looks the same in all of these cases (FIELD K1, K8, K10, K19, K20); the reason
//! stands in its journal. The last line that says a reason wins, since a fix leaves the old ones standing above.

use serde::Serialize;

use crate::change::clean;

/// One clear reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The known way it goes wrong.
    pub field: &'static str,
    /// What is wrong.
    pub reason: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The line it was read from, escaped and cut.
    pub line: String,
    /// It may pass by itself: a server that does not answer yet.
    #[serde(skip)]
    pub may_pass: bool,
    /// Without the agent's own certificate it passes by itself (decision 0086).
    #[serde(skip)]
    pub by_certificate: bool,
}

/// Texts that stand together in a line, and what they mean.
struct Sign {
    words: &'static [&'static str],
    field: &'static str,
    reason: &'static str,
    fix: &'static str,
    /// Consequences of another cause: they count only where nothing better is said.
    is_vague: bool,
    by_certificate: bool,
}

const fn sign(
    words: &'static [&'static str],
    field: &'static str,
    reason: &'static str,
    fix: &'static str,
) -> Sign {
    Sign { words, field, reason, fix, is_vague: false, by_certificate: false }
}

const fn vague(
    words: &'static [&'static str],
    field: &'static str,
    reason: &'static str,
    fix: &'static str,
) -> Sign {
    Sign { is_vague: true, ..sign(words, field, reason, fix) }
}

/// Where a server asks itself while it is starting; an agent asks its own balancer, at another port.
const OWN_SERVER: &str = "//127.0.0.1:6443/";
const CGROUP_FIX: &str =
    "add cgroup_memory=1 cgroup_enable=memory to the one line of /boot/firmware/cmdline.txt and reboot";
const NEW_TOKEN: &str =
    "on a server: k3s token create --ttl 1h; put it where the profile says, join again, restart the unit";
const NAME_FIX: &str = "on a server: kubectl delete node NAME; then kubectl -n kube-system delete secret \
     NAME.node-password.k3s, also when there was no such node; then restart the unit here";

/// The first that fits a line counts, so the narrow ones stand first.
const SIGNS: &[Sign] = &[
    sign(&["ailed to find memory cgroup"], "K1", "the kernel's memory cgroup is off", CGROUP_FIX),
    sign(
        &["Node password rejected"],
        "K8",
        "the cluster knows another machine by this node's name: this one was written anew, or two share a name",
        NAME_FIX,
    ),
    sign(
        &["Failed to join etcd cluster due to duplicate"],
        "K9",
        "another server already has this node's name",
        "give every server a name of its own in the profile",
    ),
    Sign {
        by_certificate: true,
        ..sign(
            &["http: ContentLength=", "with Body length 0"],
            "decision 0086",
            "the server knows no such node any more, and k3s goes on showing the certificate that this node once had",
            "remove agent/client-kubelet.crt and .key below /var/lib/rancher/k3s; k3s shows its token then",
        )
    },
    sign(
        &["token CA hash does not match"],
        "K10",
        "the token is of another cluster, or of this one before it was made anew",
        NEW_TOKEN,
    ),
    sign(
        &["invalid token CA hash length"],
        "K10",
        "the token is damaged: its hash is cut",
        "copy the whole token, from K10 to its last character",
    ),
    sign(
        &["ailed to bootstrap cluster data", "not authorized"],
        "K13",
        "the servers do not take this token",
        "take the servers' token: /var/lib/rancher/k3s/server/token on the first server",
    ),
    sign(
        &["not authorized"],
        "K14",
        "the server does not take the token: it is wrong, of the wrong kind, or its time is over",
        NEW_TOKEN,
    ),
    sign(
        &["invalid username/password"],
        "K13",
        "the server does not take the token: agent tokens can't join servers, and all servers need the same",
        NEW_TOKEN,
    ),
    sign(
        &["unknown 'kubernetes.io' or 'k8s.io' labels"],
        "K15",
        "the kubelet may not give its own node a label that Kubernetes reserves",
        "take it out of node-label; a server sets it: kubectl label node NAME KEY=VALUE --overwrite",
    ),
    sign(
        &["certificate has expired or is not yet valid"],
        "K19",
        "the clock of this node or of the server is wrong",
        "on both: date; then timedatectl set-ntp true, wait until it is right, restart the unit",
    ),
    sign(
        &["server time isn't set properly"],
        "K19",
        "the clock of this node is wrong",
        "timedatectl set-ntp true, wait until it is right, restart the unit",
    ),
    sign(
        &["critical configuration value mismatch"],
        "K27",
        "this server's settings differ from the first one's in what all must share",
        "join both with bundles of the same build; nothing of it may be overridden in config.yaml.d",
    ),
    sign(
        &["Only https:// URLs are supported"],
        "K23",
        "the server's address does not begin with https://",
        "correct the address; this tool always writes https://ADDRESS:6443",
    ),
    sign(
        &["K3S_TOKEN or K3S_TOKEN_FILE is not defined"],
        "K23",
        "there is a server's address and no token",
        "join again with the token where the profile says",
    ),
    sign(
        &["--token is required"],
        "K23",
        "there is no token",
        "join again with the token where the profile says",
    ),
    sign(
        &["flannel", "operation not supported"],
        "K7",
        "the kernel has no vxlan",
        "install linux-modules-extra-raspi (Ubuntu) or kernel-modules-extra (Fedora, RHEL), then reboot",
    ),
    sign(
        &["Unsupported system page size"],
        "K5",
        "a program was built for memory pages of 4 KiB, this kernel has larger ones",
        "on a Pi 5, put kernel=kernel8.img under [all] in /boot/firmware/config.txt and reboot",
    ),
    sign(
        &["tailscale up failed"],
        "K18",
        "the key for the mesh is used or has expired",
        "join the mesh outside of k3s, or make a new key that can be used again",
    ),
    sign(
        &["no default routes found"],
        "K21",
        "there is no default route, so k3s finds no address for the node",
        "connect the network, or make a dummy route; `bootstrap doctor` shows how",
    ),
    sign(
        &["bind: address already in use"],
        "K20",
        "another program has a port that k3s needs",
        "`bootstrap doctor` names the program; stop it and restart the unit",
    ),
    sign(
        &["no space left on device"],
        "B10",
        "the disk is full",
        "make room (apt-get clean, journalctl --vacuum-size=50M) and restart the unit",
    ),
    vague(
        &["connection refused", ":6443"],
        "K20",
        "nothing listens on the server's port 6443",
        "start k3s on the server, or correct the server's address",
    ),
    vague(
        &["no route to host"],
        "K20",
        "the server can't be reached",
        "check cable, address and firewall: 6443/tcp must get through to the server",
    ),
    vague(
        &["i/o timeout"],
        "K20",
        "the server does not answer",
        "check address and firewall: 6443/tcp must get through to the server",
    ),
    vague(
        &["deadline exceeded", ":6443"],
        "K20",
        "the server does not answer",
        "check address and firewall: 6443/tcp must get through to the server",
    ),
    vague(
        &["no such host"],
        "K20",
        "the server's name has no address here",
        "use the server's address in the profile, or put its name into /etc/hosts",
    ),
];

/// The reason, if one of the lines says it.
#[must_use]
pub fn diagnose<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Diagnosis> {
    let (mut clear, mut vague) = (None, None);
    for line in lines {
        let fits = |sign: &&Sign| sign.words.iter().all(|word| line.contains(word));
        let Some(sign) = SIGNS.iter().find(fits) else {
            // Registered: what was wrong before is over.
            if line.contains("Successfully registered node")
                || line.contains("Node controller sync successful")
            {
                (clear, vague) = (None, None);
            }
            continue;
        };
        if sign.is_vague && line.contains(OWN_SERVER) {
            continue;
        }
        if sign.is_vague {
            vague = Some((sign, line));
        } else {
            clear = Some((sign, line));
        }
    }
    let (sign, line) = clear.or(vague)?;
    Some(Diagnosis {
        field: sign.field,
        reason: sign.reason,
        fix: sign.fix,
        line: clean(line.trim()),
        may_pass: sign.is_vague,
        by_certificate: sign.by_certificate,
    })
}

#[cfg(test)]
mod tests;
