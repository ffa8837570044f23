//! What is wanted against what is locked.

use desired::{Arch, ArtifactName, Digest};

use super::{Entry, Lock, PinnedBy, Source, SourceUrl, catalogue, is_version};

/// One artifact that a cluster's nodes need, in the words of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub name: ArtifactName,
    /// The exact version.
    pub version: String,
    /// For which architectures.
    pub arches: Vec<Arch>,
    /// A local file instead of every source; `{arch}` and `{version}` in it are filled.
    pub local: Option<String>,
    /// Sources instead of the vendor's; the same placeholders in their URLs and members.
    pub sources: Vec<Source>,
    /// Whether bundles may do without it while nobody can be reached to pin it.
    pub optional: bool,
    /// Whether it is a Debian package for a node's apt, which wants a file name of its kind.
    pub is_package: bool,
}

/// Which pins to make anew although there are some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// None: only holes are filled.
    Nothing,
    /// Those of these artifacts.
    Only(Vec<ArtifactName>),
    /// All.
    Everything,
}

impl Update {
    fn covers(&self, name: &ArtifactName) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(names) => names.contains(name),
            Self::Everything => true,
        }
    }
}

/// An artifact nobody knows how to get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfetchable {
    /// Neither the table nor the spec has a source.
    #[error(
        "no source is known for artifact `{name}`; give it `sources` in cluster.toml, or use one of: {known}"
    )]
    Unknown {
        /// The artifact.
        name: ArtifactName,
        /// What the table knows.
        known: String,
    },
    /// The version can't be part of a URL.
    #[error(
        "`{version}` is no version of artifact `{name}`; write the vendor's exact one, as in v1.36.4+k3s1"
    )]
    Version {
        /// The artifact.
        name: ArtifactName,
        /// What was written.
        version: String,
    },
    /// A source of the spec has an unknown form.
    #[error("source of artifact `{name}`: {why}")]
    Source {
        /// The artifact.
        name: ArtifactName,
        /// What is wrong.
        why: String,
    },
}

/// The lock as it would be, with its holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    slots: Vec<(Entry, bool)>,
    /// Entries of the old lock that nobody wants any more, or in another version.
    pub stale: Vec<Entry>,
}

/// An entry without pin, and where its vendor publishes the digests of its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// For [`Reconciled::learn`].
    pub slot: usize,
    /// The entry as far as it is known.
    pub entry: Entry,
    /// One for each source.
    pub lists: Vec<Option<catalogue::VendorList>>,
    /// Whether it may stay a hole.
    pub optional: bool,
}

/// What a source taught about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Its size in bytes, if the source told.
    pub size: Option<u64>,
    /// Who vouches for it.
    pub pinned_by: PinnedBy,
    /// Which source it came from, by position.
    pub source: usize,
    /// The digest of that source's download, when the file was taken out of it.
    pub download: Option<Digest>,
}

/// A lock that is complete for what is wanted; building takes nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    entries: Vec<Entry>,
    left_out: Vec<Entry>,
}

impl Locked {
    /// Every entry, each of them pinned, sorted.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// Optional entries that nobody could pin yet; bundles do without them.
    #[must_use]
    pub fn left_out(&self) -> &[Entry] {
        &self.left_out
    }
}

/// Compares. Pins of unchanged versions are kept; a changed version, or a local file put in or taken away, starts anew
/// from the pins that are compiled in.
///
/// # Errors
/// With every artifact that has no usable source.
pub fn reconcile(wanted: &[Wanted], lock: &Lock, update: &Update) -> Result<Reconciled, Vec<Unfetchable>> {
    let (mut slots, mut errors) = (Vec::new(), Vec::new());
    for want in wanted {
        match fresh(want) {
            Ok(entries) => slots.extend(entries.into_iter().map(|fresh| {
                let kept = lock.entries.iter().find(|old| !update.covers(&old.name) && keeps(old, &fresh));
                let entry = kept.map_or(fresh.clone(), |old| Entry {
                    size: old.size,
                    digest: old.digest.clone(),
                    pinned_by: old.pinned_by.clone(),
                    sources: old.sources.clone(),
                    ..fresh
                });
                (entry, want.optional)
            })),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    slots.sort_by(|(a, _), (b, _)| (&a.name, a.arch).cmp(&(&b.name, b.arch)));
    slots.dedup_by(|(a, _), (b, _)| a.name == b.name && a.arch == b.arch);
    let is_wanted = |old: &&Entry| {
        let same = |(new, _): &(Entry, bool)| {
            new.name == old.name && new.arch == old.arch && new.version == old.version
        };
        !slots.iter().any(same)
    };
    let stale = lock.entries.iter().filter(is_wanted).cloned().collect();
    Ok(Reconciled { slots, stale })
}

/// Whether the old entry speaks about the same file from the same kind of place.
fn keeps(old: &Entry, fresh: &Entry) -> bool {
    let urls = |entry: &Entry| entry.sources.iter().map(|source| source.url.clone()).collect::<Vec<_>>();
    (&old.name, &old.version, old.arch) == (&fresh.name, &fresh.version, fresh.arch)
        && urls(old) == urls(fresh)
}

/// The entries of one artifact as if there were no lock.
fn fresh(want: &Wanted) -> Result<Vec<Entry>, Unfetchable> {
    let Wanted { name, version, .. } = want;
    if !is_version(version) {
        return Err(Unfetchable::Version { name: name.clone(), version: version.clone() });
    }
    let own = want.local.is_some() || !want.sources.is_empty();
    let per_arch = match catalogue::is_per_arch(name) {
        Some(per_arch) => per_arch,
        None if own => true,
        None => {
            let known = catalogue::names().collect::<Vec<_>>().join(", ");
            return Err(Unfetchable::Unknown { name: name.clone(), known });
        }
    };
    let mut arches: Vec<_> = want.arches.iter().map(|arch| per_arch.then_some(*arch)).collect();
    arches.sort();
    arches.dedup();
    arches.into_iter().map(|arch| one(want, arch)).collect()
}

fn one(want: &Wanted, arch: Option<Arch>) -> Result<Entry, Unfetchable> {
    let known = catalogue::entry(&want.name, &want.version, arch);
    let mut entry = known.unwrap_or_else(|| Entry {
        name: want.name.clone(),
        version: want.version.clone(),
        arch,
        file: if want.is_package { format!("{}.deb", want.name) } else { want.name.to_string() },
        mode: if want.is_package { desired::Mode::PUBLIC } else { desired::Mode::EXECUTABLE },
        size: None,
        digest: None,
        pinned_by: None,
        sources: Vec::new(),
    });
    let fill = |text: &str| {
        let is_url = text.starts_with("http");
        let version = if is_url { want.version.replace('+', "%2B") } else { want.version.clone() };
        text.replace("{version}", &version).replace("{arch}", arch.map_or("", Arch::as_str))
    };
    let bad = |why| Unfetchable::Source { name: want.name.clone(), why };
    if let Some(path) = &want.local {
        // A file the person names is what they want, whatever the vendor's has for a digest.
        let path = path.strip_prefix("file:").unwrap_or(path);
        let url = SourceUrl::File(fill(path));
        entry.sources = vec![Source { url, digest: None, member: None }];
        (entry.digest, entry.size, entry.pinned_by) = (None, None, None);
    } else if !want.sources.is_empty() {
        let own = want.sources.iter().map(|source| {
            let url = fill(&source.url.to_string()).parse().map_err(bad)?;
            Ok(Source { url, digest: source.digest.clone(), member: source.member.as_deref().map(fill) })
        });
        entry.sources = own.collect::<Result<_, Unfetchable>>()?;
        if entry.digest.is_none() {
            // Pins of the vendor's downloads went with the vendor's sources.
            let given = entry.is_pinned();
            entry.pinned_by = given.then_some(PinnedBy::Spec);
        }
    }
    Ok(entry)
}

impl Reconciled {
    /// The entries without pin.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let holes = self.slots.iter().enumerate().filter(|(_, (entry, _))| !entry.is_pinned());
        holes
            .map(|(slot, (entry, optional))| Missing {
                slot,
                entry: entry.clone(),
                lists: catalogue::vendor_lists(entry),
                optional: *optional,
            })
            .collect()
    }
    /// Fills a hole.
    pub fn learn(&mut self, slot: usize, learned: Learned) {
        let Some((entry, _)) = self.slots.get_mut(slot) else { return };
        (entry.digest, entry.size) = (Some(learned.digest), learned.size);
        entry.pinned_by = Some(learned.pinned_by);
        if let Some(source) = entry.sources.get_mut(learned.source) {
            source.digest = learned.download;
        }
    }
    /// What to write, holes included.
    #[must_use]
    pub fn as_lock(&self) -> Lock {
        Lock { entries: self.slots.iter().map(|(entry, _)| entry.clone()).collect() }
    }
    /// The proof that nothing is missing but what may be.
    ///
    /// # Errors
    /// With the labels of the entries that still have no pin.
    pub fn lock(self) -> Result<Locked, Vec<String>> {
        let holes = |optional: bool| move |slot: &&(Entry, bool)| slot.1 == optional && !slot.0.is_pinned();
        let missing: Vec<_> =
            self.slots.iter().filter(holes(false)).map(|(entry, _)| entry.label()).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let left_out = self.slots.iter().filter(holes(true)).map(|(entry, _)| entry.clone()).collect();
        let entries = self.slots.into_iter().map(|(entry, _)| entry).filter(Entry::is_pinned).collect();
        Ok(Locked { entries, left_out })
    }
}
