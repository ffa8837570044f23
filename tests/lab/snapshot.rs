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

/// A script that prints a line a thing: its name, a tab, what it is.
pub const LIST: &str = r#"
set -eu
export LC_ALL=C
roots=/
for root in /var/lib/rancher /var/lib/kubelet /run; do
  ! mountpoint -q $root || roots="$roots $root"
done
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
# Listed before anything else is started, or whoever sorts the list is now and then a part of it.
processes=$(ps -eo comm=)
printf '%s\n' "$processes" | sort -u | sed 's/^/process /; s/$/\t/'
"#;

/// Looks at everything.
///
/// # Errors
/// If the node does not answer.
pub fn take(node: &Node<'_>) -> anyhow::Result<Snapshot> {
    Ok(read(&node.said("sh", &["-c", LIST]).context("list what a node is")?))
}

/// What [`LIST`] has printed.
#[must_use]
pub fn read(text: &str) -> Snapshot {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let kept = lines.filter(|(name, _)| !is_moving(name));
    kept.map(|(name, how)| (name.to_owned(), how.to_owned())).collect()
}

/// Those of its things that are none of these, each a place and all below it.
#[must_use]
pub fn without(snapshot: &Snapshot, except: &[(&str, &str)]) -> Snapshot {
    let is_excepted = |name: &str| {
        let Some((_, path)) = name.split_once(' ') else { return false };
        except.iter().any(|(place, _)| is_below(path, place))
    };
    let of = snapshot.iter().filter(|(name, _)| !is_excepted(name));
    of.map(|(name, how)| (name.clone(), how.clone())).collect()
}

fn is_moving(name: &str) -> bool {
    let Some((_, path)) = name.split_once(' ') else { return false };
    MOVING.iter().any(|(place, _)| is_below(path, place))
}

fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
