//! Sources that fail or lie, as a person who runs `build-images` meets them.
//!
//! The profile is a copy of `vnext` whose k3s is a local file; its Compose plugin is pinned to bytes of ours, which a server on
//! the loopback hands out well or badly as the vendor's mirror. The vendor itself can't be reached: a proxy nobody listens at
//! stands before it. `--air-gap` makes what would be left to the nodes an error.

use super::lying_server::{Behaviour, LyingServer};
use anyhow::{Context as _, ensure};
use desired::Digest;
use host::process::{Invocation, Output};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::desk::{CLUSTER, Desk};
use tests::programs::{self, said};
use tests::ring::{Ring, Trial};

/// Where the vendor's files are, and where the mirror puts them.
const VENDOR: &str = "https://github.com/docker/compose/releases/download/";
const PATH: &str = "/v2.40.3/docker-compose-linux-x86_64";
const ARTIFACT: &str = "docker-compose";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "artifacts::a_source_that_fails_is_named_and_the_next_run_goes_on", |_| {
            faults(&quick())
        }),
        Trial::new(Ring::Golden, "artifacts::a_source_that_falls_silent_is_left_in_time", |_| {
            faults(&[silence()])
        })
        .long(),
        Trial::new(
            Ring::Golden,
            "artifacts::a_busy_source_is_asked_again_and_a_cut_one_for_the_rest",
            |_| patience(),
        ),
        Trial::new(Ring::Golden, "artifacts::a_full_disk_under_the_cache_is_said", |_| full_disk()),
        Trial::new(Ring::Golden, "artifacts::plain_http_needs_the_profiles_word", |_| plain_http()),
    ]
}

/// Long enough to be cut, short enough to be sent often.
fn file() -> Vec<u8> {
    (0..200_000_u32).map(|number| number.to_le_bytes()[usize::from(number % 3 == 0)]).collect()
}

/// How a source fails, and what is seen of it.
struct Fault {
    behaviour: Behaviour,
    code: i32,
    words: &'static [&'static str],
    /// Whether a beginning is kept for the next run.
    kept: bool,
}

fn quick() -> Vec<Fault> {
    let fault = |behaviour, code, words| Fault { behaviour, code, words, kept: false };
    let longer = [file(), file()].concat();
    let wrong = vec![b'x'; file().len()];
    vec![
        fault(Behaviour::Status("404 Not Found"), 5, &["404", "no such file", "local `file:` source"]),
        fault(Behaviour::Status("503 Service Unavailable"), 5, &["503", "run again"]),
        fault(Behaviour::Redirect("http://example.org/x".to_owned()), 5, &["not https", "refused"]),
        fault(Behaviour::Honest(longer), 6, &["400000 bytes, pinned are 200000", "--update docker-compose"]),
        fault(Behaviour::NoRanges(wrong), 6, &["gave other bytes", "nothing of it was kept"]),
        Fault {
            kept: true,
            ..fault(Behaviour::Cut(file(), 100_000), 5, &["cut off", "kept for the next run"])
        },
    ]
}

fn silence() -> Fault {
    Fault {
        behaviour: Behaviour::Stall(file()),
        code: 5,
        words: &["stalled", "kept for the next run"],
        kept: true,
    }
}

/// A desk whose only download comes from `server`.
struct Shop {
    desk: Desk,
    server: LyingServer,
}

impl Shop {
    fn open() -> anyhow::Result<Self> {
        let (desk, server) = (Desk::new()?, LyingServer::start());
        let folder = desk.profile().parent().context("the profile has a folder")?.to_owned();
        for arch in ["amd64", "arm64"] {
            let stand_in = desk.folder().join(format!("k3s-{arch}"));
            std::fs::write(stand_in, format!("stands in for k3s on {arch}"))?;
        }
        desk.edit("[cluster]\n", "[cluster]\nallow-http = true\n")?;
        let more = format!(
            "\n[artifacts.k3s]\nlocal = \"file:{}/k3s-{{arch}}\"\n\n[[mirrors]]\nfrom = \"{VENDOR}\"\nto = \"{}/\"\n",
            desk.folder().display(),
            server.address
        );
        let text = std::fs::read_to_string(desk.profile())? + &more;
        std::fs::write(desk.profile(), text)?;
        let lock = folder.join("lock.toml");
        let text = std::fs::read_to_string(&lock)?;
        let start = text.find("digest = \"sha256:").context("the lock holds a digest")?;
        let end = start + text[start..].find('\n').context("lines end")?;
        ensure!(text[..start].ends_with("mode = \"0755\"\n"), "the first digest is that of {ARTIFACT}");
        let pin = format!("size = {}\ndigest = \"{}\"", file().len(), Digest::sha256_of(&file()));
        std::fs::write(&lock, format!("{}{pin}{}", &text[..start], &text[end..]))?;
        Ok(Self { desk, server })
    }
    fn call(&self) -> anyhow::Result<Invocation> {
        let call = programs::xtask()?.args(["build-images", CLUSTER, "--air-gap", "--engine", "embedded"]);
        let call = call.arg("--profiles").arg(self.desk.folder().join("profiles"));
        let call = call.arg("--out").arg(self.desk.out()).env("XDG_CACHE_HOME", self.desk.cache());
        let call = call.env("HTTPS_PROXY", "http://127.0.0.1:9").env("https_proxy", "http://127.0.0.1:9");
        let call = call.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        Ok(call.timeout(Duration::from_secs(900)))
    }
    fn build(&self) -> anyhow::Result<Output> {
        Ok(self.call()?.run()?)
    }
    /// What lies in a folder of the cache.
    fn cached(&self, folder: &str) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.desk.cache().join("rootstock").join(folder);
        if folder.exists() { Ok(host::tree::files(&folder)?) } else { Ok(Vec::new()) }
    }
    fn expect_failure(&self, code: i32, words: &[&str]) -> anyhow::Result<()> {
        let output = self.build()?;
        let said = said(&output);
        ensure!(output.code == code, "exit {}, not {code}:\n{said}", output.code);
        let address = format!("{}{PATH}", self.server.address);
        for word in [ARTIFACT, &address, "help: "].iter().chain(words) {
            ensure!(said.contains(word), "nothing is said of `{word}`:\n{said}");
        }
        ensure!(!self.desk.out().join(CLUSTER).exists(), "output in spite of the error");
        Ok(())
    }
    /// The next run, the server being well again, goes on; gives what it asked for.
    fn expect_recovery(&self, behaviour: Behaviour) -> anyhow::Result<Vec<String>> {
        self.server.set(PATH, behaviour);
        let before = self.server.requests().len();
        let output = self.build()?;
        ensure!(output.code == 0, "the next run fails:\n{}", said(&output));
        ensure!(self.cached("partial")?.is_empty(), "left over: {:?}", self.cached("partial")?);
        let manifest = std::fs::read_to_string(self.desk.out().join(CLUSTER).join("manifest.json"))?;
        ensure!(
            manifest.contains(&Digest::sha256_of(&file()).to_string()) && !manifest.contains("deferred"),
            "it is not embedded:\n{manifest}"
        );
        Ok(self.server.requests().split_off(before))
    }
}

fn faults(faults: &[Fault]) -> anyhow::Result<()> {
    let shop = Shop::open()?;
    for fault in faults {
        let what = || format!("{:.60}", format!("{:?}", fault.behaviour));
        shop.server.set(PATH, fault.behaviour.clone());
        let started = Instant::now();
        shop.expect_failure(fault.code, fault.words).with_context(what)?;
        ensure!(started.elapsed() < Duration::from_secs(240), "{} took {:?}", what(), started.elapsed());
        let partial = shop.cached("partial")?;
        ensure!(partial.is_empty() != fault.kept, "{}: the cache holds {partial:?}", what());
        let wrong = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|metadata| metadata.len() > 100);
        let files: Vec<_> = shop.cached("sha256")?.into_iter().filter(wrong).collect();
        ensure!(files.is_empty(), "{}: unverified bytes in the cache: {files:?}", what());
    }
    // One recovery for all: the last fault left what it left.
    let asked = shop.expect_recovery(Behaviour::Honest(file()))?;
    let rest = format!("GET {PATH} 100000-");
    ensure!(asked.contains(&rest), "the next run starts anew: {asked:?}");
    Ok(())
}

fn patience() -> anyhow::Result<()> {
    for (first, then) in [
        (None, Behaviour::Busy("503 Service Unavailable", 2, file())),
        (None, Behaviour::CutOnce(file(), 100_000)),
        (Some(Behaviour::Cut(file(), 100_000)), Behaviour::NoRanges(file())),
        (Some(Behaviour::Cut(file(), 100_000)), Behaviour::OtherRange(file())),
    ] {
        let shop = Shop::open()?;
        if let Some(first) = first {
            shop.server.set(PATH, first);
            shop.expect_failure(5, &[])?;
        }
        shop.expect_recovery(then)?;
    }
    Ok(())
}

/// Runs `work` with a small disk mounted at `place`.
fn on_small_disk(place: &Path, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    std::fs::create_dir_all(place)?;
    Invocation::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(place).run()?;
    let outcome = work();
    Invocation::new("umount").arg(place).run()?;
    outcome
}

fn full_disk() -> anyhow::Result<()> {
    let shop = Shop::open()?;
    shop.server.set(PATH, Behaviour::Honest(file()));
    let cache = shop.desk.cache();
    on_small_disk(&cache, || {
        let output = shop.build()?;
        let said = said(&output);
        ensure!(output.code == 5, "exit {}:\n{said}", output.code);
        let place = cache.display().to_string();
        ensure!(said.contains("No space left") && said.contains(&place), "not said where:\n{said}");
        ensure!(!shop.desk.out().join(CLUSTER).exists(), "output in spite of the error");
        Ok(())
    })?;
    shop.expect_recovery(Behaviour::Honest(file())).map(drop)
}

fn plain_http() -> anyhow::Result<()> {
    let shop = Shop::open()?;
    shop.desk.edit("allow-http = true\n", "")?;
    shop.server.set(PATH, Behaviour::Honest(file()));
    shop.expect_failure(5, &["plain http is not allowed", "`allow-http = true` under [cluster]"])?;
    ensure!(shop.server.requests().is_empty(), "it was asked all the same");
    Ok(())
}
