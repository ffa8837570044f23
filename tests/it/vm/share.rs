//! Shares by the kernel itself: by NFS, both sides of it set up by the product (FIELD M3, M5, M7, M8, M14), and by SMB.

use super::trial;
use super::whole::Whole;
use anyhow::ensure;
use tests::ring::Trial;
use tests::vm::guest::Guest;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("share::it_is_mounted_when_used_and_holds_back_who_writes_to_it", |lab| {
            Whole::of(lab)?.share.clone().map_err(anyhow::Error::msg)
        }),
        trial("share::one_with_a_password_is_mounted_when_used_and_shows_it_to_nobody", |lab| {
            Whole::of(lab)?.vault.clone().map_err(anyhow::Error::msg)
        }),
    ]
}

/// A share by SMB that wants a password (FIELD M2, M11, S8), on a machine that has joined.
pub fn vault_holds(guest: &Guest<'_>) -> anyhow::Result<()> {
    // Whoever wants to read is who mounts it.
    let wrote =
        guest.sh("runuser -u operator -- sh -c 'echo kept >/mnt/vault/note' && cat /srv/vault/note")?;
    ensure!(wrote == "kept", "on the server's disk: {wrote}");
    let mounted = guest.sh("findmnt -n -o FSTYPE,SOURCE,OPTIONS /mnt/vault")?;
    for part in ["autofs", "cifs", "//10.0.2.20/vault", "vers=3.1.1", "hard", "nosuid", "nodev"] {
        ensure!(mounted.contains(part), "it is mounted without {part}: {mounted}");
    }
    let owners = guest.sh("stat -c '%U %G' /mnt/vault/note")?;
    ensure!(owners == "operator operator", "the file is {owners}'s");
    let holders = "journalctl -q -o cat | grep -c not-to-be-seen-anywhere
        grep -l not-to-be-seen-anywhere /proc/[0-9]*/cmdline /proc/mounts 2>/dev/null | grep -v /$$/
        grep -rl not-to-be-seen-anywhere /etc /run /usr/local /var/lib/rootstock /var/log 2>/dev/null
        stat -c '%a %U' /etc/samba/credentials/vault";
    let holders = guest.sh(&holders.replace("not-to-be", "no[t]-to-be"))?;
    ensure!(holders == "0\n/etc/samba/credentials/vault\n600 root", "who holds the password: {holders}");
    // Without the server nothing gets onto the bare folder below, and nobody hangs for ever.
    guest.sh("umount /mnt/vault && systemctl stop smbd.service")?;
    let lost = "runuser -u operator -- timeout 120 sh -c 'echo lost >/mnt/vault/lost' 2>/dev/null; echo $?";
    let lost = guest.sh(lost)?;
    ensure!(lost != "0" && lost != "124", "without its server a write ends with {lost}");
    let bare = "systemctl stop mnt-vault.automount; ls -A /mnt/vault; systemctl start mnt-vault.automount";
    let bare = guest.sh(bare)?;
    ensure!(bare.is_empty(), "in the bare folder: {bare}");
    let back = guest.sh("systemctl start smbd.service && cat /mnt/vault/note")?;
    ensure!(back == "kept", "with the server back: {back}");
    Ok(())
}

/// On a machine that has joined.
pub fn holds(guest: &Guest<'_>) -> anyhow::Result<()> {
    let kinds = || guest.sh("ls /mnt/media >/dev/null; findmnt -n -o FSTYPE,OPTIONS /mnt/media");
    let mounted = kinds()?;
    ensure!(mounted.contains("autofs") && mounted.contains("vers=4.2"), "what is mounted: {mounted}");
    ensure!(mounted.contains("hard") && mounted.contains("nosuid"), "how it is mounted: {mounted}");
    // What the gated program wrote, by its own account, is on the server's disk.
    let active = guest.sh("systemctl start lab-media.service && systemctl is-active lab-media.service")?;
    ensure!(active == "active", "the gated program is {active}");
    let owner = guest.sh("stat -c %U /srv/store/media/written")?;
    ensure!(owner == "operator", "the file is {owner}'s");
    // FIELD X27: root of a client is nobody on the server.
    ensure!(guest.sh("touch /mnt/media/by-root 2>/dev/null || echo refused")? == "refused", "root may write");
    without_server(guest)?;
    guest.sh("systemctl start nfs-server.service")?;
    // Nobody asks for it again: the service that waits for mounts does.
    let again = "systemctl restart --no-block rootstock-mounts.service
        for second in $(seq 600); do
          systemctl -q is-active lab-media.service && break; sleep 1
        done
        systemctl is-active lab-media.service";
    let active = guest.sh(again)?;
    ensure!(active == "active", "with the server back, the gated program is {active}");
    Ok(())
}

/// A server that is gone: the program does not start, and nothing is written to the bare folder below.
fn without_server(guest: &Guest<'_>) -> anyhow::Result<()> {
    guest.sh("systemctl stop lab-media.service; umount /mnt/media; systemctl stop nfs-server.service")?;
    let started = guest.call(&["systemctl", "start", "lab-media.service"]).accept([0, 1]).run()?;
    ensure!(started.code == 1, "without its share the gated program starts");
    let written = guest
        .sh("systemctl stop mnt-media.automount; ls -A /mnt/media; systemctl start mnt-media.automount")?;
    ensure!(written.is_empty(), "in the bare folder: {written}");
    Ok(())
}
