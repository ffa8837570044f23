//! Lines as k3s writes them: logrus behind systemd, with the texts that users report (FIELD) and real runs showed.

use super::*;

const CASES: &[(&str, &str)] = &[
    ("K1", "level=fatal msg=\"failed to find memory cgroup (v2)\""),
    (
        "K1",
        "level=fatal msg=\"Failed to find memory cgroup, you may need to add \\\"cgroup_memory=1 cgroup_enable=memory\\\" to your linux cmdline (/boot/cmdline.txt on a Raspberry Pi)\"",
    ),
    (
        "K8",
        "level=info msg=\"Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag\"",
    ),
    ("K9", "level=fatal msg=\"Failed to join etcd cluster due to duplicate name\""),
    (
        "K10",
        "level=fatal msg=\"Error: preparing server: token CA hash does not match the Cluster CA certificate hash: 1f5a != 9c0d\"",
    ),
    ("K10", "level=fatal msg=\"invalid token CA hash length\""),
    (
        "K14",
        "level=error msg=\"Failed to validate connection to cluster at https://192.168.1.10:6443: not authorized\"",
    ),
    ("K13", "level=error msg=\"failed to validate token: invalid username/password\""),
    (
        "K15",
        "level=fatal msg=\"failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/worker]\"",
    ),
    (
        "K19",
        "level=error msg=\"failed to get CA certs: Get \\\"https://127.0.0.1:6444/cacerts\\\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2024-01-01T00:00:12Z is before 2026-11-20T10:00:00Z\"",
    ),
    ("K19", "level=fatal msg=\"server time isn't set properly: 1970-01-01 00:00:31 +0000 UTC\""),
    (
        "K20",
        "level=error msg=\"Failed to connect to proxy\" error=\"dial tcp 192.168.1.10:6443: connect: connection refused\"",
    ),
    ("K20", "level=error msg=\"dial tcp 192.168.1.10:6443: connect: no route to host\""),
    ("K20", "level=fatal msg=\"listen tcp :6443: bind: address already in use\""),
    ("K23", "[ERROR]  Only https:// URLs are supported for K3S_URL (have http://pc:6443)"),
    (
        "K27",
        "level=fatal msg=\"failed to validate server configuration: critical configuration value mismatch.\"",
    ),
    ("K7", "level=fatal msg=\"flannel exited: operation not supported\""),
    ("K5", "<jemalloc>: Unsupported system page size"),
    (
        "K21",
        "level=fatal msg=\"no default routes found in \\\"/proc/net/route\\\" or \\\"/proc/net/ipv6_route\\\"\"",
    ),
    (
        "decision 0086",
        "level=info msg=\"Waiting to retrieve agent configuration; server is not ready: /var/lib/rancher/k3s/agent/serving-kubelet.crt: Post \\\"https://127.0.0.1:6444/v1-k3s/serving-kubelet.crt\\\": http: ContentLength=189 with Body length 0\"",
    ),
];

#[test]
fn each_known_text_has_one_reason_and_a_fix() {
    for (field, line) in CASES {
        let around = ["Starting k3s-agent.service", line, "k3s-agent.service: Scheduled restart job"];
        let found = diagnose(around).unwrap_or_else(|| panic!("nothing is said of {line}"));
        assert_eq!(found.field, *field, "{line}");
        assert!(!found.fix.is_empty() && found.line.len() > 10, "{found:?}");
    }
}

#[test]
fn the_last_reason_wins_and_a_registered_node_has_none() {
    let (first, second) = (CASES[0].1, CASES[2].1);
    assert_eq!(diagnose([first, second]).unwrap().field, "K8");
    assert_eq!(diagnose([second, first]).unwrap().field, "K1");
    assert_eq!(diagnose([first, "level=info msg=\"Successfully registered node rpi-01\""]), None);
    assert_eq!(diagnose(["Starting", "level=info msg=\"Running kubelet\""]), None);
    assert_eq!(diagnose([]), None);
}

#[test]
fn a_consequence_does_not_hide_the_cause() {
    let refused = "dial tcp 192.168.1.10:6443: connect: connection refused";
    assert_eq!(diagnose([CASES[4].1, refused]).unwrap().field, "K10");
}

#[test]
fn a_server_that_waits_for_itself_is_still_starting() {
    let waits = |port: u16| {
        format!(
            "level=info msg=\"Waiting to retrieve kube-proxy configuration; server is not ready: failed to retrieve \
             configuration from server: Get \\\"https://127.0.0.1:{port}/v1-k3s/config\\\": context deadline exceeded :6443\""
        )
    };
    assert_eq!(diagnose([waits(6443).as_str()]), None);
    // An agent's own balancer stands for the server.
    assert_eq!(diagnose([waits(6444).as_str()]).unwrap().reason, "the server does not answer");
}

#[test]
fn what_k3s_says_cannot_move_the_cursor() {
    let found = diagnose(["\u{1b}[2Jfailed to find memory cgroup (v2)"]).unwrap();
    assert!(!found.line.contains('\u{1b}'), "{}", found.line);
}
