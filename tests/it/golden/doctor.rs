//! `bootstrap doctor`, `status`, and the refusals of `join`: a node that is a folder, and each thing wrong with it alone.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, ensure};
use desired::Mode;
use desired::resource::{Owner, Resource, SecretPart, Want};
use host::process::Invocation;
use tests::node::{Node, VARIABLE, difference, whole_tree};
use tests::programs::said;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "doctor::each_refusal_stands_alone_and_join_writes_nothing", |_| refusals()),
        Trial::new(Ring::Golden, "doctor::the_server_and_its_certificates_are_asked", |_| server()),
        Trial::new(Ring::Golden, "doctor::one_clear_line_why_a_node_did_not_join", |_| diagnosis()),
        Trial::new(Ring::Golden, "status::tells_drift_and_convergence", |_| status()),
    ]
}

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const REFUSED: i32 = 5;
/// What `join` ends with where the bundle is for other machines.
const WRONG_BUNDLE: i32 = 6;

fn token() -> String {
    format!("K10{HASH}::abcdef.0123456789abcdef")
}

/// An agent of the server at `address`.
fn agent(address: &str) -> Vec<Resource> {
    let file = |path: &str, mode: Mode, content: String| {
        let path = path.parse().expect("a legal path");
        Resource::new(Want::File { path, mode, owner: Owner::root(), content })
    };
    let settings = format!("node-name: rpi-01\nflannel-backend: vxlan\nserver: {address}\n");
    let unit = "[Service]\nExecStart=/usr/local/bin/k3s agent\n[Install]\nWantedBy=multi-user.target\n";
    let reference = format!("env:{VARIABLE}").parse().expect("a legal reference");
    vec![
        file("/etc/rancher/k3s/config.yaml", Mode::PRIVATE, settings),
        Resource::new(Want::SecretFile {
            path: "/etc/rancher/k3s/token".parse().expect("a legal path"),
            mode: Mode::PRIVATE,
            owner: Owner::root(),
            parts: vec![SecretPart::Secret(reference), SecretPart::Text("\n".to_owned())],
        }),
        file("/etc/systemd/system/k3s-agent.service", Mode::PUBLIC, unit.to_owned()),
        Resource::new(Want::Unit {
            name: "k3s-agent.service".parse().expect("a legal name"),
            enabled: true,
            active: true,
            waits: false,
            restart_on: std::collections::BTreeSet::new(),
        }),
    ]
}

fn put(node: &Node, path: &str, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let path = node.at(path);
    std::fs::create_dir_all(path.parent().context("every path has a folder")?)?;
    Ok(std::fs::write(path, bytes)?)
}

const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
const SOCKETS: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// What the kernel of a sound machine shows.
fn sound(node: &Node) -> anyhow::Result<()> {
    let mut shell = vec![0; 64];
    shell[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    shell[18] = 62;
    put(node, "/bin/sh", shell)?;
    put(node, "/etc/hostname", "rpi-01\n")?;
    put(node, "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")?;
    put(node, "/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\n")?;
    let numbers = [6_u64, 4096, 0, 0].into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    put(node, "/proc/self/auxv", numbers)?;
    let row = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
    put(node, "/proc/net/route", format!("{ROUTES}{row}"))?;
    put(node, "/proc/net/tcp", SOCKETS)?;
    put(node, "/proc/sys/kernel/osrelease", "6.12.1\n")?;
    put(node, "/lib/modules/6.12.1/modules.dep", "kernel/drivers/net/vxlan/vxlan.ko.xz:\n")
}

/// A check, words of its refusal, and what makes it refuse.
type Case = (&'static str, &'static str, fn(&Node) -> anyhow::Result<()>);

/// The start of a program for a machine with words of that class (1: 32 bits, 2: 64) and of that kind (elf(5)).
fn shell(class: u8, machine: u8) -> Vec<u8> {
    let mut shell = [b"\x7fELF", &[class, 1, 1][..]].concat();
    shell.resize(64, 0);
    shell[18] = machine;
    shell
}

fn cases() -> Vec<Case> {
    vec![
        ("userland", "programs here are for armhf", |node| put(node, "/bin/sh", shell(1, 40))),
        ("userland", "programs here are for arm64", |node| put(node, "/bin/sh", shell(2, 183))),
        ("memory-cgroup", "cgroup_enable=memory to the one line of /boot/firmware/cmdline.txt", |node| {
            put(node, "/sys/fs/cgroup/cgroup.controllers", "cpu io pids\n")?;
            put(node, "/boot/firmware/cmdline.txt", "root=PARTUUID=1 rootwait\n")
        }),
        ("hostname", "`raspberrypi`", |node| put(node, "/etc/hostname", "raspberrypi\n")),
        ("default-route", "there is none", |node| put(node, "/proc/net/route", ROUTES)),
        ("ports", "10250/tcp by kubelet", |node| {
            let row = "   0: 00000000:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1\n";
            put(node, "/proc/net/tcp", format!("{SOCKETS}{row}"))?;
            put(node, "/proc/9/comm", "kubelet\n")?;
            std::fs::create_dir_all(node.at("/proc/9/fd"))?;
            Ok(symlink("socket:[77]", node.at("/proc/9/fd/3"))?)
        }),
        ("vxlan", "the kernel does not have it", |node| put(node, "/lib/modules/6.12.1/modules.dep", "")),
        ("other-kubernetes", "/etc/kubernetes", |node| put(node, "/etc/kubernetes/kubelet.conf", "")),
        ("other-kubernetes", "found k3s.service", |node| put(node, "/etc/systemd/system/k3s.service", "")),
        ("other-kubernetes", "belongs to https://old:6443", |node| {
            put(node, "/etc/rancher/k3s/config.yaml", "server: https://old:6443\n")
        }),
    ]
}

const SERVER: &str = "https://192.168.1.10:6443";

fn refusals() -> anyhow::Result<()> {
    let node = Node::new(&agent(SERVER))?;
    sound(&node)?;
    let output = node.call("doctor")?.env(VARIABLE, token()).run()?;
    ensure!(output.code == 0, "a sound node ends with {}:\n{}", output.code, said(&output));
    ensure!(said(&output).contains("0 refused"), "{}", said(&output));
    for (check, words, harm) in cases() {
        node.renew()?;
        sound(&node)?;
        harm(&node)?;
        refused(&node, check, words, &token()).with_context(|| words.to_owned())?;
    }
    for (token, words) in [
        ("correct-horse-battery", "a bare secret"),
        (&format!("K10{HASH}::server:battery"), "master of the whole cluster"),
        ("K10abc::node:battery", "no whole token"),
    ] {
        node.renew()?;
        sound(&node)?;
        refused(&node, "token", words, token).with_context(|| words.to_owned())?;
    }
    full_disk(&node)
}

/// The one refusal of `check`, in `doctor` and in `join`, which leaves everything as it is.
fn refused(node: &Node, check: &str, words: &str, token: &str) -> anyhow::Result<()> {
    let before = whole_tree(node.root())?;
    let output = node.call("doctor")?.env(VARIABLE, token).run()?;
    let doctor = said(&output);
    ensure!(output.code == REFUSED, "doctor ends with {}:\n{doctor}", output.code);
    let line = doctor.lines().find(|line| line.starts_with("REFUSED")).context("nothing is refused")?;
    ensure!(line.contains(check) && doctor.contains(words) && doctor.contains("fix: "), "{doctor}");
    ensure!(doctor.contains(" 1 refused"), "more than that is refused:\n{doctor}");
    let output = node.call("join")?.arg("--yes").env(VARIABLE, token).run()?;
    let join = said(&output);
    // A bundle for other machines is not verified, whatever else they have.
    let code = if check == "userland" { WRONG_BUNDLE } else { REFUSED };
    ensure!(output.code == code, "join ends with {}:\n{join}", output.code);
    ensure!(join.contains(&format!("{check}: ")) && join.contains("nothing was changed"), "{join}");
    ensure!(![&doctor, &join].iter().any(|text| text.contains("battery")), "the token is told");
    let after = whole_tree(node.root())?;
    ensure!(before == after, "something was changed:\n{}", difference(&before, &after));
    Ok(())
}

/// What will be written has no room: a small disk below `/etc`.
fn full_disk(node: &Node) -> anyhow::Result<()> {
    node.renew()?;
    sound(node)?;
    let place = node.at("/etc/rancher");
    std::fs::create_dir_all(&place)?;
    Invocation::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(&place).run()?;
    let outcome = refused(node, "space", "/etc/rancher", &token());
    Invocation::new("umount").arg(&place).run()?;
    outcome
}

/// On the running system, with a server of ours and a curl that shows its certificates.
fn server() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("https://127.0.0.1:{}", listener.local_addr()?.port());
    let node = Node::new(&agent(&address))?;
    let bin = node.outside().join("bin");
    std::fs::create_dir_all(&bin)?;
    let ask = |certificates: &str| -> anyhow::Result<String> {
        let curl = bin.join("curl");
        std::fs::write(&curl, format!("#!/bin/sh\nprintf %s '{certificates}'\n"))?;
        std::fs::set_permissions(&curl, std::fs::Permissions::from_mode(0o755))?;
        let path = std::env::join_paths(
            [bin.clone()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        )?;
        let call = tests::programs::bootstrap()?.arg("doctor").env("PATH", path).env(VARIABLE, token());
        let call = call.args(["--node", "rpi-01", "--bundle"]).arg(node.archive()).arg("--json");
        let output = call.arg("--journal").arg(Path::new("/dev/null")).run()?;
        Ok(output.text())
    };
    let mark = |text: &str, check: &str| -> anyhow::Result<(String, String)> {
        let value: serde_json::Value = serde_json::from_str(text).with_context(|| text.to_owned())?;
        let checks = value["checks"].as_array().context("there are checks")?;
        let found = checks.iter().find(|one| one["check"] == check).context("the check is there")?;
        Ok((found["mark"].to_string(), found["evidence"].to_string()))
    };
    // SHA-256 of `abc` is the hash in the token.
    let text = ask("abc")?;
    ensure!(mark(&text, "server")?.0 == "\"ok\"", "{text}");
    ensure!(mark(&text, "server-certificate")?.0 == "\"ok\"", "{text}");
    let text = ask("other")?;
    let (found, evidence) = mark(&text, "server-certificate")?;
    ensure!(found == "\"refuse\"" && evidence.contains("the token is for ba7816bf8f01"), "{text}");
    drop(listener);
    let text = ask("abc")?;
    let (found, evidence) = mark(&text, "server")?;
    ensure!(found == "\"refuse\"" && evidence.contains("connection refused"), "{text}");
    ensure!(mark(&text, "server-certificate")?.0 == "\"unknown\"", "{text}");
    ensure!(!text.contains("0123456789abcdef"), "the token is told");
    Ok(())
}

fn diagnosis() -> anyhow::Result<()> {
    let node = Node::new(&agent(SERVER))?;
    sound(&node)?;
    let file = node.outside().join("said");
    for (line, words) in [
        ("level=info msg=\"Node password rejected, duplicate hostname\"", "NAME.node-password.k3s"),
        ("level=fatal msg=\"failed to find memory cgroup (v2)\"", "memory cgroup is off"),
        (
            "level=fatal msg=\"token CA hash does not match the Cluster CA certificate hash\"",
            "another cluster",
        ),
        ("dial tcp 192.168.1.10:6443: connect: connection refused", "nothing listens on the server's port"),
    ] {
        std::fs::write(&file, format!("Starting k3s-agent.service\n{line}\nScheduled restart job\n"))?;
        let output = node.call("doctor")?.env(VARIABLE, token()).arg("--journal").arg(&file).run()?;
        ensure!(output.code == REFUSED, "exit {}:\n{}", output.code, said(&output));
        let told = said(&output);
        ensure!(told.matches("k3s did not join: ").count() == 1 && told.contains(words), "{told}");
    }
    Ok(())
}

fn status() -> anyhow::Result<()> {
    let node = Node::new(&agent(SERVER))?;
    sound(&node)?;
    put(&node, "/sys/class/thermal/thermal_zone0/temp", "48312\n")?;
    let ask = || -> anyhow::Result<(i32, String)> {
        let output = node.call("status")?.env(VARIABLE, token()).run()?;
        Ok((output.code, said(&output)))
    };
    let (code, told) = ask()?;
    ensure!(code == 3 && told.contains("changes pending") && told.contains("never"), "{code}:\n{told}");
    ensure!(told.contains("48.3 °C"), "{told}");
    let output = node.call("join")?.arg("--yes").env(VARIABLE, token()).run()?;
    ensure!(output.code == 0, "{}", said(&output));
    let (code, told) = ask()?;
    ensure!(code == 0 && told.contains("converged") && told.contains("with this bundle"), "{code}:\n{told}");
    put(&node, "/etc/rancher/k3s/config.yaml", "server: https://old:6443\n")?;
    let (code, told) = ask()?;
    ensure!(code == 3 && told.contains("1 changes pending"), "{code}:\n{told}");
    Ok(())
}
