//! A card made on a base in memory, from a profile in a string; and everything that is refused on the way.

use super::*;
use blueprint::parse::Source;
use blueprint::resolve::{Profile, resolve};
use desired::Digest;
use desired::cluster_manifest::{BundleRow, CLUSTER_MANIFEST_VERSION, ClusterManifest};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use host::disk::fat::Fat;
use host::disk::insight::Content;
use host::disk::overlay::Patched;
use std::io::{Cursor, Write as _};
use std::path::Path;
use tempfile::TempDir;

const PROFILE: &str = r#"schema-version = 1
[cluster]
name = "yard"
admin-user = "me"
orchestrator = "k3s"
[network]
lan = "192.168.7.0/24"
[versions]
k3s = "v1.36.4+k3s1"
[k3s]
server-token = "env:YARD_SERVER"
agent-token = "env:YARD_JOIN"
[card]
base = "b"
ssh-keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5SbA me"]
[nodes.hut]
arch = "amd64"
address = "192.168.7.10"
board = "uefi"
k3s = "first-server"
os = { family = "debian", release = "13" }
[nodes.shed]
arch = "arm64"
address = "192.168.7.11"
board = "rpi-5"
k3s = "agent"
os = { family = "raspberry-pi-os", release = "13" }
"#;
const START: usize = 1 << 20;

/// A desk with a bundle of so many bytes, and a base whose boot partition has 24 MiB.
struct Desk {
    folder: TempDir,
    model: Model,
    built: Built,
    base: Vec<u8>,
    insight: Insight,
}

/// A disk with a boot partition that starts a Raspberry Pi.
fn base() -> Vec<u8> {
    let mut base = vec![0; 25 << 20];
    let mut volume = Cursor::new(&mut base[START..]);
    format_volume(&mut volume, FormatVolumeOptions::new()).unwrap();
    let system = FileSystem::new(&mut volume, FsOptions::new()).unwrap();
    system.root_dir().create_file("cmdline.txt").unwrap().write_all(b"root=PARTUUID=1-2 rootwait\n").unwrap();
    drop(system);
    base
}

impl Desk {
    fn new(bundle: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::new("yard/cluster.toml", PROFILE.to_owned());
        let resolution = resolve(&Profile { folder: "yard", cluster: &source, roles: &[], files: &[] });
        let model = resolution.model.unwrap_or_else(|| panic!("{:?}", resolution.findings));
        let content = vec![7; bundle];
        std::fs::write(folder.path().join("bundle-arm64.tar.gz"), &content).unwrap();
        for node in model.nodes.keys() {
            let place = folder.path().join("nodes").join(node.as_str());
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("resources.json"), "[]").unwrap();
        }
        let digest = Digest::sha256_of(&content);
        let row = |arch| BundleRow {
            arch,
            file: format!("bundle-{arch}.tar.gz"),
            size: ByteSize(content.len() as u64),
            digest: digest.clone(),
            uncompressed_digest: digest.clone(),
            nodes: Vec::new(),
        };
        let manifest = ClusterManifest {
            manifest_version: CLUSTER_MANIFEST_VERSION,
            cluster: model.name.clone(),
            tool_version: "0".to_owned(),
            bundles: vec![row(desired::Arch::Arm64)],
            images: Vec::new(),
            artifacts: Vec::new(),
        };
        let built = Built { folder: folder.path().to_owned(), manifest };
        let base = base();
        let size = ByteSize((base.len() - START) as u64);
        let boot = Content {
            number: 1,
            start: START as u64,
            size,
            file_system: Some("FAT16".to_owned()),
            label: String::new(),
            used: size,
        };
        let insight = Insight {
            table: "MBR 1".to_owned(),
            sector: 512,
            size: ByteSize(base.len() as u64),
            partitions: vec![boot],
            boot: Some(1),
            system: Some("Raspberry Pi reference".to_owned()),
            arch: Some("arm64".to_owned()),
            first_boot: Some(FirstBoot::CloudInit),
            remarks: Vec::new(),
        };
        Self { folder, model, built, base, insight }
    }

    fn card(&self, node: &str, options: &Options) -> Result<Card, Failure> {
        let origin = Origin { name: "base.img".to_owned(), digest: None, size: None };
        let ground = Ground { head: &self.base[..], insight: &self.insight, origin };
        Maker { model: &self.model, built: &self.built, options }.card(&self.model.nodes[node], &ground)
    }

    fn refused(&self, node: &str, options: &Options) -> (Code, String) {
        let failure = self.card(node, options).unwrap_err();
        (failure.code, format!("{:#}", failure.error))
    }

    fn token(&self, text: &str) -> Options {
        let path = self.folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        Options { token_file: Some(path), ..Options::default() }
    }
}

fn good_token() -> String {
    format!("K10{}::abcdef.0123456789canary\n", "a".repeat(64))
}

#[test]
fn a_card_holds_its_seed_its_bundle_and_a_passport_of_both() {
    let desk = Desk::new(100_000);
    let options = desk.token(&good_token());
    let card = desk.card("shed", &options).unwrap();
    let whole = Patched::new(&desk.base[..], &card.patch);
    let part = Part::new(&whole, START as u64, (desk.base.len() - START) as u64);
    let fat = Fat::open(&part).unwrap().unwrap();
    let text = |path: &str| String::from_utf8(fat.read(path).unwrap().unwrap()).unwrap();
    assert!(text("user-data").starts_with("#cloud-config\n"));
    assert_eq!(text("cmdline.txt"), "root=PARTUUID=1-2 rootwait\n");
    assert_eq!(fat.read("rootstock/bundle-arm64.tar.gz").unwrap().unwrap(), vec![7; 100_000]);
    assert!(text("rootstock/secrets.json").contains("canary"));
    let (passport, status) = Passport::read(&fat).unwrap().unwrap();
    assert_eq!((&passport, &status), (&card.passport, &None));
    assert_eq!(passport.carries, ["env:YARD_JOIN"]);
    assert!(!passport.text().contains("canary"));
    let fates = passport.verify(&fat, false).unwrap();
    assert!(fates.contains_key("rootstock/bundle-arm64.tar.gz"));
    assert!(fates.values().all(|fate| !fate.is_drift()), "{fates:?}");
    assert_eq!(card.patch.digest(), desk.card("shed", &options).unwrap().patch.digest());
    // Another node's card is another card; a flipped letter is drift.
    let mut changed = desk.base.clone();
    card.patch.blocks().for_each(|(number, block)| {
        let at = usize::try_from(number).unwrap() * 4096;
        changed[at..at + 4096].copy_from_slice(block);
    });
    let at = changed.windows(13).position(|bytes| bytes == b"#cloud-config").unwrap();
    changed[at + 1] = b'C';
    let part = Part::new(&changed[..], START as u64, (changed.len() - START) as u64);
    let fates = passport.verify(&Fat::open(&part).unwrap().unwrap(), false).unwrap();
    let drifted: Vec<&String> =
        fates.iter().filter(|(_, fate)| fate.is_drift()).map(|(path, _)| path).collect();
    assert_eq!(drifted.len(), 1, "{drifted:?}");
}

/// FIELD P1: a base whose first boot obeys something else is refused, and both are named.
#[test]
fn a_base_that_does_not_suit_is_refused() {
    let mut desk = Desk::new(10);
    desk.insight.first_boot = Some(FirstBoot::FirstRun);
    let (code, why) = desk.refused("shed", &Options::default());
    assert_eq!(code, Code::Refused);
    assert!(
        why.contains("firstrun.sh") && why.contains("cloud-init") && why.contains("raspberry-pi-os 13"),
        "{why}"
    );
    desk.insight.first_boot = None;
    let (code, why) = desk.refused("shed", &Options::default());
    assert!(code == Code::Refused && why.contains("nothing in the base"), "{why}");
    desk.insight.first_boot = Some(FirstBoot::CloudInit);
    let (code, why) = desk.refused("hut", &Options::default());
    assert!(code == Code::Refused && why.contains("arm64") && why.contains("amd64"), "{why}");
    desk.insight.arch = None;
    let (code, why) = desk.refused("shed", &Options::default());
    assert!(code == Code::Refused && why.contains("which machine it is for"), "{why}");
    desk.insight.arch = Some("arm64".to_owned());
    desk.insight.boot = None;
    desk.insight.remarks = vec!["partitions 1 and 3 could all boot".to_owned()];
    let (code, why) = desk.refused("shed", &Options::default());
    assert!(code == Code::Refused && why.contains("1 and 3 could all boot; take"), "{why}");
}

#[test]
fn a_bundle_that_does_not_fit_is_fetched_or_the_card_is_not_made() {
    let desk = Desk::new(20 << 20);
    let (code, why) = desk.refused("shed", &Options::default());
    assert!(code == Code::Missing && why.contains("cargo xtask serve"), "{why}");
    let options = Options { serve: Some("http://192.168.7.2:8742/".to_owned()), ..Options::default() };
    let card = desk.card("shed", &options).unwrap();
    let from = card.passport.fetched_from.as_deref();
    assert_eq!(from, Some("http://192.168.7.2:8742/yard/bundle-arm64.tar.gz"));
    assert!(card.remarks.iter().any(|remark| remark.contains("carries no token")), "{:?}", card.remarks);
}

/// FIELD K13, S1: what opens a cluster for good is on no card.
#[test]
fn tokens_that_never_end_are_refused() {
    let desk = Desk::new(10);
    let server = desk.token(&format!("K10{}::server:hunter2hunter2", "a".repeat(64)));
    let (code, why) = desk.refused("shed", &server);
    assert!(code == Code::Refused && why.contains("never ends") && !why.contains("hunter2"), "{why}");
    let (code, why) = desk
        .refused("shed", &Options { token_file: Some(Path::new("/nowhere").into()), ..Options::default() });
    assert!(code == Code::Missing && why.contains("/nowhere"), "{why}");
}
