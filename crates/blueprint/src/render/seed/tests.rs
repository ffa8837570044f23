use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::escape::yaml;
use crate::model::{Addressing, SshKey, Wifi};
use crate::render::testing;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5SbA me: #1 $x";
const CANARY: &str = "c4n4ry: #'\"$ \\ end";

fn card() -> Card {
    Card {
        base: Some("a-base".to_owned()),
        user: "ada".to_owned(),
        ssh_keys: vec![SshKey::Literal(KEY.parse().unwrap())],
        password_hash: None,
        locale: "de_DE.UTF-8".to_owned(),
        keyboard: "de".to_owned(),
        addressing: Addressing::Dhcp,
        wifi: None,
    }
}

fn wifi(ssid: &str) -> Wifi {
    Wifi {
        ssid: ssid.to_owned(),
        psk: Some("env:PSK".parse().unwrap()),
        country: "DE".to_owned(),
        hidden: false,
    }
}

fn model(card: Card, board: Board) -> Model {
    let mut model = testing::model();
    model.network.gateway = Some("192.168.1.1".parse().unwrap());
    model.network.dns = vec!["192.168.1.1".parse().unwrap()];
    let node = model.nodes.get_mut("pi-1").unwrap();
    node.board = Some(board);
    node.page_size = (board == Board::Rpi5).then_some(crate::model::PageSize::FourKib);
    node.card = Some(card);
    model
}

fn supplies(psk: Option<&str>, hash: Option<&str>) -> Supplies {
    Supplies {
        ssh_keys: vec![KEY.parse().unwrap()],
        password_hash: hash.map(|hash| hash.parse().unwrap()),
        psk: psk.map(|psk| psk.parse().unwrap()),
    }
}

fn made(model: &Model, method: FirstBoot, supplies: &Supplies) -> Result<Seed, SeedError> {
    let node = &model.nodes["pi-1"];
    let resources = crate::render::node(model, node, &testing::pins()).unwrap().resources;
    let bundle = BundlePlace {
        file: "bundle-arm64.tar.gz".to_owned(),
        digest: Digest::sha256_of(b"bundle"),
        address: None,
    };
    seed(&Request { model, node, resources: &resources, method, supplies, bundle: &bundle, public_key: None })
}

fn text<'a>(seed: &'a Seed, path: &str) -> &'a str {
    std::str::from_utf8(&seed.files[path].content).unwrap()
}

fn parsed(seed: &Seed, path: &str) -> Value {
    yaml::read(text(seed, path)).unwrap()
}

#[test]
fn a_password_is_no_argument_of_any_program() {
    let hash = "$6$salt$hash";
    let seed = made(&model(card(), Board::Rpi5), FirstBoot::CloudInit, &supplies(None, Some(hash))).unwrap();
    let mut data = parsed(&seed, "user-data");
    let told = data["chpasswd"].take();
    // Without the word it would have to be changed at the first login.
    assert_eq!(told["expire"], false);
    assert_eq!(told["users"], serde_json::json!([{ "name": "ada", "type": "hash", "password": hash }]));
    assert!(!data.to_string().contains(hash), "{data:#}");
}

#[test]
fn cloud_init_gets_its_three_files() {
    let model = model(card(), Board::Rpi5);
    let seed = made(&model, FirstBoot::CloudInit, &supplies(None, None)).unwrap();
    assert!(text(&seed, "user-data").starts_with("#cloud-config\n"));
    let data = parsed(&seed, "user-data");
    assert_eq!(data["hostname"], "pi-1");
    assert_eq!(data["timezone"], "Europe/Berlin");
    assert_eq!(data["keyboard"]["layout"], "de");
    // FIELD P4, P5: one account with the image's groups, sudo said.
    assert_eq!(data["user"]["name"], "ada");
    assert_eq!(data["user"]["primary_group"], "ada");
    assert_eq!(data["user"]["sudo"], "ALL=(ALL) NOPASSWD:ALL");
    assert_eq!(data["user"]["lock_passwd"], true);
    assert!(data.get("chpasswd").is_none());
    assert_eq!(data["user"]["ssh_authorized_keys"][0], KEY);
    assert!(data.get("users").is_none());
    // FIELD P3: the server is started, by a command and no invented key.
    assert_eq!(data["runcmd"][0], serde_json::json!(["systemctl", "enable", "--now", "ssh"]));
    assert!(data.get("enable_ssh").is_none());
    let scripts = data["write_files"].as_array().unwrap();
    assert!(scripts[0]["content"].as_str().unwrap().contains("NODE=pi-1\n"));
    // FIELD P7: nothing of these belongs to an account that does not exist yet.
    assert!(scripts.iter().all(|file| file.get("owner").is_none()));
    let meta = parsed(&seed, "meta-data");
    assert!(meta["instance-id"].as_str().unwrap().starts_with("pi-1-"), "{meta}");
    assert_eq!(meta["local-hostname"], "pi-1");
    let network = parsed(&seed, "network-config");
    assert_eq!(network["version"], 2);
    assert_eq!(network["ethernets"]["eth0"]["dhcp4"], true);
    assert_eq!(network["ethernets"]["eth0"]["optional"], false);
    assert_eq!(seed.label, None);
    let uefi = made(&self::model(card(), Board::Uefi), FirstBoot::CloudInit, &supplies(None, None)).unwrap();
    assert_eq!(uefi.label, Some("CIDATA"));
    assert_eq!(uefi.edits.paths().count(), 0);
}

/// A changed seed is another instance; what is secret does not change its name.
#[test]
fn an_instance_is_named_by_what_is_open_in_its_seed() {
    let id = |card: Card, supplies: &Supplies| {
        let seed = made(&model(card, Board::Rpi5), FirstBoot::CloudInit, supplies).unwrap();
        parsed(&seed, "meta-data")["instance-id"].as_str().unwrap().to_owned()
    };
    let plain = id(card(), &supplies(None, None));
    assert_eq!(plain, id(card(), &supplies(None, None)));
    assert_eq!(plain, id(Card { wifi: None, ..card() }, &supplies(Some("12345678"), None)));
    assert_ne!(plain, id(Card { user: "bob".to_owned(), ..card() }, &supplies(None, None)));
    assert_ne!(plain, id(Card { addressing: Addressing::Static, ..card() }, &supplies(None, None)));
}

#[test]
fn addresses_and_wireless_networks_are_described() {
    let fixed = Card { addressing: Addressing::Static, ..card() };
    let seed = made(&model(fixed.clone(), Board::Uefi), FirstBoot::CloudInit, &supplies(None, None)).unwrap();
    let lan = &parsed(&seed, "network-config")["ethernets"]["lan"];
    assert_eq!(lan["match"]["name"], "e*");
    assert_eq!(lan["addresses"][0], "192.168.1.20/24");
    assert_eq!(lan["routes"][0]["via"], "192.168.1.1");
    assert_eq!(lan["nameservers"]["addresses"][0], "192.168.1.1");
    assert_eq!(lan["dhcp4"], false);
    let wireless = Card { wifi: Some(wifi("Köln: #1 'x'")), ..fixed };
    let model = model(wireless, Board::Rpi4);
    let seed = made(&model, FirstBoot::CloudInit, &supplies(Some(CANARY), None)).unwrap();
    let network = parsed(&seed, "network-config");
    let wlan = &network["wifis"]["wlan0"];
    assert_eq!(wlan["access-points"]["Köln: #1 'x'"]["password"], CANARY);
    assert_eq!(wlan["regulatory-domain"], "DE");
    assert_eq!(wlan["addresses"][0], "192.168.1.20/24");
    assert_eq!(
        (&network["ethernets"]["eth0"]["optional"], &wlan["optional"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    // FIELD P10: the radio stays off without a country on the kernel's line.
    assert!(seed.edits.words("cmdline.txt").contains(&"cfg80211.ieee80211_regdom=DE".to_owned()));
    let seed = made(&model, FirstBoot::FirstRun, &supplies(Some(CANARY), None)).unwrap();
    let connection = text(&seed, "rootstock/wifi.nmconnection");
    assert!(connection.contains("ssid=75;195;182;108;110;58;32;35;49;32;39;120;39;\n"), "{connection}");
    assert!(connection.contains("psk=c4n4ry: #'\"$ \\\\ end\n"), "{connection}");
    assert!(connection.contains("address1=192.168.1.20/24,192.168.1.1\n"), "{connection}");
    assert_eq!(seed.files["rootstock/wifi.nmconnection"].lasts, Lasts::UntilJoined);
}

#[test]
fn the_older_way_gets_a_script_and_its_words() {
    let seed = made(&model(card(), Board::Rpi5), FirstBoot::FirstRun, &supplies(None, Some("$6$salt$hash")))
        .unwrap();
    let script = text(&seed, "firstrun.sh");
    for line in ["NODE=pi-1\n", "ACCOUNT=ada\n", "ZONE=Europe/Berlin\n", "KEYBOARD=de\n"] {
        assert!(script.contains(line), "{script}");
    }
    assert_eq!(text(&seed, "userconf.txt"), "ada:$6$salt$hash\n");
    assert!(!script.contains("hash\n") && !text(&seed, "rootstock/first-boot.sh").contains("$6$"));
    assert_eq!(text(&seed, "rootstock/authorized_keys"), format!("{KEY}\n"));
    assert!(!seed.files.contains_key("user-data"));
    let error = made(&model(card(), Board::Uefi), FirstBoot::FirstRun, &supplies(None, None)).unwrap_err();
    assert!(error.to_string().contains("firstrun.sh") && error.to_string().contains("UEFI"), "{error}");
    let mut none = model(card(), Board::Rpi5);
    none.nodes.get_mut("pi-1").unwrap().card = None;
    assert!(matches!(made(&none, FirstBoot::FirstRun, &supplies(None, None)), Err(SeedError::NoBoard(_))));
}

/// FIELD K2-K4, P11, P13: one line, `root=` to the byte, our words once, those of the first boot last.
#[test]
fn files_of_the_base_are_changed_and_kept() {
    let wireless = Card { wifi: Some(wifi("home")), ..card() };
    let seed =
        made(&model(wireless, Board::Rpi5), FirstBoot::FirstRun, &supplies(Some("12345678"), None)).unwrap();
    let paths: Vec<&str> = seed.edits.paths().collect();
    assert_eq!(paths, ["cmdline.txt", "config.txt"]);
    let line =
        "console=serial0,115200 root=PARTUUID=041bba91-02 rootfstype=ext4 rootwait quiet init=/usr/lib/x\n";
    let once = seed.edits.apply("cmdline.txt", line.as_bytes()).unwrap();
    let wanted = "console=serial0,115200 root=PARTUUID=041bba91-02 rootfstype=ext4 rootwait cgroup_memory=1 \
                  cgroup_enable=memory cfg80211.ieee80211_regdom=DE quiet init=/usr/lib/x \
                  systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot \
                  systemd.unit=kernel-command-line.target\n";
    assert_eq!(String::from_utf8(once.clone()).unwrap(), wanted);
    assert_eq!(seed.edits.apply("cmdline.txt", &once).unwrap(), once);
    let old =
        wanted.replace("regdom=DE", "regdom=US").replace("/boot/firstrun.sh", "/boot/firmware/other.sh");
    let again = String::from_utf8(seed.edits.apply("cmdline.txt", old.as_bytes()).unwrap()).unwrap();
    assert_eq!(again.matches("systemd.run=").count(), 1, "{again}");
    assert_eq!(again.matches("regdom=").count(), 1, "{again}");
    assert!(again.contains("regdom=DE") && again.contains("root=PARTUUID=041bba91-02 "), "{again}");
    let config = seed.edits.apply("config.txt", b"[all]\narm_64bit=1\n").unwrap();
    let config = String::from_utf8(config).unwrap();
    assert!(
        config.starts_with("[all]\narm_64bit=1\n") && config.contains("[pi5]\nkernel=kernel8.img\n[all]\n"),
        "{config}"
    );
    assert_eq!(seed.edits.apply("config.txt", config.as_bytes()).unwrap(), config.as_bytes());
    for bad in ["quiet\n", "root=X\nmore\n"] {
        assert!(
            matches!(seed.edits.apply("cmdline.txt", bad.as_bytes()), Err(EditError::Line { .. })),
            "{bad}"
        );
    }
}

/// FIELD S1-S4: a secret stands in files that are taken away, and nowhere else.
#[test]
fn secrets_are_only_where_they_are_taken_away() {
    let wireless = Card { wifi: Some(wifi("home")), ..card() };
    let model = model(wireless, Board::Rpi5);
    for method in [FirstBoot::CloudInit, FirstBoot::FirstRun] {
        let seed = made(&model, method, &supplies(Some("psk-c4n4ry"), Some("$6$salt$h4shc4n4ry"))).unwrap();
        for secret in ["psk-c4n4ry", "h4shc4n4ry"] {
            let holders: Vec<&String> = seed
                .files
                .iter()
                .filter(|(_, file)| String::from_utf8_lossy(&file.content).contains(secret))
                .map(|(path, _)| path)
                .collect();
            assert_eq!(holders.len(), 1, "{method}: {secret} in {holders:?}");
            assert_eq!(seed.files[holders[0]].lasts, Lasts::UntilJoined);
        }
        assert!(!format!("{seed:?} {:?}", supplies(Some("psk-c4n4ry"), None)).contains("psk-c4n4ry\")"));
        for script in seed.files.iter().filter(|(path, _)| path.ends_with(".sh")) {
            assert!(script.1.content.is_ascii(), "{}", script.0);
        }
    }
}

proptest! {
    /// Whatever a network is called and however its key looks, it is read back as it was.
    #[test]
    fn values_survive(ssid in "[^\\p{Cc}]{1,8}", psk in "[ -~]{8,63}") {
        let wireless = Card { wifi: Some(wifi(&ssid)), ..card() };
        let seed = made(&model(wireless, Board::Rpi5), FirstBoot::CloudInit, &supplies(Some(&psk), None)).unwrap();
        let network = parsed(&seed, "network-config");
        prop_assert_eq!(&network["wifis"]["wlan0"]["access-points"][&ssid]["password"], &psk);
        prop_assert!(!text(&seed, "network-config").contains(['\t', '\r']));
    }
}
