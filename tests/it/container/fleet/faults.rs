//! Every way that ssh fails: one sentence and what to try, that node alone, and nothing half-made.

use super::trial;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::fleet::{Fleet, of_node};
use tests::lab::node::{Node, wait_for};
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ssh_says_what_is_wrong_and_what_to_try", every_fault),
        trial("a_push_goes_on_where_it_broke", push),
    ]
}

const NODE: &str = "worker-2";

/// What a join of that one machine says of it; the server is not there, so it never comes further than the way.
fn told(fleet: &Fleet<'_>, fault: &str, why: &str, fix: &str) -> anyhow::Result<()> {
    let (code, answer) = fleet.answer(&["join", NODE])?;
    let node = of_node(&answer, NODE)?;
    let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
    ensure!(code == 1 && node["result"] == "failed", "{fault}: {node:#}");
    ensure!(text("why").contains(why) && text("fix").contains(fix), "{fault}: {node:#}");
    Ok(())
}

fn on(node: &Node<'_>, script: &str) -> anyhow::Result<()> {
    node.said("sh", &["-ec", script]).map(drop)
}

fn every_fault(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::new(lab)?;
    fleet.configure("Host *\n  ConnectTimeout 3\n")?;
    told(&fleet, "nobody there", "no way to its address", "")
        .or_else(|_| told(&fleet, "nobody there", "does not answer", "is it on"))?;
    let node = fleet.stranger(NODE)?;
    told(&fleet, "unknown host key", "host key is not known yet", "compare the key")?;
    fleet.know(NODE)?;
    on(&node, "rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh")?;
    told(&fleet, "changed host key", "host key is not the one that is known", "ssh-keygen -f")?;
    fleet.know(NODE)?;
    on(&node, "mv /home/operator/.ssh /home/operator/away")?;
    told(&fleet, "password wanted", "it wants a password", "ssh-copy-id")?;
    on(&node, "echo 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/50.conf && systemctl restart ssh")?;
    told(&fleet, "key refused", "does not let this account in", "ssh-copy-id")?;
    on(&node, "mv /home/operator/away /home/operator/.ssh")?;
    on(&node, "systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh.service")?;
    told(&fleet, "refused", "no ssh server listens", "start its ssh server")?;
    on(&node, "systemctl start ssh.service && iptables -I INPUT -p tcp --dport 22 -j DROP")?;
    told(&fleet, "timeout", "it does not answer", "is it on")?;
    on(&node, "iptables -D INPUT -p tcp --dport 22 -j DROP")?;
    on(&node, "mv /etc/sudoers.d/50-admin /root/ && echo 'operator ALL=(ALL) ALL' >/etc/sudoers.d/50-admin")?;
    told(&fleet, "sudo", "sudo wants a password", "NOPASSWD")?;
    on(&node, "mv /root/50-admin /etc/sudoers.d/50-admin")?;
    on(&node, "mkdir -p /var/cache/rootstock && mount -t tmpfs -o size=20m tmpfs /var/cache/rootstock")?;
    told(&fleet, "disk full", "its disk is full", "make room there")?;
    on(&node, "umount /var/cache/rootstock")?;
    on(
        &node,
        "printf '#!/bin/sh\\necho aarch64\\n' >/usr/local/bin/uname && chmod 755 /usr/local/bin/uname",
    )?;
    told(&fleet, "wrong arch", "it is aarch64, and the profile says amd64", "another machine")?;
    on(&node, "rm /usr/local/bin/uname")?;
    ensure!(node.said("ls", &["/var/lib/rootstock"]).is_err(), "something was changed on the way");
    Ok(())
}

/// The connection is cut while the bundle is on its way, more than once; what had arrived is not sent again.
fn push(lab: &Lab) -> anyhow::Result<()> {
    let fleet = Fleet::new(lab)?;
    let node = fleet.machine(NODE)?;
    let size = std::fs::metadata(fleet.built().join("bundle-amd64.tar.gz"))?.len();
    let there = || -> anyhow::Result<u64> {
        let script = "stat -c %s /var/cache/rootstock/*.part 2>/dev/null || echo 0";
        Ok(node.said("sh", &["-c", script])?.trim().parse()?)
    };
    // What takes it in lets so many bytes pass, and then nothing until it is cut.
    let lets_pass = |bytes: u64| {
        let stand_in = format!("#!/bin/sh\nhead -c {bytes}\nexec sleep 600\n");
        let script = "cd /usr/local/bin && tee new >/dev/null && chmod 755 new && mv new cat";
        node.call("sh").args(["-c", script]).stdin(stand_in).run().map(drop)
    };
    lets_pass(size / 100 * 11)?;
    let call = fleet.xtask(&["join", NODE])?.arg("--json");
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| call.run());
        for share in [10, 40] {
            wait_for("the push is on its way", Duration::from_secs(240), || {
                Ok((run.is_finished() || there()? >= size / 100 * share).then_some(()))
            })?;
            ensure!(!run.is_finished(), "it did not wait to be cut");
            if share == 10 {
                lets_pass(size / 100 * 31)?;
            } else {
                on(&node, "rm /usr/local/bin/cat")?;
            }
            wait_for("a connection is cut", Duration::from_secs(60), || {
                Ok(on(&node, "pkill -KILL -f '[s]shd(-session)?: operator'").ok())
            })?;
        }
        run.join().map_err(|_| anyhow::anyhow!("the run panicked"))?.context("join")
    })?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let found = of_node(&answer, NODE)?;
    // There is no server it could join, but the bundle is there, byte for byte.
    ensure!(output.code == 1 && found["result"] != "converged", "{found:#}");
    let name = node.said("sh", &["-c", "cd /var/cache/rootstock; ls *.tar.gz; sha256sum <$(ls *.tar.gz)"])?;
    let (file, digest) = name.split_once('\n').context("two lines")?;
    ensure!(digest.starts_with(file.trim_end_matches(".tar.gz")), "{name}");
    ensure!(there()? == 0, "a part is left");
    let (_, again) = fleet.answer(&["join", NODE])?;
    ensure!(of_node(&again, NODE)?["sent-bytes"] == 0, "{again:#}");
    Ok(())
}
