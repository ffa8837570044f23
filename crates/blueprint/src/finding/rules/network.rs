//! RS3xx: addresses, ranges and the mesh.

use crate::finding::rule::rules;

rules! {
    ADDRESS Error "RS301" "address" {
        title: "Addresses are IPv4, networks CIDR",
        why: "They are compared, counted and written into exports, certificates and kubelet settings.",
        bad: "address = \"192.168.1.256\"",
        fix: "Write 192.168.1.10, or 192.168.1.0/24 for a network, with its host bits zero.",
        source: "RFC 4632"
    }
    DUPLICATE_ADDRESS Error "RS302" "duplicate-address" {
        title: "No two nodes have one address",
        why: "Both answer ARP for it, and connections end at either machine by chance.",
        bad: "address = \"192.168.1.10\" on two nodes",
        fix: "Give one of them another address.",
        source: "issue: check, PEERS 7.1"
    }
    FOREIGN_ADDRESS Error "RS303" "foreign-address" {
        title: "A node's LAN address lies in the LAN",
        why: "Exports, firewalls and mounts are written for the LAN; a node outside it is refused.",
        bad: "lan = \"192.168.1.0/24\", address = \"192.168.254.10\"",
        fix: "Correct the address or the network.",
        source: "FIELD M14, PEERS 7.3 #19"
    }
    RESERVED_ADDRESS Error "RS304" "reserved-address" {
        title: "A node does not take the network's, the broadcast's or the gateway's address",
        why: "Those belong to the network itself or to the router.",
        bad: "gateway = \"192.168.1.1\", address = \"192.168.1.1\"",
        fix: "Choose a host address of the LAN.",
        source: "RFC 1812 4.2.2.11"
    }
    MESH_RANGE Error "RS305" "mesh-range" {
        title: "A mesh lies inside 100.64.0.0/10",
        why: "Tailscale's clients and Headscale hand out addresses of that range only; others collide with private networks.",
        bad: "cidr = \"10.8.0.0/24\"",
        fix: "Use 100.64.0.0/10 or a part of it.",
        source: "RFC 6598, PEERS 7.1 (Headscale mesh)"
    }
    MESH_ADDRESS Error "RS306" "mesh-address" {
        title: "A mesh address lies in the mesh",
        why: "The coordinator cannot give out an address that it does not own.",
        bad: "mesh.cidr = \"100.64.0.0/16\", mesh-address = \"100.70.0.1\"",
        fix: "Correct the address or the mesh's range.",
        source: "PEERS 7.1 (Headscale mesh)"
    }
    NO_MESH Error "RS307" "no-mesh" {
        title: "What uses the mesh has one",
        why: "A node that joins a mesh which the cluster does not describe has no server to log in to.",
        bad: "mesh-address = \"100.64.0.2\" without [network.mesh]",
        fix: "Describe the mesh under [network.mesh], or take the use out.",
        source: "FIELD M10, X17"
    }
    MESH_SERVER Error "RS308" "mesh-server" {
        title: "The mesh's coordinator can be reached",
        why: "Headscale is your own server: a client without its URL logs in at the vendor, and a server node needs the capability.",
        bad: "kind = \"headscale\" without login-url",
        fix: "Write login-url = \"https://…\", and capability mesh-server on the node named as server.",
        source: "FIELD K18"
    }
    MESH_MEMBER Warning "RS309" "mesh-member" {
        title: "A node in the mesh has a mesh address, and the other way round",
        why: "Shares and names use the stable address; without it a client through the mesh cannot be described, without the capability nobody joins.",
        bad: "capabilities = [\"mesh\"] without mesh-address",
        fix: "Write both or neither.",
        source: "PEERS 7.1 (stable 100.64.x)"
    }
    MESH_DNS Warning "RS310" "mesh-dns" {
        title: "The mesh does not rewrite DNS on Kubernetes nodes",
        why: "It replaces resolv.conf, which breaks image pulls and the search domains of pods.",
        bad: "accept-dns = true in a k3s cluster",
        fix: "Leave accept-dns out.",
        source: "FIELD K35"
    }
    GATEWAY Error "RS311" "gateway" {
        title: "The gateway lies in the LAN",
        why: "A router outside the network cannot be reached to route anything.",
        bad: "lan = \"192.168.1.0/24\", gateway = \"192.168.2.1\"",
        fix: "Correct the gateway or the network.",
        source: "RFC 1812"
    }
    OVERLAP Error "RS312" "network-overlap" {
        title: "LAN, mesh, pod and service networks do not overlap",
        why: "Packets for a pod would leave to the LAN or the other way round, and only some addresses fail.",
        bad: "lan = \"10.42.0.0/16\" with k3s's default pod network",
        fix: "Choose another cluster-cidr or service-cidr.",
        source: "FIELD K20"
    }
}
