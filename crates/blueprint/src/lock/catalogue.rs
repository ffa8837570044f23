//! Where vendors put their files: a table from artifact, version and architecture to names and URLs.
//!
//! Placeholders: `{version}` as the spec writes it with `+` as `%2B` (FIELD K25), `{bare}` without a leading `v`,
//! `{arch}` the vendor's own word for the architecture. Names and layouts are the vendors' release pages'.

use desired::{Arch, ArtifactName, Mode};

use super::{Entry, Source, pins};

/// Where the vendor publishes the digest of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorList {
    /// The list.
    pub url: String,
    /// The name to look up in it; `None` when the list is one bare digest.
    pub file: Option<String>,
}

struct Row {
    name: &'static str,
    file: &'static str,
    mode: Mode,
    /// The vendor's words for amd64 and arm64; `None` when one file serves both.
    words: Option<[&'static str; 2]>,
    sources: &'static [Place],
}

struct Place {
    url: &'static str,
    member: Option<&'static str>,
    list: List,
}

enum List {
    /// The vendor publishes none, or the registry itself answers.
    Absent,
    /// Lines of digest and file name.
    Sums(&'static str),
    /// A file that holds the digest alone.
    Bare(&'static str),
}

const K3S: &str = "https://github.com/k3s-io/k3s/releases/download/{version}";

const fn place(url: &'static str, member: Option<&'static str>, list: List) -> Place {
    Place { url, member, list }
}

const ROWS: &[Row] = &[
    // k3s puts nothing for amd64 and `-arm64` behind the binary's name, but names both in its lists.
    Row {
        name: "k3s",
        file: "k3s",
        mode: Mode::EXECUTABLE,
        words: Some(["", "-arm64"]),
        sources: &[place("{k3s}/k3s{arch}", None, List::Sums("{k3s}/sha256sum-{goarch}.txt"))],
    },
    Row {
        name: "k3s-airgap-images",
        file: "k3s-airgap-images-{goarch}.tar.zst",
        mode: Mode::PUBLIC,
        words: Some(["amd64", "arm64"]),
        sources: &[place(
            "{k3s}/k3s-airgap-images-{arch}.tar.zst",
            None,
            List::Sums("{k3s}/sha256sum-{arch}.txt"),
        )],
    },
    // get.k3s.io serves the newest; the tag in the repository stays as it is. No list names it.
    Row {
        name: "k3s-install-script",
        file: "install.sh",
        mode: Mode::EXECUTABLE,
        words: None,
        sources: &[place(
            "https://raw.githubusercontent.com/k3s-io/k3s/{version}/install.sh",
            None,
            List::Absent,
        )],
    },
    Row {
        name: "docker-compose",
        file: "docker-compose",
        mode: Mode::EXECUTABLE,
        words: Some(["x86_64", "aarch64"]),
        sources: &[place(
            "https://github.com/docker/compose/releases/download/v{bare}/docker-compose-linux-{arch}",
            None,
            List::Sums("https://github.com/docker/compose/releases/download/v{bare}/checksums.txt"),
        )],
    },
    Row {
        name: "mise",
        file: "mise",
        mode: Mode::EXECUTABLE,
        words: Some(["x64", "arm64"]),
        sources: &[
            place("npm:@jdxcode/mise-linux-{arch}@{bare}", Some("package/bin/mise"), List::Absent),
            place(
                "https://github.com/jdx/mise/releases/download/v{bare}/mise-v{bare}-linux-{arch}.tar.gz",
                Some("mise/bin/mise"),
                List::Sums("https://github.com/jdx/mise/releases/download/v{bare}/SHASUMS256.txt"),
            ),
        ],
    },
    Row {
        name: "chezmoi",
        file: "chezmoi",
        mode: Mode::EXECUTABLE,
        words: Some(["amd64", "arm64"]),
        sources: &[place(
            "https://github.com/twpayne/chezmoi/releases/download/v{bare}/chezmoi_{bare}_linux_{arch}.tar.gz",
            Some("chezmoi"),
            List::Sums(
                "https://github.com/twpayne/chezmoi/releases/download/v{bare}/chezmoi_{bare}_checksums.txt",
            ),
        )],
    },
    Row {
        name: "headscale",
        file: "headscale",
        mode: Mode::EXECUTABLE,
        words: Some(["amd64", "arm64"]),
        sources: &[place(
            "https://github.com/juanfont/headscale/releases/download/v{bare}/headscale_{bare}_linux_{arch}",
            None,
            List::Sums("https://github.com/juanfont/headscale/releases/download/v{bare}/checksums.txt"),
        )],
    },
    Row {
        name: "tailscale",
        file: "tailscale",
        mode: Mode::EXECUTABLE,
        words: Some(["amd64", "arm64"]),
        sources: &[place(
            "https://pkgs.tailscale.com/stable/tailscale_{bare}_{arch}.tgz",
            Some("tailscale_{bare}_{arch}/tailscale"),
            List::Bare("https://pkgs.tailscale.com/stable/tailscale_{bare}_{arch}.tgz.sha256"),
        )],
    },
    Row {
        name: "tailscaled",
        file: "tailscaled",
        mode: Mode::EXECUTABLE,
        words: Some(["amd64", "arm64"]),
        sources: &[place(
            "https://pkgs.tailscale.com/stable/tailscale_{bare}_{arch}.tgz",
            Some("tailscale_{bare}_{arch}/tailscaled"),
            List::Bare("https://pkgs.tailscale.com/stable/tailscale_{bare}_{arch}.tgz.sha256"),
        )],
    },
];

/// The names the table knows, for help texts.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

/// Whether the artifact is a file per architecture; `None` when the table doesn't know it.
#[must_use]
pub fn is_per_arch(name: &ArtifactName) -> Option<bool> {
    row(name).map(|row| row.words.is_some())
}

/// The entry of a known artifact, with the pins that are compiled in for that version.
#[must_use]
pub fn entry(name: &ArtifactName, version: &str, arch: Option<Arch>) -> Option<Entry> {
    let row = row(name)?;
    let fill = |template: &str| fill(template, row, version, arch);
    let parse = |place: &Place| Source {
        url: fill(place.url).parse().expect("every URL of the table parses, which a test holds"),
        digest: None,
        member: place.member.map(fill),
    };
    let mut entry = Entry {
        name: name.clone(),
        version: version.to_owned(),
        arch,
        file: fill(row.file),
        mode: row.mode,
        size: None,
        digest: None,
        pinned_by: None,
        sources: row.sources.iter().map(parse).collect(),
    };
    pins::apply(&mut entry);
    Some(entry)
}

/// Where the vendor publishes the digest of each of the entry's sources, in their order.
#[must_use]
pub fn vendor_lists(entry: &Entry) -> Vec<Option<VendorList>> {
    let place_of = |row: &'static Row, source: &Source| {
        let url = source.url.to_string();
        row.sources.iter().find(|place| fill(place.url, row, &entry.version, entry.arch) == url)
    };
    let list_of = |source: &Source| {
        let row = row(&entry.name)?;
        let fill = |template: &str| fill(template, row, &entry.version, entry.arch);
        match place_of(row, source)?.list {
            List::Absent => None,
            List::Bare(url) => Some(VendorList { url: fill(url), file: None }),
            List::Sums(url) => {
                let file = source.url.to_string().rsplit('/').next().map(|name| name.replace("%2B", "+"));
                Some(VendorList { url: fill(url), file })
            }
        }
    };
    entry.sources.iter().map(list_of).collect()
}

fn row(name: &ArtifactName) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name.as_str())
}

fn fill(template: &str, row: &Row, version: &str, arch: Option<Arch>) -> String {
    let word = match (row.words, arch) {
        (Some([word, _]), Some(Arch::Amd64)) | (Some([_, word]), Some(Arch::Arm64)) => word,
        _ => "",
    };
    let template = template.replace("{k3s}", K3S);
    let version =
        if template.starts_with("https:") { version.replace('+', "%2B") } else { version.to_owned() };
    template
        .replace("{version}", &version)
        .replace("{bare}", version.strip_prefix('v').unwrap_or(&version))
        .replace("{arch}", word)
        .replace("{goarch}", arch.map_or("", Arch::as_str))
}
