//! The unit of a card's first boot on a live systemd: it waits and says why, joins once, and leaves nothing that must not stay.
//!
//! The boot partition is a folder here, and cloud-init has been: its files lie where it puts them. Cards are booted in the vm ring.

use anyhow::{Context as _, ensure};
use blueprint::render::seed::{BundlePlace, SECRETS, Seed};
use desired::resource::{Owner, Resource, SecretPart, Want};
use desired::{Digest, FileSet, Mode};
use host::process::Output;
use host::secret::{Secret, to_hand_over};
use host::serve::Server;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::lab::node::{Network, Node as Machine, Options, wait_for};
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node, SECRET, VARIABLE};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};
use tests::seeds;

const BOOT: &str = "boot/firmware";
const BUNDLE: &str = "bundle-amd64.tar.gz";
const UNIT: &str = "rootstock-first-boot.service";
/// What cloud-init keeps of what it was told.
const KEPT: &str = "var/lib/cloud/instances/rootstock-1/user-data.txt";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node];
    vec![
        Trial::new(Ring::Container, "first_boot::it_joins_once_and_wipes_what_must_not_stay", joins)
            .needs(&needs),
        Trial::new(Ring::Container, "first_boot::it_fetches_a_bundle_that_its_card_has_no_room_for", fetches)
            .needs(&needs),
    ]
}

/// What the machine joins from: a bundle with our program and one secret.
fn bundle() -> anyhow::Result<Vec<u8>> {
    let token = Want::SecretFile {
        path: "/etc/trial/token".parse()?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret(format!("env:{VARIABLE}").parse()?)],
    };
    let desk = Node::new(&[])?;
    desk.bundle_with_program(&[Resource::new(token)])?;
    Ok(std::fs::read(desk.archive())?)
}

fn joins(lab: &Lab) -> anyhow::Result<()> {
    let bundle = bundle()?;
    let seed = seed(&bundle, None)?;
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    machine.place(&card(&seed)?)?;
    // A card whose bundle was cut off while it was written.
    machine.place(&one(&format!("{BOOT}/rootstock/{BUNDLE}"), &bundle[..bundle.len() / 2])?)?;
    machine.said("systemctl", &["daemon-reload"])?;
    ensure!(started(&machine)?.code != 0, "it joined from half a bundle");
    let status = || machine.read(&format!("/{BOOT}/rootstock/status.txt"));
    let words =
        format!("waiting\nnode {NODE}\n{BUNDLE} on the boot partition is damaged; flash the card again\n");
    ensure!(status()?.starts_with(&words), "{}", status()?);
    ensure!(
        machine.read(&format!("/{BOOT}/{SECRETS}"))?.contains(SECRET),
        "it is wiped before the node has joined"
    );

    // It tries by itself.
    machine.place(&one(&format!("{BOOT}/rootstock/{BUNDLE}"), &bundle)?)?;
    wait_for("it has joined", Duration::from_secs(120), || {
        Ok(machine.read("/var/lib/rootstock/first-boot/done").ok().map(drop))
    })
    .with_context(|| status().unwrap_or_default())?;
    ensure!(status()?.starts_with(&format!("joined\nnode {NODE}\n")), "{}", status()?);
    ensure!(machine.read("/etc/trial/token")? == SECRET, "the node has another secret");
    is_clean(&machine, &seed)?;

    // Another start changes nothing, also not for whoever asks for it.
    machine.said("rm", &["/etc/trial/token"])?;
    ensure!(started(&machine)?.code == 0, "it is no longer wanted, which is no failure");
    ensure!(machine.read("/etc/trial/token").is_err(), "it joined twice");
    Ok(())
}

/// From the desk, which first is not there, then has another bundle, then the right one, of which half is here already.
fn fetches(lab: &Lab) -> anyhow::Result<()> {
    let (bundle, folder) = (bundle()?, scratch()?);
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    let desk = machine.said("sh", &["-c", "ip -4 route show default | cut -d' ' -f3"])?;
    let desk = SocketAddr::new(desk.trim().parse()?, TcpListener::bind("0.0.0.0:0")?.local_addr()?.port());
    let address = format!("http://{desk}/lab/{BUNDLE}");
    let seed = seed(&bundle, Some(address.clone()))?;
    machine.place(&card(&seed)?)?;
    machine.said("systemctl", &["daemon-reload"])?;
    let waits = |words: &str| -> anyhow::Result<()> {
        // Its own tries come later each time; nobody waits for those here.
        machine.said("rm", &["-f", "/run/rootstock-first-boot.tries"])?;
        ensure!(started(&machine)?.code != 0, "it joined all the same");
        let status = machine.read(&format!("/{BOOT}/rootstock/status.txt"))?;
        ensure!(status.starts_with(&format!("waiting\nnode {NODE}\n{words}")), "{status}");
        Ok(())
    };
    waits(&format!("{address} can't be fetched; on the desk: cargo xtask serve\n"))?;
    let file = folder.path().join(BUNDLE);
    std::fs::write(&file, b"the bundle of another card")?;
    let server = Server::bind(desk, BTreeMap::from([(format!("/lab/{BUNDLE}"), file.clone())]))?;
    let answers = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&answers);
    // It serves to the end of the run; its port is nobody else's meanwhile.
    std::thread::spawn(move || {
        server.run(move |one| noted.lock().expect("nobody panics with it").push(one.clone()))
    });
    waits(&format!("what {address} answers is not the bundle this card was made for\n"))?;
    std::fs::write(&file, &bundle)?;
    let half = bundle.len() / 2;
    machine.place(&one(&format!("var/lib/rootstock/first-boot/{BUNDLE}.part"), &bundle[..half])?)?;
    machine.said("rm", &["-f", "/run/rootstock-first-boot.tries"])?;
    let last = started(&machine)?;
    ensure!(last.code == 0, "it does not join: {}", machine.journal(UNIT, 15)?);
    ensure!(machine.read("/etc/trial/token")? == SECRET, "the node has another secret");
    let answers = answers.lock().expect("nobody panics with it");
    let last = answers.last().context("it asked")?;
    ensure!(last.status == 206 && last.bytes == (bundle.len() - half) as u64, "{last:?}");
    is_clean(&machine, &seed)
}

fn started(machine: &Machine<'_>) -> anyhow::Result<Output> {
    Ok(machine.call("systemctl").args(["start", UNIT]).accept((0..=255).collect::<Vec<_>>()).run()?)
}

/// Nothing of what was secret is left, and what cloud-init reads at the next boot is what is meant for it.
fn is_clean(machine: &Machine<'_>, seed: &Seed) -> anyhow::Result<()> {
    let search = format!("grep -rlF -e canary -e {SECRET} /boot /var/lib/cloud /var/lib/rootstock || true");
    let found = machine.said("sh", &["-c", &search])?;
    ensure!(found.trim().is_empty(), "a secret is still in {found}");
    for name in ["user-data", "network-config"] {
        let wanted = &seed.files[&format!("rootstock/after/{name}")].content;
        let left = machine.read(&format!("/{BOOT}/{name}"))?;
        ensure!(left.as_bytes() == wanted.as_slice(), "{name} is {left}");
    }
    ensure!(
        machine.read(&format!("/{BOOT}/rootstock/{BUNDLE}")).is_err(),
        "the bundle stays on a small partition"
    );
    Ok(())
}

/// The seed of a machine with cloud-init under the name of this trial's node.
fn seed(bundle: &[u8], address: Option<String>) -> anyhow::Result<Seed> {
    let mut model = seeds::model()?;
    let mut node = model.nodes.remove("hut").context("the fixture has this node")?;
    node.name = NODE.parse()?;
    model.nodes.insert(node.name.clone(), node.clone());
    let place = BundlePlace { file: BUNDLE.to_owned(), digest: Digest::sha256_of(bundle), address };
    seeds::of(&model, &node, &place)
}

/// The card's files, and those that cloud-init has made from them.
fn card(seed: &Seed) -> anyhow::Result<FileSet> {
    let mut files = FileSet::new();
    for (path, file) in &seed.files {
        files.insert(&format!("{BOOT}/{path}"), Mode::PRIVATE, file.content.clone())?;
    }
    let handed = BTreeMap::from([(format!("env:{VARIABLE}").parse()?, Secret::new(SECRET))]);
    files.insert(&format!("{BOOT}/{SECRETS}"), Mode::PRIVATE, to_hand_over(&handed))?;
    files.insert(&format!("{BOOT}/rootstock/passport.json"), Mode::PRIVATE, "{}")?;
    let told = &seed.files["user-data"].content;
    files.insert(KEPT, Mode::PRIVATE, told.clone())?;
    let told: Value = blueprint::escape::yaml::read(std::str::from_utf8(told)?)?;
    for file in told["write_files"].as_array().context("it writes files")? {
        let text = |key: &str| file[key].as_str().with_context(|| format!("a file without {key}"));
        files.insert(
            text("path")?.trim_start_matches('/'),
            text("permissions")?.parse()?,
            text("content")?,
        )?;
    }
    Ok(files)
}

fn one(path: &str, content: &[u8]) -> anyhow::Result<FileSet> {
    let mut files = FileSet::new();
    files.insert(path, Mode::PRIVATE, content)?;
    Ok(files)
}
