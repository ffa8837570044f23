//! A sound machine passes, and each thing that is wrong with one is seen alone.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::*;
use super::needs::{K3sNeeds, Role, host_and_port, scalars};
use super::token::{TokenFact, TokenKind};
use super::*;
use crate::types::{Arch, Digest};

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn needs() -> Needs {
    let k3s = K3sNeeds {
        role: Role::Agent,
        server: Some("https://192.168.1.10:6443".to_owned()),
        interface: Some("eth0".to_owned()),
        address: Some("192.168.1.21".to_owned()),
        backend: Some("vxlan".to_owned()),
        data_directory: "/var/lib/rancher/k3s".to_owned(),
        bundled_programs: false,
        version: Some("v1.36.4+k3s1".to_owned()),
        etcd: false,
        token: None,
    };
    Needs {
        arch: Some(Arch::Arm64),
        hostname: Some("rpi-01".parse().unwrap()),
        k3s: Some(k3s),
        ..Needs::default()
    }
}

fn sound() -> Facts {
    let k = Answer::Known::<Option<String>>;
    Facts {
        userland: Answer::Known("arm64".to_owned()),
        cgroup: Answer::Known(Cgroup {
            controllers: Some("cpuset cpu io memory pids".to_owned()),
            ..Cgroup::default()
        }),
        page_size: Answer::Known(4096),
        clock: Answer::Known(Clock { now: machine::EARLIEST + 86_400, is_synchronised: Some(true) }),
        hostname: k(Some("rpi-01".to_owned())),
        default_routes: Answer::Known(BTreeSet::from(["eth0".to_owned()])),
        addresses: Answer::Known(BTreeMap::from([(
            "eth0".to_owned(),
            BTreeSet::from(["192.168.1.21".to_owned()]),
        )])),
        server: Answer::Known(Ok(())),
        server_certificates: Answer::Known(Digest::sha256_of(b"abc")),
        token: Answer::Known(TokenFact::of(&format!("K10{HASH}::abcdef.0123456789abcdef"))),
        token_accepted: Answer::Known(true),
        listeners: Answer::Known(Vec::new()),
        iptables: k(Some("iptables v1.8.11 (nf_tables)".to_owned())),
        vxlan: Answer::Known(true),
        k3s_version: k(Some("k3s version v1.35.9+k3s1 (abc)\ngo version go1.26".to_owned())),
        kubernetes: Kubernetes::default(),
        swap: Answer::Known(Swap::default()),
        space: Answer::Known(vec![Space { folder: "/".to_owned(), available: 1 << 30, wanted: 1 << 20 }]),
        data_device: Answer::Known("nvme0n1p2".to_owned()),
    }
}

/// What is not fine, as check and mark.
fn wrong(needs: &Needs, facts: &Facts) -> Vec<(Check, Mark)> {
    let verdicts = judge(needs, facts).into_iter().filter(|verdict| verdict.mark != Mark::Ok);
    verdicts.map(|verdict| (verdict.check, verdict.mark)).collect()
}

#[test]
fn a_sound_machine_passes_every_check() {
    assert_eq!(wrong(&needs(), &sound()), []);
    let checks: Vec<Check> = judge(&needs(), &sound()).iter().map(|verdict| verdict.check).collect();
    assert_eq!(checks.len(), 17, "{checks:?}");
    let nothing = judge(&Needs::default(), &sound());
    assert!(nothing.iter().all(|verdict| verdict.mark == Mark::Ok), "{nothing:?}");
    assert_eq!(nothing.len(), 6, "without k3s nothing of it is asked");
}

type Harm = fn(&mut Needs, &mut Facts);

fn k3s(needs: &mut Needs) -> &mut K3sNeeds {
    needs.k3s.as_mut().unwrap()
}
fn says_version(facts: &mut Facts, version: &str) {
    facts.k3s_version = Answer::Known(Some(format!("k3s version {version} (abc)")));
}
fn listens(protocol: &'static str, port: u16, holder: Option<&str>) -> Answer<Vec<Listener>> {
    Answer::Known(vec![Listener { protocol, port, holder: holder.map(str::to_owned) }])
}
fn cgroup(file: &str, command_line: &str) -> Answer<Cgroup> {
    Answer::Known(Cgroup {
        controllers: Some("cpu io pids".to_owned()),
        enabled: None,
        command_line: command_line.to_owned(),
        file: Some(("/boot/firmware/cmdline.txt".to_owned(), file.to_owned())),
    })
}

const REFUSALS: &[(Check, &str, &str, Harm)] = &[
    (Check::Userland, "K30", "armhf", |_, f| f.userland = Answer::Known("armhf".to_owned())),
    (Check::Userland, "K30", "amd64", |_, f| f.userland = Answer::Known("amd64".to_owned())),
    (Check::MemoryCgroup, "K1", "cgroup_enable=memory", |_, f| f.cgroup = cgroup("root=/dev/sda1\n", "")),
    (Check::MemoryCgroup, "K1", "take cgroup_disable=memory out", |_, f| {
        f.cgroup = cgroup("cgroup_enable=memory cgroup_disable=memory\n", "");
    }),
    (Check::MemoryCgroup, "K2", "one line", |_, f| f.cgroup = cgroup("root=x\ncgroup_enable=memory\n", "")),
    (Check::MemoryCgroup, "K3", "reboot", |_, f| f.cgroup = cgroup("cgroup_enable=memory\n", "root=x")),
    (Check::MemoryCgroup, "K1", "command line", |_, f| f.cgroup = Answer::Known(Cgroup::default())),
    (Check::K3sVersion, "K25", "cluster's data", |_, f| says_version(f, "v1.36.5+k3s1")),
    (Check::K3sVersion, "K25", "cluster's data", |_, f| says_version(f, "v1.36.4+k3s2")),
    (Check::K3sVersion, "K25", "first to the newest v1.35", |_, f| says_version(f, "v1.34.1+k3s1")),
    (Check::K3sVersion, "K25", "cluster's data", |_, f| says_version(f, "v2.0.0+k3s1")),
    (Check::Clock, "K19", "1970", |_, f| f.clock = Answer::Known(Clock { now: 90, is_synchronised: None })),
    (Check::Clock, "K19", "2099", |_, f| {
        f.clock = Answer::Known(Clock { now: 129 * 31_556_952, is_synchronised: None });
    }),
    (Check::Hostname, "K8", "raspberrypi", |n, _| n.hostname = Some("raspberrypi".parse().unwrap())),
    (Check::Hostname, "K8", "localhost", |n, f| {
        n.hostname = None;
        f.hostname = Answer::Known(Some("localhost".to_owned()));
    }),
    (Check::Hostname, "K8", "lower case", |n, f| {
        n.hostname = None;
        f.hostname = Answer::Known(Some("MyPi".to_owned()));
    }),
    (Check::Hostname, "K8", "none is set", |n, f| {
        n.hostname = None;
        f.hostname = Answer::Known(None);
    }),
    (Check::DefaultRoute, "K21", "dummy0", |_, f| f.default_routes = Answer::Known(BTreeSet::new())),
    (Check::Interface, "K17", "wlan0, which has no address", |n, _| {
        k3s(n).interface = Some("wlan0".to_owned());
    }),
    (Check::Interface, "K17", "192.168.1.22, which is not there", |n, _| {
        k3s(n).address = Some("192.168.1.22".to_owned());
    }),
    (Check::Server, "K20", "connection refused", |_, f| {
        f.server = Answer::Known(Err("connection refused".to_owned()));
    }),
    (Check::ServerCertificate, "K10", "the token is for ba7816bf8f01", |_, f| {
        f.server_certificates = Answer::Known(Digest::sha256_of(b"other"));
    }),
    (Check::Token, "K14", "it has ended", |_, f| f.token_accepted = Answer::Known(false)),
    (Check::Ports, "K20", "10250/tcp by kubelet", |_, f| {
        f.listeners = listens("tcp", 10250, Some("kubelet"));
    }),
    (Check::Ports, "K20", "8472/udp by a program", |_, f| f.listeners = listens("udp", 8472, None)),
    (Check::Vxlan, "K7", "linux-modules-extra-raspi", |_, f| f.vxlan = Answer::Known(false)),
    (Check::OtherKubernetes, "K20", "/etc/kubernetes", |_, f| {
        f.kubernetes.foreign = vec!["/etc/kubernetes".to_owned()];
    }),
    (Check::OtherKubernetes, "K22", "k3s-uninstall.sh", |_, f| {
        f.kubernetes.units = vec!["k3s.service".to_owned()];
    }),
    (Check::OtherKubernetes, "K10", "belongs to https://other:6443", |_, f| {
        f.kubernetes.server = Some("https://other:6443".to_owned());
    }),
    (Check::Space, "B10", "1.0 MiB free", |_, f| {
        let space = Space { folder: "/usr".to_owned(), available: 1 << 20, wanted: 70 << 20 };
        f.space = Answer::Known(vec![space]);
    }),
];

#[test]
fn each_refusal_stands_alone_and_says_what_to_do() {
    for (check, field, words, harm) in REFUSALS {
        let (mut needs, mut facts) = (needs(), sound());
        harm(&mut needs, &mut facts);
        assert_eq!(wrong(&needs, &facts), [(*check, Mark::Refuse)], "{words}");
        let verdicts = judge(&needs, &facts);
        let verdict = verdicts.iter().find(|verdict| verdict.check == *check).unwrap();
        assert_eq!(verdict.field, *field, "{words}");
        assert!(verdict.sentence().contains(words), "{words}: {}", verdict.sentence());
        assert!(verdict.reason.is_some() && verdict.fix.is_some(), "{verdict:?}");
    }
}

const WARNINGS: &[(Check, Harm)] = &[
    (Check::Hostname, |n, f| {
        (n.k3s, n.hostname) = (None, None);
        f.hostname = Answer::Known(Some("raspberrypi".to_owned()));
    }),
    (Check::PageSize, |_, f| f.page_size = Answer::Known(16_384)),
    (Check::MemoryCgroup, |n, f| {
        n.kernel_words.insert("cgroup_enable=memory".to_owned());
        f.cgroup = cgroup("root=/dev/sda1\n", "");
    }),
    (Check::Clock, |_, f| {
        let now = machine::EARLIEST;
        f.clock = Answer::Known(Clock { now, is_synchronised: Some(false) });
    }),
    (Check::Interface, |n, f| {
        (k3s(n).interface, k3s(n).address) = (None, None);
        let of = |name: &str| (name.to_owned(), BTreeSet::from(["10.0.0.1".to_owned()]));
        f.addresses = Answer::Known(BTreeMap::from([of("eth0"), of("wlan0"), of("docker0")]));
    }),
    (Check::Iptables, |_, f| f.iptables = Answer::Known(Some("iptables v1.8.2 (nf_tables)".to_owned()))),
    (Check::Iptables, |_, f| f.iptables = Answer::Known(Some("iptables v1.6.1 (nf_tables)".to_owned()))),
    (Check::Vxlan, |n, f| {
        n.packages.insert("linux-modules-extra-raspi".to_owned());
        f.vxlan = Answer::Known(false);
    }),
    (Check::Vxlan, |n, f| {
        k3s(n).backend = None;
        f.vxlan = Answer::Known(false);
    }),
    (Check::OtherKubernetes, |_, f| {
        f.kubernetes.server = Some("https://other:6443".to_owned());
        f.kubernetes.is_ours = true;
    }),
    (Check::OtherKubernetes, |_, f| f.kubernetes.units = vec!["k3s-agent.service".to_owned()]),
    (Check::Swap, |_, f| {
        let generators = vec!["rpi-swap".to_owned()];
        f.swap = Answer::Known(Swap { active: Vec::new(), generators, fstab: 1 });
    }),
    (Check::ServerDisk, |n, f| {
        (k3s(n).role, k3s(n).server) = (Role::FirstServer, None);
        f.token = Answer::Known(TokenFact::of("correct-horse"));
        f.data_device = Answer::Known("mmcblk0p2".to_owned());
    }),
];

#[test]
fn what_only_deserves_a_word_does_not_refuse() {
    for (check, harm) in WARNINGS {
        let (mut needs, mut facts) = (needs(), sound());
        harm(&mut needs, &mut facts);
        assert_eq!(wrong(&needs, &facts), [(*check, Mark::Warning)]);
    }
}

#[test]
fn what_is_fine_in_its_place_is_not_complained_of() {
    let fine: &[Harm] = &[
        |_, f| f.k3s_version = Answer::Known(None),
        |_, f| says_version(f, "v1.36.4+k3s1"),
        |_, f| says_version(f, "v1.36.0+k3s2"),
        |_, f| f.listeners = listens("tcp", 10250, Some("k3s-agent")),
        |_, f| f.listeners = listens("udp", 8472, Some("kernel")),
        |_, f| f.listeners = listens("tcp", 6443, Some("haproxy")),
        |n, f| {
            k3s(n).backend = Some("wireguard-native".to_owned());
            f.vxlan = Answer::Known(false);
        },
        |n, f| {
            k3s(n).bundled_programs = true;
            f.iptables = Answer::Known(Some("iptables v1.8.2 (nf_tables)".to_owned()));
        },
        |_, f| {
            let cgroup = Cgroup { enabled: Some(true), ..Cgroup::default() };
            f.cgroup = Answer::Known(cgroup);
        },
        |_, f| {
            f.kubernetes.server = Some("https://192.168.1.10:6443".to_owned());
            f.kubernetes.is_ours = true;
            f.kubernetes.units = vec!["k3s-agent.service".to_owned()];
        },
        |_, f| {
            let space = Space { folder: "/boot".to_owned(), available: 0, wanted: 0 };
            f.space = Answer::Known(vec![space]);
        },
    ];
    for (at, harm) in fine.iter().enumerate() {
        let (mut needs, mut facts) = (needs(), sound());
        harm(&mut needs, &mut facts);
        assert_eq!(wrong(&needs, &facts), [], "case {at}");
    }
}

#[test]
fn what_cannot_be_seen_is_unknown_and_says_why() {
    let mut facts = sound();
    facts.server_certificates = Answer::unknown("there is no curl here");
    let verdicts = judge(&needs(), &facts);
    let verdict = verdicts.iter().find(|verdict| verdict.mark != Mark::Ok).unwrap();
    assert_eq!((verdict.check, verdict.mark), (Check::ServerCertificate, Mark::Unknown));
    assert_eq!(verdict.evidence, "there is no curl here");
}

#[test]
fn tokens_fit_roles() {
    let (bootstrap, server, node) = (
        format!("K10{HASH}::abcdef.0123456789abcdef"),
        format!("K10{HASH}::server:pw"),
        format!("K10{HASH}::node:pw"),
    );
    let cases = [
        (Role::Agent, bootstrap.as_str(), None),
        (Role::Agent, &node, None),
        (Role::Agent, &server, Some("K13")),
        (Role::Agent, "abcdef.0123456789abcdef", Some("K11")),
        (Role::Agent, "correct-horse", Some("K11")),
        (Role::Agent, "K10abc::server:pw", Some("K10")),
        (Role::Agent, "", Some("K10")),
        (Role::Server, &server, None),
        (Role::Server, &bootstrap, Some("K13")),
        (Role::Server, "correct-horse", Some("K11")),
        (Role::FirstServer, "correct-horse", None),
        (Role::FirstServer, &server, Some("K12")),
        (Role::FirstServer, "abcdef.0123456789abcdef", Some("K13")),
    ];
    for (role, token, refused) in cases {
        let (mut needs, mut facts) = (needs(), sound());
        (k3s(&mut needs).role, facts.token) = (role, Answer::Known(TokenFact::of(token)));
        let verdicts = judge(&needs, &facts);
        let verdict = verdicts.iter().find(|verdict| verdict.check == Check::Token).unwrap();
        let found = (verdict.mark == Mark::Refuse).then_some(verdict.field);
        assert_eq!(found, refused, "{role:?} {token}");
        assert!(!verdict.sentence().contains("pw") && !verdict.sentence().contains("horse"));
    }
    // A server that has its certificates may begin again with the full token of its own cluster.
    let (mut needs, mut facts) = (needs(), sound());
    (k3s(&mut needs).role, facts.kubernetes.has_authority) = (Role::FirstServer, true);
    facts.token = Answer::Known(TokenFact::of(&server));
    assert!(wrong(&needs, &facts).iter().all(|(check, _)| *check != Check::Token));
    assert_eq!(TokenFact::of(&bootstrap).kind, TokenKind::Bootstrap);
}

#[test]
fn settings_and_addresses_are_read() {
    let text = "# k3s on rpi-01\nflannel-iface: eth0\nnode-ip: \"192.168.10.101\"\nnode-label:\n  - a.b/c=true\nserver: https://pc:6443 # the first\n";
    let found = scalars(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found["node-ip"], "192.168.10.101");
    assert_eq!(found["server"], "https://pc:6443");
    for (server, wanted) in [
        ("https://192.168.1.10:6443", Some(("192.168.1.10", 6443))),
        ("https://pc", Some(("pc", 6443))),
        ("https://[fd00::1]:7443/", Some(("fd00::1", 7443))),
        ("http://pc:6443", None),
        ("https://pc:port", None),
    ] {
        let wanted = wanted.map(|(host, port): (&str, u16)| (host.to_owned(), port));
        assert_eq!(host_and_port(server), wanted, "{server}");
    }
}
