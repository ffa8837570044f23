//! The older method of Raspberry Pi OS: its script on a live Debian 12, as the vendor's image starts it before anything else.
//!
//! The boot partition is a folder here, and the account is the image's own; what the system does afterwards is the first boot's trial.

use anyhow::{Context as _, ensure};
use desired::{FileSet, Mode};
use tests::lab::node::{Network, Node as Machine, Options, Release};
use tests::lab::{Lab, Need};
use tests::programs::said;
use tests::ring::{Ring, Trial};
use tests::seeds;

const BOOT: &str = "/boot/firmware";
/// As the vendor ships it; the node's own line has the same words, and those that start the script.
const LINE: &str = "console=tty1 root=PARTUUID=041bba91-02 rootfstype=ext4 fsck.repair=yes rootwait quiet";
const STARTS: &str =
    "systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node, Need::OlderNode];
    vec![
        Trial::new(Ring::Container, "first_run::the_older_way_makes_the_node_and_leaves_no_secret", older)
            .needs(&needs),
    ]
}

fn older(lab: &Lab) -> anyhow::Result<()> {
    let seed = seeds::all()?.remove("barn").context("the fixture has this node")?;
    let network = Network::new(lab.engine())?;
    let options = Options { release: Release::Bookworm, ..Options::default() };
    let machine = Machine::start(lab, "raspberrypi", &network, &options)?;
    let mut files = FileSet::new();
    for (path, file) in &seed.files {
        files.insert(&format!("{}/{path}", &BOOT[1..]), Mode::EXECUTABLE, file.content.clone())?;
    }
    files.insert(&format!("{}/rootstock/passport.json", &BOOT[1..]), Mode::PUBLIC, "{}")?;
    files.insert(&format!("{}/cmdline.txt", &BOOT[1..]), Mode::PUBLIC, format!("{LINE} {STARTS}\n"))?;
    machine.place(&files)?;
    let sh = |script: &str| machine.said("sh", &["-c", script]);
    sh("useradd --uid 1000 --create-home --shell /bin/bash pi && echo kept >/home/pi/note
        echo '# de_DE.UTF-8 UTF-8' >/etc/locale.gen
        printf '127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n' >/etc/hosts")?;
    let run = format!("cp {BOOT}/firstrun.sh /root/copy && sh {BOOT}/firstrun.sh");
    let output = machine.call("sh").args(["-c", &run]).accept((0..=255).collect::<Vec<_>>()).run()?;
    ensure!(output.code == 0, "it ends with {}: {}", output.code, said(&output));
    is_barn(&machine)?;
    // The power may go before its end, and it is started again.
    sh("sh /root/copy")?;
    is_barn(&machine)
}

fn is_barn(machine: &Machine<'_>) -> anyhow::Result<()> {
    let sh = |script: &str| machine.said("sh", &["-c", script]);
    let is = |script: &str, wanted: &str| -> anyhow::Result<()> {
        let found = sh(script)?;
        ensure!(found == wanted, "{script}: {found}, not {wanted}");
        Ok(())
    };
    is("cat /etc/hostname; getent hosts barn | tr -s ' ' | cut -d' ' -f2", "barn\nbarn")?;
    is(
        "id -un 1000; getent passwd operator | cut -d: -f6; cat /home/operator/note",
        "operator\n/home/operator\nkept",
    )?;
    is("getent shadow operator | cut -d: -f2", seeds::HASH)?;
    is("stat -c '%a %U' ~operator/.ssh ~operator/.ssh/authorized_keys", "700 operator\n600 operator")?;
    let keys = sh("cat ~operator/.ssh/authorized_keys")?;
    ensure!(keys.ends_with("the operator's key: #1 $HOME \"quoted\" ü"), "{keys}");
    is(
        "cat /etc/default/locale; cat /etc/locale.gen; cat /etc/timezone",
        "LANG=de_DE.UTF-8\nde_DE.UTF-8 UTF-8\nEurope/Berlin",
    )?;
    is("visudo -c -q -f /etc/sudoers.d/010_rootstock && su operator -c 'sudo -n id -u'", "0")?;
    is("sshd -T | grep -i ^passwordauthentication", "passwordauthentication no")?;
    let wifi = "/etc/NetworkManager/system-connections/rootstock-wifi.nmconnection";
    is(&format!("stat -c '%a %U' {wifi}"), "600 root")?;
    is("systemctl is-enabled rootstock-first-boot.service ssh.service", "enabled\nenabled")?;
    // What brought us here is gone, and nothing that stood before it.
    is(&format!("cat {BOOT}/cmdline.txt; ls {BOOT}"), &format!("{LINE}\ncmdline.txt\nrootstock"))?;
    is(&format!("grep -rlF canaryhash {BOOT} || echo nowhere"), "nowhere")
}
