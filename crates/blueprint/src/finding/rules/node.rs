//! RS2xx: names, roles, groups, capabilities, hardware.

use crate::finding::rule::rules;

rules! {
    NODE_NAME Error "RS201" "node-name" {
        title: "A node's name is an RFC 1123 label in lower case",
        why: "It becomes the host name, the Kubernetes node name and part of unit and file names; Kubernetes refuses anything else when the node joins.",
        bad: "[nodes.Rpi_01]",
        fix: "Use a-z, 0-9 and `-`, at most 63 characters, no `-` at either end.",
        source: "RFC 1123 2.1, FIELD K8"
    }
    DEFAULT_NAME Error "RS202" "default-name" {
        title: "A node is not called raspberrypi or localhost",
        why: "Every fresh card has that name; the second one to join is rejected with `Node password rejected, duplicate hostname`.",
        bad: "[nodes.raspberrypi]",
        fix: "Give the node a name of its own.",
        source: "FIELD K8, C8"
    }
    DUPLICATE_NAME Error "RS203" "duplicate-name" {
        title: "No two nodes have one name, whatever the case",
        why: "Two machines under one name reject each other's node password, and a second server joins silently as a duplicate.",
        bad: "[nodes.rpi-01] beside names = \"rpi-{01..08}\"",
        fix: "Rename one, or change the group's range.",
        source: "FIELD K8, K9"
    }
    CLUSTER_NAME Error "RS204" "cluster-name" {
        title: "A cluster is called as its folder",
        why: "Folder, outputs and passports carry the name; two different ones make it unclear which cluster a card belongs to.",
        bad: "name = \"vnext\" in profiles/homelab/cluster.toml",
        fix: "Write the folder's name, an RFC 1123 label.",
        source: "DESIGN 1"
    }
    UNKNOWN_ROLE Error "RS205" "unknown-role" {
        title: "Every role that is named exists",
        why: "A node without the role it was meant to have lacks everything the role gives.",
        bad: "roles = [\"k3s-agnet\"]",
        fix: "Name a file of profiles/roles/ or a table [roles.NAME].",
        source: "DESIGN 1"
    }
    ROLE_CYCLE Error "RS206" "role-cycle" {
        title: "Roles do not include one another in a circle",
        why: "There would be no order to merge them in.",
        bad: "a has roles = [\"b\"], b has roles = [\"a\"]",
        fix: "Take one of the references out.",
        source: "DESIGN 1"
    }
    DUPLICATE_ROLE Error "RS207" "duplicate-role" {
        title: "A cluster's role does not have the name of a shared one",
        why: "A reader of the node could not tell which of the two is meant.",
        bad: "[roles.base] beside profiles/roles/base.toml",
        fix: "Rename the cluster's role and let it include the shared one.",
        source: "DESIGN 1"
    }
    RANGE Error "RS208" "range" {
        title: "A range is written {first..last}",
        why: "Names and addresses count in step; a range that runs backwards or has no end names nobody.",
        bad: "names = \"rpi-{8..1}\"",
        fix: "Write `rpi-{01..08}`, `192.168.1.{101..108}` or, across octets, `{10.0.0.1..10.0.3.232}`.",
        source: "guide: groups"
    }
    RANGE_LENGTH Error "RS209" "range-length" {
        title: "Ranges of one group have one length",
        why: "Each name gets the address at the same place; with unequal lengths some node would have none.",
        bad: "names = \"rpi-{01..08}\", addresses = \"192.168.1.{101..107}\"",
        fix: "Make the ranges equally long.",
        source: "issue: check"
    }
    UNKNOWN_NODE Error "RS210" "unknown-node" {
        title: "Every node, group or role that is referred to exists",
        why: "A misspelt client never mounts, a misspelt placement never runs, and nobody notices.",
        bad: "clients = [\"rpi-1\"] where the node is rpi-01",
        fix: "Write the name of a node, a group or a role of this cluster.",
        source: "issue: check"
    }
    INCOMPLETE_NODE Error "RS211" "incomplete-node" {
        title: "A node has an address, an architecture and an operating system",
        why: "Without them nobody can say which bundle it takes or where it is.",
        bad: "[nodes.pc] without arch",
        fix: "Write the missing key in the node or in one of its roles.",
        source: "PEERS 7.1"
    }
    UNKNOWN_CAPABILITY Error "RS212" "unknown-capability" {
        title: "Every capability is in the table",
        why: "Only capabilities of the table are rendered; another word would do nothing.",
        bad: "capabilities = [\"dokcer\"]",
        fix: "Write one of the guide's table of capabilities.",
        source: "guide: capabilities"
    }
    CAPABILITY_OS Error "RS213" "capability-os" {
        title: "An operating system can do what its node is asked to",
        why: "Some things exist on one family only: k3s, a Samba or NFS server and Longhorn need Linux, Docker Desktop needs Windows or macOS.",
        bad: "[nodes.terminator] os.family = \"macos\", capabilities = [\"smb-server\"]",
        fix: "Move the capability to a node that can, or use the one for that system.",
        source: "PEERS 7.1 (host OS), guide: capabilities"
    }
    CAPABILITY_EXCLUSIVE Error "RS214" "capability-exclusive" {
        title: "Capabilities that exclude one another are not on one node",
        why: "They fight over the same socket, storage or privileges; Swarm, for one, needs the rootful engine.",
        bad: "capabilities = [\"rootless-docker\", \"swarm\"]",
        fix: "Keep one of them.",
        source: "PEERS 7.2, document 000"
    }
    BOARD_ARCH Error "RS215" "board-arch" {
        title: "A board has the architecture it is built with",
        why: "An amd64 bundle on a Raspberry Pi ends in `exec format error`.",
        bad: "board = \"rpi-5\", arch = \"amd64\"",
        fix: "Write arch = \"arm64\" for a Raspberry Pi.",
        source: "FIELD K24, K30"
    }
    PAGE_SIZE Error "RS216" "page-size" {
        title: "A page size is only chosen where the board offers one",
        why: "Only the Raspberry Pi 5 starts either a 4 KiB or a 16 KiB kernel.",
        bad: "board = \"rpi-4\", page-size = \"16k\"",
        fix: "Leave page-size out, or set board = \"rpi-5\".",
        source: "FIELD K5"
    }
    PROTECTED_TARGET Error "RS217" "protected-flash-target" {
        title: "A protected disk is never a flash target",
        why: "One of the two is a mistake, and the price of guessing wrong is the disk's content.",
        bad: "protected-disks = [\"usb-X\"] on one node, flash-target = \"usb-X\" on another",
        fix: "Take the disk out of one of the two.",
        source: "FIELD F1, PEERS 7.3 #31"
    }
    DISK_ID Error "RS218" "disk-id" {
        title: "A disk is named by its id",
        why: "Names such as sda or mmcblk0 change with the order of plugging in; tomorrow they are another disk.",
        bad: "flash-target = \"/dev/sdb\"",
        fix: "Write the name under /dev/disk/by-id/, as `ls -l /dev/disk/by-id` shows it.",
        source: "FIELD F1, PEERS 7.1 (by-id only)"
    }
    AMBIGUOUS_NAME Error "RS219" "ambiguous-name" {
        title: "A node, a group and a role do not share a name",
        why: "Clients and services are placed by those names; one that means two things places them twice or wrongly.",
        bad: "[nodes.storage] beside [roles.storage]",
        fix: "Rename one.",
        source: "guide: roles"
    }
    KERNEL_SETTING Error "RS220" "kernel-setting" {
        title: "Kernel modules, settings and packages have names their tools accept",
        why: "They become lines of modules-load.d, sysctl.d and package lists; a blank or a slash breaks the whole line.",
        bad: "kernel-modules = [\"iscsi_tcp dm_crypt\"]",
        fix: "Write one name an entry, without blanks, options or slashes.",
        source: "modules-load.d(5), sysctl.d(5)"
    }
    TIMEZONE Error "RS221" "timezone" {
        title: "A time zone is an IANA name",
        why: "An abbreviation such as CET has no rules for summer time, and an unknown name silently means UTC.",
        bad: "timezone = \"GMT+2\"",
        fix: "Write Region/City, as in Europe/Berlin, or Etc/UTC.",
        source: "tzset(3), IANA time zone database"
    }
    ADMIN_USER Error "RS222" "admin-user" {
        title: "The admin user is a person's account, not root",
        why: "Tools in a home folder that run as root leave files there which the person cannot change.",
        bad: "admin-user = \"root\"",
        fix: "Write an account name: a-z, 0-9, `_` and `-`, at most 32 characters.",
        source: "FIELD C9, useradd(8)"
    }
    WSL_FAMILY Error "RS223" "wsl-family" {
        title: "WSL stands only on Windows",
        why: "On any other family there is no Windows for it to run in.",
        bad: "os = { family = \"debian\", release = \"13\", wsl = \"debian-13\" }",
        fix: "Leave wsl out, or write family = \"windows\".",
        source: "PEERS 7.1 (host OS)"
    }
    NO_NODES Error "RS224" "no-nodes" {
        title: "A cluster has nodes",
        why: "Without any there is nothing to build.",
        bad: "a cluster.toml without [nodes] and [groups]",
        fix: "Add [nodes.NAME] or [groups.NAME].",
        source: "DESIGN 1"
    }
    INTERFACE Error "RS225" "interface" {
        title: "An interface name and a hardware address are ones the kernel knows",
        why: "They end up in k3s's flannel-iface and in matching rules; a wrong form matches nothing.",
        bad: "mac = \"d8:3a:dd\"",
        fix: "Write an interface of at most 15 characters without blanks, and a MAC as six pairs with colons.",
        source: "FIELD K17, ip-link(8)"
    }
    BOARD_OS Error "RS226" "board-os" {
        title: "Raspberry Pi OS stands only on a Raspberry Pi",
        why: "Its images boot on no other machine.",
        bad: "board = \"uefi\", os.family = \"raspberry-pi-os\"",
        fix: "Write the board, or the family that the machine really runs.",
        source: "PEERS 7.1 (arch vs image)"
    }
    MACHINE_MARK Error "RS227" "machine-mark" {
        title: "A serial number is one machine's alone",
        why: "A machine is recognised by it; a text that every machine carries, or one written twice, would make two nodes of one.",
        bad: "serial = \"To Be Filled By O.E.M.\"",
        fix: "Write what /sys/class/dmi/id/product_serial or the Serial line of /proc/cpuinfo says, or leave the key out.",
        source: "FIELD K8, P14"
    }
}
