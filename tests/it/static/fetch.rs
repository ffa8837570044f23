//! The real registry through the whole way of an artifact: table, compiled-in pins, npm, archive, cache.

use anyhow::{Context as _, ensure};
use blueprint::lock::{SourceUrl, catalogue};
use desired::Arch;
use host::cache::Cache;
use host::fetch::{Fetched, Fetcher, Options, Origin, Source, Want};
use host::process::Invocation;
use host::report::Report;
use tests::lab::{Lab, Need};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let name = "fetch::mise_comes_from_npm_verified_and_stays_in_the_cache";
    // Who could install mise from npm has npm and a network.
    vec![Trial::new(Ring::Static, name, mise_comes_from_npm).needs(&[Need::Mise])]
}

fn mise_comes_from_npm(_lab: &Lab) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cache = Cache::at(folder.path().join("cache"))?;
    let online = Options::new(cache, folder.path());
    let offline = Options { offline: true, air_gap: true, ..online.clone() };
    let want = mise_for_amd64()?;
    let first = Fetcher::new(online, Report::recording())?.fetch(&want)?;
    let Fetched::Ready(file) = &first else { anyhow::bail!("{first:?}") };
    ensure!(Some(&file.digest) == want.digest.as_ref() && Some(file.size) == want.size, "{file:?}");
    let second = Fetcher::new(offline, Report::recording())?.fetch(&want)?;
    ensure!(second == first, "the cache answers without a network: {second:?}");
    if Arch::of_this_program() == Some(Arch::Amd64) {
        let program = folder.path().join("mise");
        std::fs::copy(&file.path, &program)?;
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let version = Invocation::new(program).arg("--version").run()?.text();
        ensure!(version.contains("2026.9.15"), "{version}");
    }
    Ok(())
}

/// The table's entry, with npm alone: on a machine that reaches the vendor, the vendor must not help out.
fn mise_for_amd64() -> anyhow::Result<Want> {
    let entry =
        catalogue::entry(&"mise".parse()?, "2026.9.15", Some(Arch::Amd64)).context("mise is in the table")?;
    let npm = entry.sources.iter().find_map(|source| match &source.url {
        SourceUrl::Npm { package, version } => Some(Source {
            origin: Origin::Npm { package: package.clone(), version: version.clone() },
            digest: source.digest.clone(),
            member: source.member.clone(),
        }),
        _ => None,
    });
    Ok(Want {
        artifact: entry.name.to_string(),
        label: entry.label(),
        digest: entry.digest.clone(),
        size: entry.size,
        sources: vec![npm.context("mise has a source in npm")?],
    })
}
