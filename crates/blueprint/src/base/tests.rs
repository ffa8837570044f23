use super::*;

/// The whole catalogue, as it lies in `images/bases`.
const CATALOGUE: [(&str, &str); 6] = [
    (
        "raspberry-pi-os-lite-trixie",
        include_str!("../../../../images/bases/raspberry-pi-os-lite-trixie.toml"),
    ),
    (
        "raspberry-pi-os-lite-bookworm",
        include_str!("../../../../images/bases/raspberry-pi-os-lite-bookworm.toml"),
    ),
    ("debian-13-generic-arm64", include_str!("../../../../images/bases/debian-13-generic-arm64.toml")),
    ("debian-13-generic-amd64", include_str!("../../../../images/bases/debian-13-generic-amd64.toml")),
    ("ubuntu-24.04-raspi", include_str!("../../../../images/bases/ubuntu-24.04-raspi.toml")),
    ("ubuntu-26.04-raspi", include_str!("../../../../images/bases/ubuntu-26.04-raspi.toml")),
];

fn entry(name: &str) -> BaseEntry {
    let (_, text) = CATALOGUE.iter().find(|(known, _)| *known == name).unwrap();
    BaseEntry::parse(text).unwrap_or_else(|faults| panic!("{name}: {faults}"))
}

#[test]
fn the_catalogue_is_whole() {
    for (name, _) in CATALOGUE {
        let entry = entry(name);
        assert!(entry.images().next().is_some() && !entry.boards().is_empty(), "{name}");
        let packed = |image: &BaseImage| image.url.ends_with(".img.xz") || image.url.ends_with(".raw");
        assert!(entry.images().all(packed), "{name}");
        assert_eq!(entry.partitions.boot.file_system, "vfat", "{name}");
        let arch_in_name = entry.images().all(|image| image.url.contains(entry.arch.as_str()));
        assert!(arch_in_name, "{name}");
    }
}

#[test]
fn each_node_of_each_release_has_one_base() {
    use Board::{Rpi4, Rpi5, Uefi};
    use OsFamily::{Debian, RaspberryPiOs, Ubuntu};
    let suiting = |board, arch, family, release: &str| -> Vec<&str> {
        let suits = |name: &&str| entry(name).suits(board, arch, family, release);
        CATALOGUE.iter().map(|(name, _)| *name).filter(|name| suits(name)).collect()
    };
    for (board, arch, family, release, base) in [
        (Rpi5, Arch::Arm64, RaspberryPiOs, "13", "raspberry-pi-os-lite-trixie"),
        (Rpi4, Arch::Arm64, RaspberryPiOs, "12", "raspberry-pi-os-lite-bookworm"),
        (Uefi, Arch::Arm64, Debian, "13", "debian-13-generic-arm64"),
        (Uefi, Arch::Amd64, Debian, "13", "debian-13-generic-amd64"),
        (Rpi5, Arch::Arm64, Ubuntu, "24.04", "ubuntu-24.04-raspi"),
        (Rpi4, Arch::Arm64, Ubuntu, "26.04", "ubuntu-26.04-raspi"),
    ] {
        assert_eq!(suiting(board, arch, family, release), [base]);
    }
    assert!(suiting(Rpi5, Arch::Amd64, RaspberryPiOs, "13").is_empty());
    assert!(suiting(Rpi5, Arch::Arm64, Debian, "13").is_empty());
    assert_eq!(entry("raspberry-pi-os-lite-bookworm").first_boot, FirstBoot::FirstRun);
    assert_eq!(entry("raspberry-pi-os-lite-trixie").first_boot, FirstBoot::CloudInit);
}

#[test]
fn every_fault_has_its_line() {
    let good = CATALOGUE[0].1;
    let digest = "sha256:cdf4f3bfac35ae947b46e4e767f935453810549779ac3290e05a6754aee627e5";
    for (from, to, line, words) in [
        ("schema-version = 1", "schema-version = 2", 2, "version 2 of this format"),
        ("boards = [\"rpi-5\", \"rpi-4\"]", "boards = []", 4, "`boards` is empty"),
        ("\"rpi-5\"", "\"rpi-6\"", 4, "unknown variant `rpi-6`"),
        ("arch = \"arm64\"", "arch = \"armhf\"", 5, "unknown variant `armhf`"),
        ("first-boot", "firstboot", 7, "unknown field `firstboot`"),
        ("number = 2", "number = 1", 1, "the same partition"),
        ("url = \"https://", "url = \"http://", 14, "no https: address"),
        ("version = \"2026-06-18\"", "version = \"2026-09-15\"", 22, "already an image 2026-09-15"),
        (digest, "sha256:abc", 17, "here are 3"),
        ("evidence = \"the file's digest: 9", "# \"", 14, "a digest needs `evidence`"),
        (
            &format!("digest = \"{digest}\"\n"),
            "unpinned = \"x\"\n",
            14,
            "vouches for a digest that is not there",
        ),
        (&format!("\ndigest = \"{digest}\"\n"), "\n", 14, "`unpinned`"),
        ("raw-size = 3061841920", "raw-size = 3061841921", 14, "a multiple of 512"),
        ("[partitions]", "[partitions", 9, "unclosed table"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let faults = BaseEntry::parse(&bad).unwrap_err();
        let said = faults.to_string();
        assert!(
            faults.0.iter().any(|fault| fault.line == line && fault.message.contains(words)),
            "{to}: {said}"
        );
    }
}

#[test]
fn no_text_makes_it_panic() {
    let good = CATALOGUE[0].1;
    for at in 0..good.len() {
        let _ = BaseEntry::parse(&good[..good.floor_char_boundary(at)]);
    }
}
