//! RS4xx: servers, agents, labels, taints.

use crate::finding::rule::rules;

rules! {
    FIRST_SERVER Error "RS401" "first-server" {
        title: "Exactly one server is the first",
        why: "It makes the cluster's certificates; with none nobody can join, with two there are two clusters.",
        bad: "two nodes with k3s = \"first-server\"",
        fix: "Write first-server on one node and server on the others.",
        source: "FIELD K9, K12"
    }
    EVEN_SERVERS Error "RS402" "even-servers" {
        title: "The number of etcd servers is odd",
        why: "Two servers stop when either fails, four bear no more than three: an even number costs and gives nothing.",
        bad: "one first-server and one server",
        fix: "Use 1, 3 or 5 servers.",
        source: "etcd FAQ (cluster size), issue: check"
    }
    NO_K3S_SETTINGS Error "RS403" "no-k3s-settings" {
        title: "A cluster with k3s says how nodes join",
        why: "Token references have no default, and must not have one.",
        bad: "orchestrator = \"k3s\" without [k3s]",
        fix: "Add [k3s] with server-token and agent-token.",
        source: "FIELD K11-K14"
    }
    K3S_OS Error "RS404" "k3s-os" {
        title: "k3s runs on Linux nodes",
        why: "There is no k3s for Windows or macOS; WSL2 has neither a stable address nor a kernel of ours.",
        bad: "[nodes.writer] os.family = \"windows\", k3s = \"agent\"",
        fix: "Take k3s off the node.",
        source: "PEERS 7.1 (capability table)"
    }
    LABEL Error "RS405" "label-syntax" {
        title: "Labels follow Kubernetes's syntax",
        why: "kubelet refuses to start with a label that it cannot parse.",
        bad: "labels = { \"gpu!\" = \"true\" }",
        fix: "prefix/name: the prefix a DNS name, the name and the value at most 63 of A-Z, a-z, 0-9, `-`, `_`, `.`, alphanumeric at both ends.",
        source: "Kubernetes: labels and selectors"
    }
    TAINT Error "RS406" "taint-syntax" {
        title: "Taints are written key=value:Effect",
        why: "kubelet refuses to start with a taint that it cannot parse.",
        bad: "taints = [\"storage=enabled\"]",
        fix: "Write key=value:NoSchedule, PreferNoSchedule or NoExecute.",
        source: "Kubernetes: taints and tolerations"
    }
    RESERVED_LABEL Warning "RS407" "reserved-label" {
        title: "Reserved labels are set from a server",
        why: "A kubelet that labels itself under kubernetes.io or k8s.io exits with `unknown labels specified with --node-labels`; such labels go to the list that is applied after the join.",
        bad: "labels = { \"node-role.kubernetes.io/worker\" = \"true\" }",
        fix: "Nothing, if that is what you want; else use a prefix of your own.",
        source: "FIELD K15"
    }
    UNTOLERATED_TAINT Warning "RS408" "untolerated-taint" {
        title: "Somebody tolerates each taint",
        why: "A node that repels everything stays empty, system pods included.",
        bad: "taints = [\"storage=enabled:NoSchedule\"] and no service with tolerates = [\"storage\"]",
        fix: "Add the key to `tolerates` of what shall run there, or drop the taint.",
        source: "FIELD L8, PEERS 7.3 #25"
    }
    SERVER_ON_SD Warning "RS409" "server-on-sd-card" {
        title: "A server's data does not lie on an SD card",
        why: "The datastore writes all the time; the control plane stalls on an SD card and wears it out.",
        bad: "k3s = \"first-server\", root-medium = \"sd-card\"",
        fix: "Put servers on SSD or NVMe.",
        source: "FIELD K31"
    }
    SAME_TOKEN Error "RS410" "same-token" {
        title: "Agents do not join with the servers' secret",
        why: "The server token is cluster admin; on every agent it is one stolen card away from the whole cluster.",
        bad: "server-token = \"env:TOKEN\", agent-token = \"env:TOKEN\"",
        fix: "Use a bootstrap token with a time to live, or an agent token, for agents.",
        source: "FIELD K12-K14, S1"
    }
    AGENT_WITHOUT_SERVER Error "RS411" "agent-without-server" {
        title: "An agent has a server to join",
        why: "It would try for ever; `Starting k3s-agent` hangs without a reason.",
        bad: "only agents in a cluster",
        fix: "Make one always-on node the first-server.",
        source: "FIELD K23, wishes 5"
    }
    SERVER_POWER Warning "RS412" "server-power" {
        title: "Servers are always on",
        why: "While the server sleeps nothing is scheduled and no node can join.",
        bad: "k3s = \"first-server\", power = \"burst\"",
        fix: "Move the server to a machine with power = \"always-on\".",
        source: "document 000 (burst-only laptops)"
    }
    ORCHESTRATOR Error "RS413" "orchestrator" {
        title: "Only a k3s cluster has k3s nodes",
        why: "The documents hold both views, Compose without Kubernetes and k3s; one cluster follows one of them.",
        bad: "orchestrator = \"compose\" and a node with k3s = \"agent\"",
        fix: "Write orchestrator = \"k3s\", or take k3s off the nodes and out of the file.",
        source: "PEERS 7.2 (orchestrator), FIELD X38"
    }
    K3S_COMPONENT Error "RS414" "k3s-component" {
        title: "Disabled components are ones k3s packages",
        why: "An unknown word disables nothing and hides a typing mistake.",
        bad: "disable = [\"treafik\"]",
        fix: "Write one of coredns, servicelb, traefik, local-storage, metrics-server, runtimes.",
        source: "k3s: managing packaged components"
    }
    KUBELET_RESERVE Error "RS415" "kubelet-reserve" {
        title: "Kubelet reserves are lists the kubelet can read",
        why: "The kubelet does not start with a reserve that it cannot parse, and the agent restarts for ever.",
        bad: "system-reserved = \"256MB memory\"",
        fix: "Write cpu=250m,memory=256Mi, and memory.available<200Mi for evictions.",
        source: "Kubernetes: reserve compute resources"
    }
    NO_EXECUTE_STORAGE Warning "RS416" "no-execute-on-storage" {
        title: "Storage nodes carry no NoExecute taint",
        why: "Longhorn's volumes are not released: pods stay Terminating and the next one fails with a Multi-Attach error.",
        bad: "capabilities = [\"longhorn-storage\"], taints = [\"storage=enabled:NoExecute\"]",
        fix: "Use NoSchedule.",
        source: "FIELD L10"
    }
    MESH_INTERFACE Warning "RS417" "mesh-interface" {
        title: "A k3s node in a mesh names its LAN interface",
        why: "With two global addresses flannel takes the interface of the default route, which may not be the one the other nodes see.",
        bad: "k3s = \"agent\", capabilities = [\"mesh\"] without interface",
        fix: "Write interface = \"eth0\".",
        source: "FIELD K17"
    }
    ROOTLESS_NODE Error "RS418" "rootless-cluster-node" {
        title: "Cluster nodes run nothing rootless",
        why: "Rootless containers are for development; on a cluster node they hide ports and storage from k3s.",
        bad: "k3s = \"agent\", capabilities = [\"rootless-docker\"]",
        fix: "Take rootless-docker off the node.",
        source: "PEERS 7.1 (rootless dev vs rootful cluster), 7.2"
    }
    LONGHORN_MEDIUM Warning "RS419" "longhorn-medium" {
        title: "Longhorn's replicas do not lie on an SD card",
        why: "Its default folder is on the root disk: a full or worn card loses replicas.",
        bad: "capabilities = [\"longhorn-storage\"], root-medium = \"sd-card\"",
        fix: "Use a node with an SSD.",
        source: "FIELD L12"
    }
    LABEL_WITHOUT_K3S Warning "RS420" "label-without-k3s" {
        title: "Labels and taints stand on k3s nodes",
        why: "On any other node nobody reads them.",
        bad: "labels = { gpu = \"true\" } on a node without k3s",
        fix: "Give the node its part in k3s, or drop labels and taints.",
        source: "FIELD K16"
    }
    CHART_SOURCE Error "RS430" "chart-source" {
        title: "A chart has a repository and a version, or k3s brings it along",
        why: "Without a version tomorrow's is installed; what k3s does not bring, or what is switched off, nobody installs.",
        bad: "chart = { repository = \"https://charts.jetstack.io\" }",
        fix: "Write version beside repository; leave both out for traefik alone, and take it off k3s.disable.",
        source: "k3s: Helm (HelmChart, HelmChartConfig), FIELD X3"
    }
    STORAGE_CLASS Error "RS431" "storage-class-share" {
        title: "A storage class lies on a share of the cluster",
        why: "Claims stay Pending: the driver mounts what the class names, and there is nothing to mount.",
        bad: "storage-class = \"nfs-csi\", share = \"clutser\"",
        fix: "Name an NFS share, and as folder one of its directories.",
        source: "csi-driver-nfs: driver parameters"
    }
}
