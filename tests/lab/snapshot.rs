//! What a machine is, as far as it can be listed: files, mounts, links, rules, processes, control groups.
//!
//! In: a running node. Out: [`Snapshot`], a line a thing, so that two can be compared.

use super::node::Node;
use crate::node::Tree;
use anyhow::Context as _;

/// All of it: what it is to how it is.
pub type Snapshot = Tree;

/// What a look itself changes, or time does, with the reason; a place and all below it.
const MOVING: [(&str, &str); 6] = [
    ("/var/log/journal", "the journal of systemd grows by itself"),
    ("/var/log/wtmp", "every boot is written down"),
    ("/var/log/lastlog", "every login is written down"),
    ("/var/lib/systemd", "timers note when they ran last"),
    ("/run/systemd", "systemd's own running state"),
    ("/run/log", "the journal of systemd grows by itself"),
];

/// Prints a line a thing: its name, a tab, what it is.
const LIST: &str = r#"
set -eu
export LC_ALL=C
roots='/ /var/lib/rancher /var/lib/kubelet /run'
skip='( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /media ) -prune -o'
find $roots -xdev $skip -printf 'file %p\t%y %m %U:%G %l\n'
find $roots -xdev $skip -type f -print0 | xargs -0 -r sha256sum | sed 's/^\([0-9a-f]*\)  \(.*\)$/content \2\t\1/'
awk '{ print "mount " $2 "\t" $1 " " $3 }' /proc/mounts
ip -o link | awk '{ print "link " $2 "\tthere" }' | sed 's/@[^:]*:/:/'
ip netns list | sed 's/^/netns /; s/$/\t/'
for program in iptables ip6tables; do
  # A table that was looked at has empty chains of the kernel, which let everything pass as no table does.
  $program-save 2>/dev/null | grep '^[-:]' | grep -v '^:[A-Z]* ACCEPT' | sed "s/ \[[0-9:]*\]$//; s/^/$program /; s/$/\t/"
done || true
find /sys/fs/cgroup -type d \( -name 'kube*' -o -name '*cri-*' -o -name 'k3s*' \) | sed 's/^/cgroup /; s/$/\t/'
ps -eo comm= | sort -u | sed 's/^/process /; s/$/\t/'
"#;

/// Looks at everything.
///
/// # Errors
/// If the node does not answer.
pub fn take(node: &Node<'_>) -> anyhow::Result<Snapshot> {
    let text = node.said("sh", &["-c", LIST]).context("list what a node is")?;
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let kept = lines.filter(|(name, _)| !is_moving(name));
    Ok(kept.map(|(name, how)| (name.to_owned(), how.to_owned())).collect())
}

fn is_moving(name: &str) -> bool {
    let Some((_, path)) = name.split_once(' ') else { return false };
    MOVING.iter().any(|(place, _)| {
        path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
