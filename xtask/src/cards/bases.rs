//! Which vendor image a node's card is made of, and that image on this disk.
//!
//! In: `images/bases/*.toml`, a node, or a file that a person names. Out: [`Chosen`]: a file, and the pin it is held
//! against. What can't be fetched is code 5 with what to do instead; nothing unpinned is fetched.

use crate::common::Common;
use crate::exit::{Code, Failure};
use crate::{artifacts, repository};
use anyhow::Context as _;
use blueprint::base::{BaseEntry, BaseImage};
use blueprint::model::{Model, Node};
use desired::ByteSize;
use host::disk::base::Pin;
use host::fetch::{Fetched, Origin, Source, Want};
use host::report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The catalogue, by name.
#[derive(Debug)]
pub struct Catalogue(BTreeMap<String, BaseEntry>);

/// The image that cards are made of.
#[derive(Debug)]
pub struct Chosen {
    /// The name of its file.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What it is held against; empty for a file that the catalogue does not know.
    pub pin: Pin,
}

impl Catalogue {
    /// Reads `images/bases`.
    ///
    /// # Errors
    /// Code 4 with every fault of every file.
    pub fn read() -> Result<Self, Failure> {
        Self::read_from(&repository::root()?.join("images/bases"))
    }

    fn read_from(folder: &Path) -> Result<Self, Failure> {
        let about = || format!("read the catalogue of bases in {}", folder.display());
        let (mut bases, mut faults) = (BTreeMap::new(), Vec::new());
        let entries = std::fs::read_dir(folder).with_context(about).map_err(Failure::with(Code::Missing))?;
        for entry in entries {
            let path = entry.with_context(about)?.path();
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).with_context(about)?;
            match BaseEntry::parse(&text) {
                Ok(base) => drop(bases.insert(name.to_owned(), base)),
                Err(wrong) => faults.extend(
                    wrong
                        .0
                        .iter()
                        .map(|fault| format!("{}: line {}: {}", path.display(), fault.line, fault.message)),
                ),
            }
        }
        faults.sort();
        if faults.is_empty() {
            Ok(Self(bases))
        } else {
            Err(Failure::new(Code::InvalidProfile, faults.join("\n")))
        }
    }

    /// An entry by a name that [`Self::of`] gave.
    #[must_use]
    pub fn entry(&self, name: &str) -> &BaseEntry {
        &self.0[name]
    }

    /// The base of that name, or the one that suits the node.
    ///
    /// # Errors
    /// A sentence: there is none, or several.
    pub fn of(&self, node: &Node, wanted: Option<&str>) -> Result<(&str, &BaseEntry), String> {
        let name = &node.name;
        let Some(board) = node.board else {
            return Err(format!(
                "{name} has no `board`, so it boots from no card: write board = \"rpi-5\" or \"uefi\""
            ));
        };
        let (family, release) = (node.os.family, node.os.release.as_str());
        let suits = |base: &BaseEntry| base.suits(board, node.arch, family, release);
        let known = || self.0.keys().cloned().collect::<Vec<_>>().join(", ");
        if let Some(wanted) = wanted {
            let found = self.0.get_key_value(wanted);
            let (key, base) =
                found.ok_or_else(|| format!("there is no base `{wanted}`; there are {}", known()))?;
            return if suits(base) {
                Ok((key, base))
            } else {
                let (family, arch) = (family.as_str(), node.arch);
                Err(format!(
                    "{wanted} is {}, and {name} is {family} {release} for {arch} on another board",
                    base.system
                ))
            };
        }
        let all: Vec<_> = self.0.iter().filter(|(_, base)| suits(base)).collect();
        match all[..] {
            [(key, base)] => Ok((key, base)),
            [] => Err(format!(
                "no base in images/bases suits {name} ({} {release}, {}): add one, or name a file with --base",
                family.as_str(),
                node.arch
            )),
            _ => {
                let names: Vec<&str> = all.iter().map(|(key, _)| key.as_str()).collect();
                Err(format!("{} suit {name}: choose one with `base` under [card]", names.join(" and ")))
            }
        }
    }
}

/// The person's own file; one that has the name of an image of the catalogue is held against its pin.
///
/// # Errors
/// Code 5 if it is not there.
pub fn own_file(catalogue: &Catalogue, path: &Path) -> Result<Chosen, Failure> {
    if !path.is_file() {
        let why = format!("{} is no file: --base takes a vendor's image", path.display());
        return Err(Failure::new(Code::Missing, why));
    }
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let images = catalogue.0.values().flat_map(BaseEntry::images);
    let known = images.filter(|image| image.digest.is_some()).find(|image| image.file_name() == file_name);
    Ok(Chosen { name: file_name.to_owned(), path: path.to_owned(), pin: known.map(pin).unwrap_or_default() })
}

fn pin(image: &BaseImage) -> Pin {
    Pin { file: image.digest.clone(), unpacked: image.raw_digest.clone(), size: image.raw_size.map(ByteSize) }
}

/// The newest pinned image of a base, from the cache or its vendor.
///
/// # Errors
/// Code 5 where it has no pin or can't be reached, 6 where what comes is something else.
pub fn fetched(
    common: &Common,
    (name, base): (&str, &BaseEntry),
    (model, profile): (&Model, &Path),
    report: &Report,
) -> Result<Chosen, Failure> {
    let Some((image, digest)) = base.images().find_map(|image| Some((image, image.digest.clone()?))) else {
        return Err(Failure::new(Code::Missing, not_pinned(name, base)));
    };
    let want = Want {
        artifact: name.to_owned(),
        label: format!("{name} {}", image.version),
        digest: Some(digest),
        size: image.size,
        sources: vec![Source { origin: Origin::Web(image.url.clone()), digest: None, member: None }],
    };
    // A card is made here and now: what can't be had is missing, never left to a node.
    let fetcher = artifacts::fetcher(model, profile, common.offline, true, report)?;
    let file = match fetcher.fetch(&want) {
        Ok(Fetched::Ready(file)) => file,
        Ok(Fetched::Deferred { why }) => return Err(Failure::new(Code::Missing, unreachable(image, &why))),
        Err(error) => {
            let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
            return Err(Failure::new(code, unreachable(image, &error.to_string())));
        }
    };
    Ok(Chosen { name: image.file_name().to_owned(), path: file.path.clone(), pin: pin(image) })
}

fn unreachable(image: &BaseImage, why: &str) -> String {
    format!(
        "{why}\n  fetch {} where it can be reached, and name that file with --base; it is held against {}",
        image.url,
        image.digest.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
    )
}

fn not_pinned(name: &str, base: &BaseEntry) -> String {
    let image = base.images().next();
    let line = |image: &BaseImage| {
        let list = image.list.as_deref().unwrap_or("the vendor's own list");
        let why = image.unpinned.as_deref().unwrap_or_default();
        format!(": {why}\n  fetch {}, compare it with {list}, and name that file with --base", image.url)
    };
    format!("{name} has no confirmed digest, so it is not fetched{}", image.map(line).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "schema-version = 1\nsystem = \"S\"\nboards = [\"uefi\"]\narch = \"amd64\"\nfirst-boot = \"cloud-init\"\n\
        os = { family = \"debian\", release = \"13\" }\n[partitions]\ntable = \"gpt\"\n\
        boot = { number = 15, file-system = \"vfat\" }\nroot = { number = 1, file-system = \"ext4\" }\n[[image]]\n\
        version = \"1\"\nurl = \"https://vendor.example/disk.img.xz\"\n";

    fn catalogue(image: &str) -> Result<Catalogue, Failure> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.toml"), format!("{BASE}{image}")).unwrap();
        Catalogue::read_from(folder.path())
    }

    fn pinned() -> Catalogue {
        catalogue(&format!("digest = \"sha256:{}\"\nevidence = \"a list\"\n", "a".repeat(64))).unwrap()
    }

    #[test]
    fn a_broken_catalogue_is_exit_4_with_file_and_line() {
        let failure = catalogue("").unwrap_err();
        assert_eq!(failure.code, Code::InvalidProfile);
        assert!(
            failure.error.to_string().contains("own.toml: line 11: it has no `digest`"),
            "{}",
            failure.error
        );
    }

    #[test]
    fn a_file_named_as_the_vendors_is_held_against_its_pin() {
        let folder = tempfile::tempdir().unwrap();
        let (same, other) = (folder.path().join("disk.img.xz"), folder.path().join("mine.img"));
        std::fs::write(&same, "").unwrap();
        std::fs::write(&other, "").unwrap();
        assert!(own_file(&pinned(), &same).unwrap().pin.file.is_some());
        assert_eq!(own_file(&pinned(), &other).unwrap().pin, Pin::default());
        assert_eq!(own_file(&pinned(), &folder.path().join("none")).unwrap_err().code, Code::Missing);
    }

    #[test]
    fn what_can_not_be_had_says_what_to_do() {
        let own = catalogue("unpinned = \"nobody knows\"\nlist = \"https://vendor.example/SUMS\"\n").unwrap();
        let said = not_pinned("own", &own.0["own"]);
        for part in
            ["nobody knows", "https://vendor.example/disk.img.xz", "https://vendor.example/SUMS", "--base"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        let own = pinned();
        let said = unreachable(own.0["own"].images().next().unwrap(), "no way there");
        assert!(
            said.contains("no way there") && said.contains("--base") && said.contains("sha256:aaa"),
            "{said}"
        );
    }
}
