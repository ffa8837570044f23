//! A machine as a folder: what the kernel and others write there is read as they mean it.

use std::collections::BTreeMap;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use desired::observed::Answer;
use desired::preflight::Needs;
use desired::preflight::facts::{Facts, Listener};

use super::*;

fn put(folder: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn facts(folder: &Path) -> Facts {
    collect(&Root::open(folder).unwrap(), &Needs::default(), &History::default())
}

fn known<T: std::fmt::Debug>(answer: Answer<T>) -> T {
    match answer {
        Answer::Known(value) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_folder_tells_nothing_and_nothing_is_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts(folder.path());
    assert!(matches!(facts.userland, Answer::Unknown { .. }));
    for later in [facts.cgroup == Answer::later(NOT_LIVE), facts.page_size == Answer::later(NOT_LIVE)] {
        assert!(later);
    }
    assert_eq!(facts.listeners, Answer::later(NOT_LIVE));
    assert_eq!(facts.clock, Answer::later(NOT_LIVE));
    assert_eq!(known(facts.hostname), None);
}

#[test]
fn userland_pages_and_cgroups_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = vec![0; 64];
    shell[..5].copy_from_slice(b"\x7fELF\x01");
    shell[18] = 40;
    put(folder.path(), "usr/bin/dash", &shell);
    symlink("usr/bin", folder.path().join("bin")).unwrap();
    symlink("dash", folder.path().join("usr/bin/sh")).unwrap();
    let numbers: Vec<u8> = [3_u64, 0x40, 6, 16_384, 0, 0].into_iter().flat_map(u64::to_le_bytes).collect();
    put(folder.path(), "proc/7/auxv", numbers);
    symlink("7", folder.path().join("proc/self")).unwrap();
    let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t0\n";
    put(folder.path(), "proc/cgroups", table);
    put(folder.path(), "boot/firmware/cmdline.txt", "root=PARTUUID=1 rootwait\n");
    let facts = facts(folder.path());
    assert_eq!(known(facts.userland), "armhf");
    assert_eq!(known(facts.page_size), 16_384);
    let cgroup = known(facts.cgroup);
    assert_eq!((cgroup.enabled, cgroup.controllers), (Some(false), None));
    assert_eq!(cgroup.file.unwrap().0, "/boot/firmware/cmdline.txt");
}

#[test]
fn routes_and_sockets_are_read_with_their_holders() {
    let folder = tempfile::tempdir().unwrap();
    let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
    let row = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    put(folder.path(), "proc/net/route", format!("{head}{row}"));
    let zeroes = "0".repeat(32);
    let rejects = format!("{zeroes} 00 {zeroes} 00 {zeroes} ffffffff 00000001 00000000 00200200       lo\n");
    put(folder.path(), "proc/net/ipv6_route", rejects);
    assert_eq!(known(facts(folder.path()).default_routes), BTreeSet::new(), "a local and a rejecting route");
    let row = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
    put(folder.path(), "proc/net/route", format!("{head}{row}"));
    assert_eq!(known(facts(folder.path()).default_routes), BTreeSet::from(["wlan0".to_owned()]));

    let head =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    // 6443 listens, 10250 is only connected from, 22 is not asked about.
    let rows = "   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n   \
                1: 0100007F:280A 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 4243 1\n   \
                2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1\n";
    put(folder.path(), "proc/net/tcp", format!("{head}{rows}"));
    let row =
        "  11: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2\n";
    put(folder.path(), "proc/net/udp", format!("{head}{row}"));
    put(folder.path(), "proc/31/comm", "haproxy\n");
    std::fs::create_dir_all(folder.path().join("proc/31/fd")).unwrap();
    symlink("socket:[4242]", folder.path().join("proc/31/fd/5")).unwrap();
    let of = |protocol, port, holder: &str| Listener { protocol, port, holder: Some(holder.to_owned()) };
    let found = known(facts(folder.path()).listeners);
    assert_eq!(found, [of("tcp", 6443, "haproxy"), of("udp", 8472, "kernel")]);
}

#[test]
fn addresses_are_read_off_the_output_of_ip() {
    let text = "2: eth0    inet 192.168.1.5/24 metric 100 brd 192.168.1.255 scope global dynamic eth0\\       valid_lft 1sec\n\
                2: eth0    inet6 fd00::5/64 scope global \\       valid_lft forever\n\
                7: eth1@if6    inet 10.0.0.2/24 scope global eth1\n";
    let found = network::by_interface(text);
    assert_eq!(found["eth0"], BTreeSet::from(["192.168.1.5".to_owned(), "fd00::5".to_owned()]));
    assert_eq!(found["eth1"], BTreeSet::from(["10.0.0.2".to_owned()]));
}

#[test]
fn a_server_answers_or_the_reason_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(network::connect("127.0.0.1", port), Ok(()));
    drop(listener);
    assert!(network::connect("127.0.0.1", port).unwrap_err().contains("connection refused"));
    assert!(network::connect("no.such.host.invalid", 6443).unwrap_err().contains("no address"));
}

#[test]
fn modules_others_and_disks_are_found() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "proc/sys/kernel/osrelease", "6.12.1\n");
    put(folder.path(), "lib/modules/6.12.1/modules.dep", "kernel/drivers/net/dummy.ko.xz:\n");
    assert!(!known(facts(folder.path()).vxlan));
    put(folder.path(), "lib/modules/6.12.1/modules.builtin", "kernel/drivers/net/vxlan/vxlan.ko\n");
    assert!(known(facts(folder.path()).vxlan));
    put(folder.path(), "etc/kubernetes/kubelet.conf", "");
    put(
        folder.path(),
        "etc/systemd/system/k3s-agent.service.env",
        "K3S_TOKEN='x'\nK3S_URL='https://old:6443'\n",
    );
    put(folder.path(), "etc/systemd/system/k3s-agent.service", "");
    let found = facts(folder.path()).kubernetes;
    assert_eq!((found.foreign.as_slice(), found.is_ours), (&["/etc/kubernetes".to_owned()][..], false));
    assert_eq!(
        (found.units, found.server.as_deref()),
        (vec!["k3s-agent.service".to_owned()], Some("https://old:6443"))
    );
    let mounts =
        "22 1 259:2 / / rw - ext4 /dev/root rw\n40 22 179:2 / /var/lib/rancher rw - ext4 /dev/mmcblk0p2 rw\n";
    put(folder.path(), "proc/self/mountinfo", mounts);
    std::fs::create_dir_all(folder.path().join("sys/dev/block")).unwrap();
    symlink("../../devices/mmc0/block/mmcblk0/mmcblk0p2", folder.path().join("sys/dev/block/179:2")).unwrap();
    let root = Root::open(folder.path()).unwrap();
    assert_eq!(known(disk::device(&root, "/var/lib/rancher/k3s")), "mmcblk0p2");
    assert!(matches!(disk::device(&root, "/var/lib/rancherous"), Answer::Unknown { .. }));
}

#[test]
fn a_clock_is_waited_for_and_not_for_ever() {
    let mut answers = [0, 60, 1_800_000_000].into_iter();
    assert!(machine::wait(Duration::from_secs(5), Duration::ZERO, || answers.next().unwrap()));
    assert!(!machine::wait(Duration::ZERO, Duration::ZERO, || 60));
}

/// FIELD K20: flannel's own port on a joined node is no stranger's.
#[test]
fn a_socket_that_no_process_has_is_the_kernels() {
    let holders = BTreeMap::from([("7".to_owned(), "haproxy".to_owned())]);
    let of = |inode, sees_all| super::network::holder(inode, &holders, sees_all);
    assert_eq!(of("7", true).as_deref(), Some("haproxy"));
    assert_eq!(of("0", false).as_deref(), Some("kernel"));
    assert_eq!(of("9", true).as_deref(), Some("kernel"));
    assert_eq!(of("9", false), None, "somebody else's process may have it");
}
