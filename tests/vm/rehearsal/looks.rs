//! What every node has to be after its first boot, and after every other.

use super::{Rehearsal, Role, person};
use crate::programs::{self, said};
use crate::vm::card::Machine;
use anyhow::{Context as _, ensure};
use host::disk::Whole;
use host::disk::insight::Insight;
use host::process::Invocation;

/// Looks at a machine that has booted.
pub(super) fn all(rehearsal: &mut Rehearsal, machine: &Machine, role: &Role, boot: u32) {
    rehearsal.look(boot, "cloud-init has nothing to complain about", || cloud_init(machine));
    rehearsal.look(boot, "its name is the node's", || name(machine, role));
    rehearsal.look(boot, "its address is the node's", || address(machine, role));
    rehearsal.look(boot, "its root fills the medium", || grown(machine));
    if role.user.is_some() {
        rehearsal.look(boot, "its person logs in by key, and by nothing else", || logins(machine, role));
    }
    rehearsal.look(boot, "nothing is left to do", || converged(machine));
    rehearsal.look(boot, "fstab and what is mounted agree", || mounts(machine, role));
    rehearsal.look(boot, "no secret is left behind", || secrets(machine, role));
}

fn cloud_init(machine: &Machine) -> anyhow::Result<()> {
    let call = machine.call(&["cloud-init", "status", "--wait", "--format=json"])?;
    let output = call.accept((0..255).collect::<Vec<_>>()).run()?;
    let answer: serde_json::Value = serde_json::from_str(&output.text()).context("cloud-init's status")?;
    let is_well = answer["status"] == "done" && answer["errors"].as_array().is_none_or(Vec::is_empty);
    let complaints = answer["recoverable_errors"].as_object().is_none_or(serde_json::Map::is_empty);
    ensure!(is_well && complaints, "{answer}");
    Ok(())
}

fn name(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    let names =
        machine.sh("hostname; cat /etc/hostname; getent hosts \"$(hostname)\" >/dev/null && echo found")?;
    ensure!(names == format!("{0}\n{0}\nfound", role.node), "{names}");
    Ok(())
}

fn address(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    let has = machine.sh("ip -4 -o address show scope global; ip -4 route show default")?;
    ensure!(has.contains(&format!(" {}/", role.address)) && has.contains("default via"), "{has}");
    Ok(())
}

/// The last MiB may be a backup of a table, or too little for a further group of blocks.
fn grown(machine: &Machine) -> anyhow::Result<()> {
    let free = machine.sh("disk=/dev/$(lsblk -no PKNAME \"$(findmnt -no SOURCE /)\")
        echo $(( ($(blockdev --getsize64 $disk) - $(df -B1 --output=size / | tail -n 1)) / 1048576 ))")?;
    // The boot partition, and what ext4 keeps for itself.
    ensure!(free.parse::<u64>().is_ok_and(|free| free < 1200), "{free} MiB are not the root's");
    Ok(())
}

fn logins(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    let line = person(machine, role)?;
    let who = line.call(&["id", "-un"]).run()?.text();
    ensure!(role.user.as_ref().is_some_and(|(user, _)| *user == who), "it is {who} who logs in");
    let rules =
        machine.sh("sshd -T 2>/dev/null | grep -i -e '^passwordauthentication' -e '^permitrootlogin'")?;
    ensure!(rules.contains("passwordauthentication no"), "{rules}");
    Ok(())
}

fn converged(machine: &Machine) -> anyhow::Result<()> {
    for words in [&["plan", "--detailed-exitcode"][..], &["status"]] {
        let output = machine.bootstrap(words)?;
        ensure!(output.code == 0, "{} ends with {}: {}", words.join(" "), output.code, said(&output));
    }
    Ok(())
}

fn mounts(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    let call = machine.call(&["findmnt", "--verify"])?.accept([0, 1]);
    let output = call.run()?;
    let text = said(&output);
    // It looks through the automount, behind which nothing is while no server is there.
    let is_harmless =
        |line: &str| !role.orphans.is_empty() && line.contains("unreachable on boot required target");
    let mut errors = text.lines().filter(|line| line.contains("[E]"));
    ensure!(output.code == 0 || errors.all(is_harmless), "{text}");
    Ok(())
}

fn secrets(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    for secret in &role.secrets {
        let search =
            "grep -rlaF -f - /boot/firmware /var/lib/cloud /run/cloud-init /var/log /etc/systemd || true";
        let found =
            machine.call(&["sh", "-c", search])?.stdin(format!("{secret}\n").into_bytes()).run()?.text();
        ensure!(found.is_empty(), "a secret is still in {}", found.replace('\n', ", "));
    }
    Ok(())
}

/// Looks at the medium of a machine that is off.
pub(super) fn medium(machine: &Machine, role: &Role) -> anyhow::Result<()> {
    let medium = machine.medium();
    let insight = Insight::of(&Whole::open(&medium)?)?;
    ensure!(insight.remarks.is_empty(), "{:?}", insight.remarks);
    let root = insight.partitions.iter().find(|one| one.file_system.as_deref() == Some("ext4"));
    let root = format!("{}?offset={}", medium.display(), root.context("it has a root")?.start);
    // A journal that was not replayed is no damage; one of a machine that was shut down is empty.
    Invocation::new("e2fsck").args(["-f", "-n", &root]).run().context("the root")?;
    let boot = insight.partitions.iter().find(|one| Some(one.number) == insight.boot);
    let boot = boot.context("it has a boot partition")?;
    for secret in &role.secrets {
        // Deleted files are in no listing and still on the medium: every byte is read.
        let search =
            "tail -c +$(($1 + 1)) \"$0\" | head -c \"$2\" | LC_ALL=C grep -a -c -F -f \"$3\" || true";
        let pattern = tempfile::NamedTempFile::new()?;
        std::fs::write(pattern.path(), secret)?;
        let (start, size) = (boot.start.to_string(), boot.size.0.to_string());
        let call = Invocation::new("sh").args(["-c", search]).arg(&medium).args([start, size]);
        let found = call.arg(pattern.path()).run()?.text();
        ensure!(found.trim() == "0", "{found} lines of the boot partition still hold a secret");
    }
    let told = programs::xtask()?.arg("inspect").arg(&medium).run()?;
    ensure!(told.code == 0, "inspect ends with {}: {}", told.code, said(&told));
    Ok(())
}
