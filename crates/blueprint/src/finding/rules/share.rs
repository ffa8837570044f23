//! RS5xx: shares and their mounts.

use crate::finding::rule::rules;

rules! {
    SHARE_SERVER Error "RS501" "share-server" {
        title: "A share has one server",
        why: "With none nobody serves it; with a node and an address it is open which is right.",
        bad: "[shares.media] without server and server-address",
        fix: "Write server = \"NODE\", or server-address for a machine outside the cluster.",
        source: "issue: check"
    }
    SHARE_CLIENTS Warning "RS502" "share-clients" {
        title: "A share has clients",
        why: "One that nobody mounts is most often a forgotten list.",
        bad: "clients = []",
        fix: "Name nodes, groups or roles in clients.",
        source: "issue: check"
    }
    NO_MOUNT_POINT Error "RS503" "no-mount-point" {
        title: "Every client has a mount point",
        why: "Without one there is nothing to mount on.",
        bad: "clients = [\"rpi\"] without mount-point",
        fix: "Write mount-point, or an entry for the client in mount-points.",
        source: "issue: check"
    }
    MOUNT_PATH Error "RS504" "mount-path" {
        title: "Paths are absolute and clean",
        why: "systemd ignores relative paths in RequiresMountsFor with exit 0, and a path with a line break cannot be escaped in fstab.",
        bad: "mount-point = \"mnt/fortress\"",
        fix: "Write a path from `/`, without `..`, `//`, control characters or a trailing slash; on Windows a drive such as Z:.",
        source: "FIELD M2, M4, M5"
    }
    MOUNT_CONFLICT Error "RS505" "mount-conflict" {
        title: "No two shares are mounted on one path of a node",
        why: "systemd refuses the second unit (`Duplicate entry in /etc/fstab`), and which one wins depends on order.",
        bad: "two shares with mount-point = \"/mnt/media\" on one node",
        fix: "Give one of them another path.",
        source: "FIELD M1"
    }
    MOUNT_POINT_TAKEN Error "RS506" "mount-point-taken" {
        title: "A mount point is not a folder the system needs",
        why: "A share over /etc, /var or /home hides what is there, up to a machine that no longer boots.",
        bad: "mount-point = \"/var\"",
        fix: "Mount below /mnt, /media or /srv.",
        source: "hier(7), FIELD M7"
    }
    SERVER_CAPABILITY Error "RS507" "server-capability" {
        title: "A share's server can serve it",
        why: "Without the capability no Samba or NFS server is installed there and every mount fails.",
        bad: "kind = \"smb\", server = \"pc\", and pc without smb-server",
        fix: "Add smb-server or nfs-server to the node's capabilities.",
        source: "PEERS 7.1 (Fortress Samba server)"
    }
    SHARE_MESH Error "RS508" "share-mesh" {
        title: "A share through the mesh has both ends in it",
        why: "A client that is not in the mesh cannot reach the address; a server without one cannot be named.",
        bad: "via = \"mesh\" and a server without mesh-address",
        fix: "Put server and clients into the mesh, or write via = \"lan\".",
        source: "FIELD M10, PEERS 7.3 #12"
    }
    PROTOCOL_VERSION Error "RS509" "protocol-version" {
        title: "A protocol version is one of the protocol's",
        why: "mount fails with `Invalid argument` for any other; SMB 1 is unsafe and left out.",
        bad: "kind = \"smb\", protocol-version = \"4.2\"",
        fix: "SMB: 2.1, 3.0, 3.0.2, 3.1.1. NFS: 3, 4.0, 4.1, 4.2.",
        source: "mount.cifs(8), nfs(5), FIELD M11"
    }
    OTHER_PROTOCOL Error "RS510" "other-protocols-key" {
        title: "A key belongs to the share's protocol",
        why: "It would be ignored, and someone relies on it.",
        bad: "kind = \"nfs\", workgroup = \"COLAB\"",
        fix: "Take the key out.",
        source: "profiles/schema"
    }
    SOFT_WRITE Error "RS511" "soft-and-writable" {
        title: "Only read-only shares are soft",
        why: "A soft mount gives up in the middle of a write; the file is broken and the program often does not notice.",
        bad: "soft = true without read-only = true",
        fix: "Take soft out, or make the share read-only.",
        source: "FIELD M15, nfs(5)"
    }
    BACKGROUND_OPTION Error "RS512" "background-option" {
        title: "Shares are not mounted with bg",
        why: "bg reports success while it still tries, so containers start on an empty folder.",
        bad: "options = [\"bg\"]",
        fix: "Take bg out; the automount waits when somebody looks.",
        source: "FIELD M9"
    }
    MOUNT_OPTION Error "RS513" "mount-option" {
        title: "A mount option is one word that is not set elsewhere",
        why: "Commas and blanks make two options of one; options that the share's own keys make would contradict them.",
        bad: "options = [\"rw,soft\"]",
        fix: "Write one option an entry, and use read-only, soft, protocol-version, user and the timeouts for theirs.",
        source: "FIELD M2, fstab(5)"
    }
    EXPORT_NETWORK Error "RS514" "export-network" {
        title: "An export admits its clients",
        why: "kubelet and mount.nfs come from the node's own address; outside the exported network the answer is `access denied`.",
        bad: "export-to = \"10.0.0.0/8\" with clients in 192.168.1.0/24",
        fix: "Export to the network the clients are in.",
        source: "FIELD M14, X25, PEERS 7.3 #19"
    }
    WIDE_EXPORT Warning "RS515" "wide-export" {
        title: "An export is no wider than the cluster's networks",
        why: "Every machine of the wider network may mount and write.",
        bad: "lan = \"192.168.1.0/24\", export-to = \"192.168.0.0/16\"",
        fix: "Export to the LAN or a part of it.",
        source: "FIELD X27"
    }
    FUSE_EXPORT Error "RS516" "fuse-export" {
        title: "An exported FUSE file system has an fsid",
        why: "The kernel cannot name a FUSE file system by its device; without fsid the export fails or shows the wrong files.",
        bad: "kind = \"nfs\", filesystem = \"fuse.rclone\" without fsid",
        fix: "Write fsid with a number of its own, or serve another file system.",
        source: "FIELD M13, PEERS 7.3 #20"
    }
    DEVICE_NAME Error "RS517" "device-name" {
        title: "A device is named by something that stays",
        why: "sda and mmcblk0 follow the order of plugging in; the next boot may serve or format another disk.",
        bad: "device = \"/dev/sda1\"",
        fix: "Write /dev/disk/by-uuid/… or /dev/disk/by-id/….",
        source: "PEERS 7.1 (RAID/device names)"
    }
    SMB_CREDENTIALS Error "RS518" "smb-credentials" {
        title: "An SMB share has a user and a password reference",
        why: "Without them mount.cifs asks at a terminal that is not there, and the mount fails.",
        bad: "kind = \"smb\" without password",
        fix: "Write user, and password = \"infisical:/samba/PASSWORD\" or another reference.",
        source: "FIELD M11"
    }
    OWN_CLIENT Error "RS519" "own-client" {
        title: "A server is not named as its own client",
        why: "It would mount its share over the network from itself, and boot waits on its own service.",
        bad: "server = \"pc\", clients = [\"pc\"]",
        fix: "Take the server out; programs there use the folder itself.",
        source: "PEERS 7.3 #8"
    }
    SMB_IN_CLUSTER Warning "RS520" "smb-in-kubernetes" {
        title: "Kubernetes clusters mount NFS, not SMB",
        why: "Document 001 took SMB out and forbids it to come back; ownership and locks fail for most charts.",
        bad: "orchestrator = \"k3s\" and a share with kind = \"smb\"",
        fix: "Use kind = \"nfs\", or a cluster of its own for the SMB clients.",
        source: "PEERS 7.2 (SMB), document 001"
    }
    GATE Error "RS521" "gate" {
        title: "A gate is a unit's full name",
        why: "The drop-in would be written for a unit that does not exist and hold nothing back.",
        bad: "gates = [\"docker\"]",
        fix: "Write docker.service.",
        source: "FIELD M5, M7, systemd.unit(5)"
    }
    STRAY_MOUNT_POINT Error "RS522" "stray-mount-point" {
        title: "Mount points are given for clients",
        why: "An entry for a node that is no client is most often a wrong name.",
        bad: "mount-points = { witer = \"Z:\" }",
        fix: "Correct the name, or add the node to clients.",
        source: "issue: check"
    }
    SQUASH_TO_ROOT Error "RS530" "squash-to-root" {
        title: "Clients' requests count as a person's, not as root's",
        why: "Everybody on every machine of the network could read and write everything on the share, and leave programs that run as root.",
        bad: "squash-to = 0",
        fix: "Write the number of the user whose the folders are, 1000 for the first one of Debian.",
        source: "exports(5): all_squash, anonuid"
    }
}
