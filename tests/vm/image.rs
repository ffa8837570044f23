//! The disk and the kernel that guests start from: a Debian root, written into an ext4 image without a mount.
//!
//! In: the lab's folder. Out: [`Image`], kept by everything that goes into it. The root file system lies on the whole disk and
//! the kernel is given to QEMU, which has what it needs for that built in (NVMe, ext4): no partitions, no boot loader, no initrd.

use crate::lab::debian::{CLOUD_KERNEL, Recipe, archive_of};
use crate::lab::{Missing, Permission, folder};
use desired::{Arch, Digest};
use host::process::Invocation;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a guest has before anybody joins it: what a node of the lab has, and what the kernel's own work needs.
const PACKAGES: &str = "systemd-sysv,udev,dbus,openssh-server,iproute2,iptables,conntrack,containernetworking-plugins,runc,\
                        ca-certificates,curl,procps,kmod,mount,sudo,netbase,ethtool";
/// The same, and the servers of network file systems.
const SERVER_PACKAGES: &str = "systemd-sysv,udev,dbus,openssh-server,iproute2,iptables,conntrack,containernetworking-plugins,\
                               runc,ca-certificates,curl,procps,kmod,mount,sudo,netbase,ethtool,\
                               nfs-kernel-server,nfs-common,samba";
/// Its size once it runs; the file is sparse.
const SIZE: &str = "8G";
/// The packages that joins install.
const ARCHIVE: &str = archive_of!("systemd-timesyncd tzdata tree cifs-utils keyutils");
/// Its settings. What made it quickly must not stay: dpkg that trusts the disk loses files when the power goes.
const SETTINGS: &str = r#"
set -eu
cd "$1"
sed -i /force-unsafe-io/d etc/dpkg/dpkg.cfg.d/*
echo debian >etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >etc/hosts
: >etc/machine-id
rm -f etc/resolv.conf
chroot . useradd --create-home --gid operator --shell /bin/sh operator
cat >etc/systemd/network/10-lab.network <<'END'
[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
END
cat >etc/systemd/network/20-second-address.network <<'END'
[Match]
Name=lo
[Network]
Address=10.0.2.20/32
END
cat >etc/systemd/system/lab-media.service <<'END'
[Unit]
Description=Somebody's program that keeps its data on a share
[Service]
Type=oneshot
RemainAfterExit=yes
User=operator
ExecStart=/bin/sh -c 'date >>/mnt/media/written'
END
# Emulated, and perhaps beside a compiler.
mkdir -p etc/systemd/system.conf.d
printf '[Manager]\nDefaultDeviceTimeoutSec=600\nDefaultTimeoutStartSec=600\n' >etc/systemd/system.conf.d/60-slow.conf
for name in containerd ctr crictl kubectl; do ln -s k3s usr/local/bin/$name; done
systemctl --root=. --quiet enable systemd-networkd.service ssh.service
systemctl --root=. --quiet mask getty@tty1.service serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer \
  e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer
"#;
/// What plays a NAS: a share by SMB, which somebody set up by hand, with a password of its own.
const NAS: &str = r#"
set -eu
cd "$1"
cat >etc/samba/smb.conf <<'END'
[global]
server role = standalone server
server min protocol = SMB3_11
load printers = no
disable spoolss = yes
[vault]
path = /srv/vault
read only = no
END
echo not-to-be-seen-anywhere >root/nas-password
chmod 600 root/nas-password
chroot . sh -eu -c 'install -d -o operator -g operator /srv/vault
  sed p /root/nas-password | smbpasswd -s -a operator'
systemctl --root=. --quiet enable nfs-server.service smbd.service
systemctl --root=. --quiet mask nmbd.service samba-ad-dc.service
"#;
/// What k3s of the lab finds on every node of it, with its place.
const STAND_INS: [(&str, &str); 2] = [
    ("usr/lib/cni/flannel", include_str!("../lab/node/flannel")),
    ("etc/systemd/system.conf.d/50-lab.conf", include_str!("../lab/node/manager.conf")),
];
const RECIPE: Recipe = Recipe {
    codename: "trixie",
    arch: None,
    packages: SERVER_PACKAGES,
    hooks: &[CLOUD_KERNEL, ARCHIVE, SETTINGS, NAS],
};
/// Emulated, so it serves nothing.
const OTHER_RECIPE: Recipe = Recipe {
    codename: "trixie",
    arch: Some(Arch::Arm64),
    packages: PACKAGES,
    hooks: &[CLOUD_KERNEL, ARCHIVE, SETTINGS],
};

/// A disk and a kernel that are never written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// Finds them, or makes them.
    ///
    /// # Errors
    /// If this machine is no amd64 one, or mmdebstrap, the mirror or root's rights are not to be had.
    pub fn find_or_make(
        permission: &Permission,
        arch: Arch,
        talk: &mut dyn FnMut(&str),
    ) -> Result<Self, Missing> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Missing::new("guests are made on amd64 machines", "run this on one"));
        }
        let recipe = match arch {
            Arch::Amd64 => RECIPE,
            Arch::Arm64 => OTHER_RECIPE,
        };
        let all = format!("{}{SIZE}{STAND_INS:?}", recipe.key()?);
        let key = Digest::sha256_of(all.as_bytes()).hex()[..12].to_owned();
        let cache = permission.folder.join("guests");
        let image = Self { folder: cache.join(format!("{}-{arch}-{key}", recipe.codename)) };
        if image.folder.exists() {
            return Ok(image);
        }
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(folder(&cache)?);
        let unfinished = unfinished.map_err(|error| failed(&cache, &error))?;
        let root = unfinished.path().join("root");
        recipe.make(permission, "the root of a guest", &root, talk)?;
        stand_in(&root)?;
        let out = folder(&unfinished.path().join("out"))?.to_owned();
        let kernel = kernel_of(&root)?;
        std::fs::copy(&kernel, out.join("vmlinuz")).map_err(|error| failed(&kernel, &error))?;
        filled_disk(&out.join("disk.img"), &root, "root", SIZE)?;
        std::fs::rename(&out, &image.folder).map_err(|error| failed(&image.folder, &error))?;
        Ok(image)
    }

    /// The disk, to be the base of others.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.img")
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }
}

fn stand_in(root: &Path) -> Result<(), Missing> {
    for (path, text) in STAND_INS {
        let path = root.join(path);
        folder(path.parent().unwrap_or(root))?;
        let written = std::fs::write(&path, text);
        let mode = std::fs::Permissions::from_mode(0o755);
        written
            .and_then(|()| std::fs::set_permissions(&path, mode))
            .map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

fn kernel_of(root: &Path) -> Result<PathBuf, Missing> {
    let boot = root.join("boot");
    let entries = std::fs::read_dir(&boot).map_err(|error| failed(&boot, &error))?.flatten();
    let mut kernels = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz-"));
    let kernel = kernels.next().map(|entry| entry.path());
    kernel.ok_or_else(|| Missing::new("the guest's root has no kernel", "look at the mirror"))
}

/// Makes `disk` an ext4 file system with what is in `folder`, without mounting anything; `size` as mke2fs(8) writes it.
///
/// # Errors
/// If mke2fs fails, for lack of space say.
pub fn filled_disk(disk: &Path, folder: &Path, label: &str, size: &str) -> Result<(), Missing> {
    let call = Invocation::new("mke2fs").args(["-q", "-t", "ext4", "-L", label]);
    let call = call.args(["-E", "root_owner=0:0,lazy_itable_init=1", "-d"]).arg(folder).arg(disk).arg(size);
    let made = call.timeout(Duration::from_secs(600)).run();
    made.map(|_| ()).map_err(|error| Missing::new(format!("make a disk: {error}"), "free space"))
}

fn failed(path: &Path, error: &std::io::Error) -> Missing {
    Missing::new(format!("{}: {error}", path.display()), "free space or set ROOTSTOCK_LAB")
}
