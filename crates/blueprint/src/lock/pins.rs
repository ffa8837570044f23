//! Digests that are known without the vendor's site, compiled in as data with their evidence.
//!
//! A pin needs two independent public repositories that carry it, or a registry's integrity field; the counts below are
//! how many such repositories were seen in November 2026. What is not here is left to the vendor's own list.

use desired::Arch;

use super::{Entry, PinnedBy};

struct Pin {
    name: &'static str,
    version: &'static str,
    arch: Option<Arch>,
    size: Option<u64>,
    of: Of,
    digest: &'static str,
    by: PinnedBy,
}

enum Of {
    /// The file itself.
    File,
    /// The download whose URL ends so; the file is a member of it.
    Download(&'static str),
}

const fn file(
    name: &'static str,
    version: &'static str,
    arch: Option<Arch>,
    size: Option<u64>,
    digest: &'static str,
) -> Pin {
    Pin { name, version, arch, size, of: Of::File, digest, by: PinnedBy::Repositories }
}

const AMD64: Option<Arch> = Some(Arch::Amd64);
const ARM64: Option<Arch> = Some(Arch::Arm64);

const PINS: &[Pin] = &[
    // 10 and more repositories.
    file(
        "k3s",
        "v1.36.4+k3s1",
        AMD64,
        None,
        "sha256:835873f37245fc615f547a2fe2af9402a347875f13fa64a1f136de644955ea3f",
    ),
    // 10 and more.
    file(
        "k3s",
        "v1.36.4+k3s1",
        ARM64,
        Some(71_368_866),
        "sha256:c920706346d5ad4e5cd3c7bf1bb09ce71ebe07fec829e513e40f1caf98aed8bb",
    ),
    // 3.
    file(
        "k3s",
        "v1.35.8+k3s1",
        ARM64,
        None,
        "sha256:898476e008704289382377ef19946f23b511cf2678042cb5c8aef991e64f840a",
    ),
    // 2.
    file(
        "k3s-airgap-images",
        "v1.36.4+k3s1",
        AMD64,
        None,
        "sha256:9024613e2d468c51ba0e5ba21898604c41339354449fb3338cc6a7931189eb6a",
    ),
    // 4.
    file(
        "k3s-airgap-images",
        "v1.36.4+k3s1",
        ARM64,
        Some(175_402_374),
        "sha256:9d3c4c2197bcf857ca17633aa393bad683cc982ddd408620f93036a3cca953b5",
    ),
    // 4.
    file(
        "k3s-install-script",
        "v1.36.4+k3s1",
        None,
        None,
        "sha256:46177d4c99440b4c0311b67233823a8e8a2fc09693f6c89af1a7161e152fbfad",
    ),
    // 4.
    file(
        "docker-compose",
        "v2.40.3",
        AMD64,
        None,
        "sha256:dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372",
    ),
    // 3.
    file(
        "docker-compose",
        "v2.40.3",
        ARM64,
        None,
        "sha256:d26373b19e89160546d15407516cc59f453030d9bc5b43ba7faf16f7b4980137",
    ),
    // 8.
    Pin {
        name: "chezmoi",
        version: "2.72.1",
        arch: AMD64,
        size: None,
        of: Of::Download("/chezmoi_2.72.1_linux_amd64.tar.gz"),
        digest: "sha256:9f97d32caca166e5c92160ec3a9325519809c38963121cef38173142065c981f",
        by: PinnedBy::Repositories,
    },
    // 7.
    Pin {
        name: "chezmoi",
        version: "2.72.1",
        arch: ARM64,
        size: None,
        of: Of::Download("/chezmoi_2.72.1_linux_arm64.tar.gz"),
        digest: "sha256:75508ef41216b6d64f3145986b751729d7f92d09c6bad77d51cf2895ab35a508",
        by: PinnedBy::Repositories,
    },
    // A Homebrew formula and a Nix package, 2.
    Pin {
        name: "mise",
        version: "2026.9.15",
        arch: AMD64,
        size: None,
        of: Of::Download("/mise-v2026.9.15-linux-x64.tar.gz"),
        digest: "sha256:2148d2485d1e6e48eb918729d86af4ecd438f9b5b63be360fb26005c85f0d853",
        by: PinnedBy::Repositories,
    },
    // The same two.
    Pin {
        name: "mise",
        version: "2026.9.15",
        arch: ARM64,
        size: None,
        of: Of::Download("/mise-v2026.9.15-linux-arm64.tar.gz"),
        digest: "sha256:254f60912e73c9420f03be8bab90ac80c0056db6826814b1a91cb4a0f872c1db",
        by: PinnedBy::Repositories,
    },
    // 4, one of which says that it compared the vendor's own list.
    Pin {
        name: "chezmoi",
        version: "2.72.1",
        arch: AMD64,
        size: None,
        of: Of::Download("/chezmoi_2.72.1_linux_amd64.tar.gz"),
        digest: "sha256:9f97d32caca166e5c92160ec3a9325519809c38963121cef38173142065c981f",
        by: PinnedBy::Repositories,
    },
    // 5.
    Pin {
        name: "chezmoi",
        version: "2.72.1",
        arch: ARM64,
        size: None,
        of: Of::Download("/chezmoi_2.72.1_linux_arm64.tar.gz"),
        digest: "sha256:75508ef41216b6d64f3145986b751729d7f92d09c6bad77d51cf2895ab35a508",
        by: PinnedBy::Repositories,
    },
    // The registry's integrity field of the amd64 package, and the program inside it.
    Pin {
        name: "mise",
        version: "2026.9.15",
        arch: AMD64,
        size: None,
        of: Of::Download("npm:@jdxcode/mise-linux-x64@2026.9.15"),
        digest: "sha512:06eb4f146cb3b4dd1193f1ce1ef1ee7fe5bcd0292f4110236c3587be11897373e72f77b62a10986483b28f1f303e486bf5525affbb09657a71b6de492e3b1f69",
        by: PinnedBy::NpmIntegrity,
    },
    Pin {
        name: "mise",
        version: "2026.9.15",
        arch: AMD64,
        size: Some(150_884_912),
        of: Of::File,
        digest: "sha256:09ea631d6f3e7031d63606a0892dc4c796f9fb57f493bc45937f9f7113c88216",
        by: PinnedBy::NpmIntegrity,
    },
];

/// Fills what is known about this artifact, version and architecture; a leading `v` makes no difference.
pub(super) fn apply(entry: &mut Entry) {
    let bare = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
    let same = |pin: &&Pin| {
        pin.name == entry.name.as_str() && bare(pin.version) == bare(&entry.version) && pin.arch == entry.arch
    };
    for pin in PINS.iter().filter(same).collect::<Vec<_>>() {
        let digest = pin.digest.parse().expect("every pin of the table parses, which a test holds");
        match pin.of {
            Of::File => (entry.digest, entry.size) = (Some(digest), pin.size),
            Of::Download(end) => {
                let Some(source) =
                    entry.sources.iter_mut().find(|source| source.url.to_string().ends_with(end))
                else {
                    continue;
                };
                source.digest = Some(digest);
            }
        }
        entry.pinned_by = Some(pin.by.clone());
    }
}
