//! A cluster's third-party files: from what its model wants to a complete lock, and from lock entries to fetches.
//!
//! In: wants, the text of `lock.toml` if there is one, and how to reach sources. Out: the text to write, the [`Locked`]
//! that building takes, and rows for a table. Holes are filled from evidence that is compiled in, then from the vendors' own
//! lists or the registries; a hole nobody can fill is an error that says which lines would help.

use crate::exit::{Code, Failure};
use anyhow::{Context as _, anyhow};
use blueprint::lock::{
    Entry, Learned, Lock, Locked, Missing, PinnedBy, Reconciled, Rules, SourceUrl, Update, Wanted, parse,
    print, reconcile, wanted,
};
use blueprint::model::Model;
use desired::ByteSize;
use host::cache::Cache;
use host::fetch::{self, Fetcher, Origin, VendorList, Voucher, Want};
use host::report::Report;
use std::io::Write as _;
use std::path::Path;

/// What may be done to a lock.
#[derive(Debug)]
pub struct Permission {
    /// Pins to make anew.
    pub update: Update,
    /// Fail instead of changing anything.
    pub locked: bool,
    /// What the spec allows in sources.
    pub rules: Rules,
}

/// What came of locking a cluster.
#[derive(Debug)]
pub struct Outcome {
    /// The text `lock.toml` shall have.
    pub text: String,
    /// Whether that differs from what it had.
    pub changed: bool,
    /// The complete lock.
    pub locked: Locked,
}

/// Completes the lock of one cluster; `place` is its path for messages.
///
/// # Errors
/// Code 4 for a lock or wants that make no sense, 5 for pins that are missing and can't be learned (or may not be), 6 for
/// a source that contradicts its vendor.
pub fn lock_cluster(
    place: &str,
    wanted: &[Wanted],
    existing: Option<&str>,
    permission: &Permission,
    fetcher: &Fetcher,
) -> Result<Outcome, Failure> {
    let old = existing.map_or(Ok(Lock::default()), |text| parse(text, permission.rules));
    let old = old
        .map_err(|faults| Failure::new(Code::InvalidProfile, format!("{place} can't be used:\n{faults}")))?;
    let mut reconciled = reconcile(wanted, &old, &permission.update).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Code::InvalidProfile, lines.join("\n"))
    })?;
    if permission.locked {
        must_be_complete(place, &reconciled, existing)?;
    } else {
        learn(&mut reconciled, fetcher)?;
    }
    let text = print(&reconciled.as_lock());
    let changed = existing != Some(text.as_str());
    let locked = reconciled.lock().map_err(|labels| {
        let labels = labels.join(", ");
        Failure::new(
            Code::Missing,
            format!("{place} has no pin for {labels}, and --locked forbids to make one"),
        )
    })?;
    Ok(Outcome { text, changed, locked })
}

/// Completes `lock.toml` in `folder`, the profile of `model`, and writes it if it changed.
///
/// # Errors
/// As [`lock_cluster`], or if the file can't be read or replaced.
pub fn lock_on_disk(
    model: &Model,
    folder: &Path,
    permission: &Permission,
    fetcher: &Fetcher,
) -> Result<Outcome, Failure> {
    let path = folder.join("lock.toml");
    let existing = read_if_there(&path)?;
    let place = format!("profiles/{}/lock.toml", model.name);
    let outcome = lock_cluster(&place, &wanted(model), existing.as_deref(), permission, fetcher)?;
    if outcome.changed {
        replace(&path, &outcome.text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(outcome)
}

fn read_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::new(Code::InvalidProfile, format!("can't read {}: {error}", path.display())))
        }
    }
}

/// Old or new, never half.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new().prefix(".lock").tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    // Temporary files are private; a file to be committed is not.
    aside.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    aside.persist(path).map(drop).map_err(|error| error.error)
}

/// A fetcher for the sources of `model`, whose profile is `folder`.
///
/// # Errors
/// If the person has no place for a cache, or the system's certificates can't be used.
pub fn fetcher(
    model: &Model,
    folder: &Path,
    offline: bool,
    air_gap: bool,
    report: &Report,
) -> Result<Fetcher, Failure> {
    let cache = Cache::of_this_person().map_err(Failure::with(Code::Missing))?;
    let mirrors = model.mirrors.iter().map(|mirror| (mirror.from.clone(), mirror.to.clone())).collect();
    let allow_http = model.allow_http;
    let options =
        fetch::Options { offline, air_gap, allow_http, mirrors, ..fetch::Options::new(cache, folder) };
    Fetcher::new(options, report.clone()).map_err(Failure::with(Code::Unexpected))
}

/// What `--locked` promises: the file is what it would become.
fn must_be_complete(place: &str, reconciled: &Reconciled, existing: Option<&str>) -> Result<(), Failure> {
    if existing == Some(print(&reconciled.as_lock()).as_str()) {
        return Ok(());
    }
    let sentence =
        format!("{place} would change, and --locked forbids it; run `cargo xtask lock` and commit the file");
    Err(Failure::new(Code::Missing, sentence))
}

/// Fills every hole that a source answers for.
fn learn(reconciled: &mut Reconciled, fetcher: &Fetcher) -> Result<(), Failure> {
    let missing = reconciled.missing();
    let asked: Vec<_> = missing.iter().map(|hole| (want(&hole.entry), lists(hole))).collect();
    let answers = fetcher.learn_all(&asked).map_err(failure_of)?;
    let mut errors = Vec::new();
    for (hole, answer) in missing.iter().zip(answers) {
        match answer {
            Ok(learned) => reconciled.learn(hole.slot, pin(learned)),
            Err(error) if hole.optional && !error.is_verification_failure() => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let names: std::collections::BTreeSet<_> = errors
        .iter()
        .filter_map(|error| match error {
            fetch::FetchError::NoSource { artifact, .. } => Some(artifact.clone()),
            _ => None,
        })
        .collect();
    let errors = fetch::FetchErrors(errors);
    let code = code_of(errors.exit_code());
    let mut text = errors.to_string();
    for name in names {
        text.push_str(&format!(
            "\n  {name} is not pinned: run `cargo xtask lock` where its source can be reached and commit lock.toml, or write in \
             cluster.toml\n    [artifacts.{name}]\n    local = \"path/of/{name}-{{arch}}\"   # or: optional = true"
        ));
    }
    Err(Failure { code, error: anyhow!(text) })
}

/// A fetch failure with the exit code that belongs to it.
pub fn failure_of(errors: fetch::FetchErrors) -> Failure {
    Failure { code: code_of(errors.exit_code()), error: errors.into() }
}

fn code_of(exit: u8) -> Code {
    if exit == 6 { Code::VerificationFailed } else { Code::Missing }
}

/// What the profile of `model` allows its lock.
pub const fn rules(model: &Model) -> Rules {
    Rules { allow_http: model.allow_http }
}

/// A lock entry as something to fetch.
pub fn want(entry: &Entry) -> Want {
    let source = |source: &blueprint::lock::Source| fetch::Source {
        origin: match &source.url {
            SourceUrl::Https(url) | SourceUrl::Http(url) => Origin::Web(url.clone()),
            SourceUrl::File(path) => Origin::File(path.into()),
            SourceUrl::Npm { package, version } => {
                Origin::Npm { package: package.clone(), version: version.clone() }
            }
        },
        digest: source.digest.clone(),
        member: source.member.clone(),
    };
    Want {
        artifact: entry.name.to_string(),
        label: entry.label(),
        digest: entry.digest.clone(),
        size: entry.size,
        sources: entry.sources.iter().map(source).collect(),
    }
}

fn lists(hole: &Missing) -> Vec<Option<VendorList>> {
    let list = |list: &blueprint::lock::catalogue::VendorList| VendorList {
        url: list.url.clone(),
        file: list.file.clone(),
    };
    hole.lists.iter().map(|own| own.as_ref().map(list)).collect()
}

fn pin(learned: fetch::Learned) -> Learned {
    Learned {
        digest: learned.digest,
        size: learned.size,
        pinned_by: match learned.voucher {
            Voucher::List(url) => PinnedBy::VendorList(url),
            Voucher::Npm => PinnedBy::NpmIntegrity,
            Voucher::LocalFile => PinnedBy::LocalFile,
            Voucher::Nobody => PinnedBy::FirstDownload,
        },
        source: learned.source,
        download: learned.download,
    }
}

/// The cells of an entry: artifact, version, arch, size, digest, who pinned it.
pub fn row(entry: &Entry) -> [String; 6] {
    let through = || entry.sources.iter().find_map(|source| source.digest.as_ref());
    let digest = match (&entry.digest, through()) {
        (Some(digest), _) => digest.short().to_owned(),
        (None, Some(download)) => format!("{} (archive)", download.short()),
        (None, None) => "-".to_owned(),
    };
    [
        entry.name.to_string(),
        entry.version.clone(),
        entry.arch.map_or("all", desired::Arch::as_str).to_owned(),
        entry.size.map_or_else(|| "-".to_owned(), |size| ByteSize(size).to_string()),
        digest,
        entry.pinned_by.as_ref().map_or_else(|| "not pinned, left out".to_owned(), ToString::to_string),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use desired::Arch;
    use host::cache::Cache;
    use host::fetch::Options;
    use host::report::Report;

    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for arch in Arch::ALL {
                std::fs::write(folder.path().join(format!("tool-{arch}")), format!("program for {arch}"))
                    .unwrap();
            }
            Self { folder }
        }
        fn lock(
            &self,
            wanted: &[Wanted],
            existing: Option<&str>,
            permission: &Permission,
        ) -> Result<Outcome, Failure> {
            let cache = Cache::at(self.folder.path().join("cache")).unwrap();
            let options = Options { offline: true, ..Options::new(cache, self.folder.path()) };
            let fetcher = Fetcher::new(options, Report::recording()).unwrap();
            lock_cluster("profiles/a/lock.toml", wanted, existing, permission, &fetcher)
        }
    }

    fn tool(local: Option<&str>) -> Wanted {
        Wanted {
            name: "tool".parse().unwrap(),
            version: "1.0".to_owned(),
            arches: Arch::ALL.to_vec(),
            local: local.map(str::to_owned),
            sources: Vec::new(),
            optional: false,
            is_package: false,
        }
    }

    fn permission(locked: bool) -> Permission {
        Permission { update: Update::Nothing, locked, rules: Rules::default() }
    }

    #[test]
    fn local_files_are_pinned_and_a_second_run_changes_nothing() {
        let bench = Bench::new();
        let wanted = [tool(Some("file:tool-{arch}"))];
        let first = bench.lock(&wanted, None, &permission(false)).unwrap();
        assert!(first.changed && first.text.contains("pinned-by = \"local file\""), "{}", first.text);
        assert_eq!(first.locked.entries()[1].digest, Some(desired::Digest::sha256_of(b"program for arm64")));
        let second = bench.lock(&wanted, Some(&first.text), &permission(true)).unwrap();
        assert!(!second.changed && second.text == first.text);
        assert_eq!(row(&second.locked.entries()[0])[..4], ["tool", "1.0", "amd64", "17 B"]);
    }

    #[test]
    fn locked_forbids_every_change() {
        let bench = Bench::new();
        let failure = bench.lock(&[tool(Some("tool-{arch}"))], None, &permission(true)).unwrap_err();
        assert_eq!(failure.code, Code::Missing);
        assert!(
            failure.error.to_string().contains("profiles/a/lock.toml would change, and --locked forbids it")
        );
    }

    #[test]
    fn a_pin_nobody_can_make_is_exit_5_with_the_lines_that_help_unless_it_is_optional() {
        let bench = Bench::new();
        let chezmoi = Wanted { name: "chezmoi".parse().unwrap(), version: "9.9.9".to_owned(), ..tool(None) };
        let failure = bench.lock(std::slice::from_ref(&chezmoi), None, &permission(false)).unwrap_err();
        let text = failure.error.to_string();
        assert_eq!(failure.code, Code::Missing);
        for part in ["can't get chezmoi 9.9.9 (amd64)", "--offline", "[artifacts.chezmoi]", "optional = true"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let outcome = bench.lock(&[Wanted { optional: true, ..chezmoi }], None, &permission(false)).unwrap();
        assert_eq!(outcome.locked.left_out().len(), 2);
        assert_eq!(row(&outcome.locked.left_out()[0])[5], "not pinned, left out");
    }

    #[test]
    fn a_broken_lock_is_exit_4_with_its_lines() {
        let failure =
            Bench::new().lock(&[], Some("version = 1\nartefact = 1\n"), &permission(false)).unwrap_err();
        assert_eq!(failure.code, Code::InvalidProfile);
        let text = failure.error.to_string();
        assert!(
            text.contains("profiles/a/lock.toml can't be used:\nline 2: unknown field `artefact`"),
            "{text}"
        );
    }
}
