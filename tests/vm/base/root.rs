//! What the root of a base holds before anybody has seen it boot.
//!
//! In: an architecture. Out: the recipe of its root. As on Raspberry Pi OS: cloud-init with its seed at `/boot/firmware`, ssh
//! installed and switched off (FIELD P3), interfaces called `eth0`, no machine id, no host keys (FIELD P14), cloud-init ordered
//! behind the volume its seed is on (cloud-init's issue 6614 is what happened before it was). Not as there: Debian's cloud
//! kernel, patience with devices, and an archive of its own for what joins install, since trials have no other.

use crate::lab::debian::{CLOUD_KERNEL, Recipe, archive_of};
use desired::Arch;

/// What a vendor ships for a machine without a screen.
const PACKAGES: &str = "systemd-sysv,systemd-resolved,systemd-timesyncd,udev,dbus,cloud-init,cloud-guest-utils,netplan.io,\
                        e2fsprogs,dosfstools,fdisk,openssh-server,sudo,curl,ca-certificates,iproute2,iptables,procps,kmod,\
                        mount,nfs-common,locales,console-setup,keyboard-configuration,tzdata,netbase";
/// The packages that joins install.
const ARCHIVE: &str = archive_of!("tree keyutils");
/// Its settings. What made it quickly must not stay: dpkg that trusts the disk loses files when the power goes.
const SETTINGS: &str = r#"
set -eu
cd "$1"
sed -i /force-unsafe-io/d etc/dpkg/dpkg.cfg.d/*
echo raspberrypi >etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 raspberrypi\n' >etc/hosts
: >etc/machine-id
rm -f etc/resolv.conf etc/ssh/ssh_host_* var/lib/dbus/machine-id
ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
ln -s /dev/null etc/systemd/network/99-default.link
mkdir -p boot/firmware
echo 'Raspberry Pi reference: a base of trials, laid out the same way' >etc/rpi-issue
cat >etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg <<'END'
datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    seedfrom: file:///boot/firmware/
END
# Its seed lies on a volume that is mounted like any other: without an order cloud-init may be there first, and finds none.
mkdir -p etc/systemd/system/cloud-init-main.service.d etc/systemd/system.conf.d
printf '[Unit]\nRequiresMountsFor=/boot/firmware\n' >etc/systemd/system/cloud-init-main.service.d/10-seed.conf
# Emulated, and perhaps beside a compiler: devices take long to show.
printf '[Manager]\nDefaultDeviceTimeoutSec=900\nDefaultTimeoutStartSec=900\n' >etc/systemd/system.conf.d/50-lab.conf
systemctl --root=. --quiet enable systemd-networkd.service systemd-resolved.service systemd-timesyncd.service
systemctl --root=. --quiet disable ssh.service
systemctl --root=. --quiet mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer dpkg-db-backup.timer
"#;
const HOOKS: &[&str] = &[CLOUD_KERNEL, ARCHIVE, SETTINGS];

/// The root for that architecture; one that is not this machine's is emulated.
pub fn recipe(arch: Arch) -> Recipe {
    let arch = (arch == Arch::Arm64).then_some(arch);
    Recipe { codename: "trixie", arch, packages: PACKAGES, hooks: HOOKS }
}
