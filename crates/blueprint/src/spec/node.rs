//! Nodes, groups of nodes, and the roles they are built from.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, CardSpec, Named};

/// Declares a struct with its own fields and those every preset shares, so that a role can say all a node can.
macro_rules! preset {
    ($(#[$outer:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Roles merged in, in order; what is written here wins over them.
            #[serde(default)]
            pub roles: Vec<At<String>>,
            /// What the machine does, from the list in the guide (`docker`, `smb-client`, `mesh`…).
            #[serde(default)]
            pub capabilities: Vec<At<String>>,
            /// Its part in k3s.
            #[serde(default)]
            pub k3s: Option<At<K3sRoleSpec>>,
            /// Kubernetes labels.
            #[serde(default)]
            pub labels: Named<At<String>>,
            /// Kubernetes taints as kubectl writes them (`key=value:NoSchedule`).
            #[serde(default)]
            pub taints: Vec<At<String>>,
            /// What the kubelet keeps back for the machine itself.
            #[serde(default)]
            pub kubelet: Option<KubeletSpec>,
            /// Further packages, by the name the node's own distribution gives them.
            #[serde(default)]
            pub packages: Vec<At<String>>,
            /// Kernel modules loaded at boot.
            #[serde(default)]
            pub kernel_modules: Vec<At<String>>,
            /// Kernel settings.
            #[serde(default)]
            pub sysctl: Named<At<String>>,
            /// When the machine is on.
            #[serde(default)]
            pub power: Option<At<Power>>,
            /// Operating system.
            #[serde(default)]
            pub os: Option<OsSpec>,
            /// `amd64` or `arm64`.
            #[serde(default)]
            pub arch: Option<At<String>>,
            /// The board, if it is one that boots from a card.
            #[serde(default)]
            pub board: Option<At<Board>>,
            /// What `/` lies on.
            #[serde(default)]
            pub root_medium: Option<At<MediumKind>>,
            /// Kernel page size on a Raspberry Pi 5, whose default of 16 KiB many images cannot run with (FIELD K5).
            #[serde(default)]
            pub page_size: Option<At<PageSize>>,
            /// What its card is made with.
            #[serde(default)]
            pub card: Option<CardSpec>,
        }

        impl $name {
            /// What it shares with every other preset.
            #[must_use]
            pub const fn preset(&self) -> PresetView<'_> {
                PresetView {
                    roles: self.roles.as_slice(),
                    capabilities: self.capabilities.as_slice(),
                    k3s: self.k3s.as_ref(),
                    labels: &self.labels,
                    taints: self.taints.as_slice(),
                    kubelet: self.kubelet.as_ref(),
                    packages: self.packages.as_slice(),
                    kernel_modules: self.kernel_modules.as_slice(),
                    sysctl: &self.sysctl,
                    power: self.power.as_ref(),
                    os: self.os.as_ref(),
                    arch: self.arch.as_ref(),
                    board: self.board.as_ref(),
                    root_medium: self.root_medium.as_ref(),
                    page_size: self.page_size.as_ref(),
                    card: self.card.as_ref(),
                }
            }
        }
    };
}

/// The fields that roles, nodes and groups share, borrowed from any of them; see there for what each means.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is explained where it is declared, in the presets themselves")]
pub struct PresetView<'a> {
    pub roles: &'a [At<String>],
    pub capabilities: &'a [At<String>],
    pub k3s: Option<&'a At<K3sRoleSpec>>,
    pub labels: &'a Named<At<String>>,
    pub taints: &'a [At<String>],
    pub kubelet: Option<&'a KubeletSpec>,
    pub packages: &'a [At<String>],
    pub kernel_modules: &'a [At<String>],
    pub sysctl: &'a Named<At<String>>,
    pub power: Option<&'a At<Power>>,
    pub os: Option<&'a OsSpec>,
    pub arch: Option<&'a At<String>>,
    pub board: Option<&'a At<Board>>,
    pub root_medium: Option<&'a At<MediumKind>>,
    pub page_size: Option<&'a At<PageSize>>,
    pub card: Option<&'a CardSpec>,
}

preset! {
    /// A preset that nodes name in `roles`.
    pub struct RoleSpec {
        /// One sentence on what it gives a node.
        #[serde(default)]
        pub description: Option<At<String>>,
    }
}

preset! {
    /// One machine; its key is its host name.
    pub struct NodeSpec {
        /// LAN address.
        #[serde(default)]
        pub address: Option<At<String>>,
        /// Mesh address.
        #[serde(default)]
        pub mesh_address: Option<At<String>>,
        /// The LAN interface, where a machine has several (FIELD K17).
        #[serde(default)]
        pub interface: Option<At<String>>,
        /// Hardware address of that interface, to recognise the machine by.
        #[serde(default)]
        pub mac: Option<At<String>>,
        /// Serial number that its firmware tells, to recognise the machine by: `/sys/class/dmi/id/product_serial`, on a
        /// Raspberry Pi `Serial` in `/proc/cpuinfo`.
        #[serde(default)]
        pub serial: Option<At<String>>,
        /// Disks that are never written, by their name under `/dev/disk/by-id/`.
        #[serde(default)]
        pub protected_disks: Vec<At<String>>,
        /// The card or disk that is flashed for this node, by its name under `/dev/disk/by-id/`.
        #[serde(default)]
        pub flash_target: Option<At<String>>,
    }
}

preset! {
    /// Many machines: names and addresses count in step (`rpi-{01..08}`, `192.168.1.{101..108}`).
    pub struct GroupSpec {
        /// A name with one range.
        pub names: At<String>,
        /// A LAN address with one range, as long as that of the names.
        pub addresses: At<String>,
        /// A mesh address with one range, as long as that of the names.
        #[serde(default)]
        pub mesh_addresses: Option<At<String>>,
        /// The LAN interface, where the machines have several.
        #[serde(default)]
        pub interface: Option<At<String>>,
        /// Disks that are never written, by their name under `/dev/disk/by-id/`.
        #[serde(default)]
        pub protected_disks: Vec<At<String>>,
    }
}

/// A file under `profiles/roles/`: one shared role, named by its file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Rootstock role")]
pub struct RoleFile {
    /// The version of this format; write 1.
    pub schema_version: At<u32>,
    /// The role.
    pub role: RoleSpec,
}

/// A node's part in k3s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum K3sRoleSpec {
    /// The server the cluster begins with; exactly one.
    FirstServer,
    /// A further server, joined to the first.
    Server,
    /// A worker.
    Agent,
}

/// What the kubelet keeps back.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KubeletSpec {
    /// For the operating system (`cpu=250m,memory=256Mi`).
    #[serde(default)]
    pub system_reserved: Option<At<String>>,
    /// For Kubernetes itself.
    #[serde(default)]
    pub kube_reserved: Option<At<String>>,
    /// When pods are evicted (`memory.available<200Mi,nodefs.available<10%`).
    #[serde(default)]
    pub eviction_hard: Option<At<String>>,
    /// At most so many pods.
    #[serde(default)]
    pub max_pods: Option<At<u32>>,
}

/// When a machine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Day and night.
    AlwaysOn,
    /// A laptop that comes and goes; nothing critical is scheduled there.
    Burst,
    /// Off until somebody wants it.
    OnDemand,
}

/// An operating system and its release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OsSpec {
    /// The family.
    pub family: At<OsFamily>,
    /// The release as its maker writes it (`13`, `24.04`, `11`).
    pub release: At<String>,
    /// The distribution inside WSL2 on Windows (`debian-13`).
    #[serde(default)]
    pub wsl: Option<At<String>>,
    /// SELinux enforces here.
    #[serde(default)]
    pub selinux: bool,
}

/// Families of operating systems; what each can do is in the guide's table of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OsFamily {
    /// Debian.
    Debian,
    /// Raspberry Pi OS, 64 bit.
    RaspberryPiOs,
    /// Ubuntu.
    Ubuntu,
    /// Fedora.
    Fedora,
    /// openSUSE Leap and Tumbleweed.
    #[serde(rename = "opensuse")]
    OpenSuse,
    /// Windows, with or without WSL2.
    Windows,
    /// macOS.
    Macos,
}

/// Boards that boot from a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// Raspberry Pi 5.
    #[serde(rename = "rpi-5")]
    Rpi5,
    /// Raspberry Pi 4.
    #[serde(rename = "rpi-4")]
    Rpi4,
    /// Any machine with UEFI.
    Uefi,
}

/// What a root file system lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MediumKind {
    /// An SD card.
    SdCard,
    /// A USB stick or disk.
    Usb,
    /// An SSD on SATA.
    Ssd,
    /// An NVMe drive.
    Nvme,
    /// A turning disk.
    Hdd,
}

/// Kernel page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PageSize {
    /// 4 KiB: `kernel8.img`.
    #[serde(rename = "4k")]
    FourKib,
    /// 16 KiB: `kernel_2712.img`, the default of a Raspberry Pi 5.
    #[serde(rename = "16k")]
    SixteenKib,
}
