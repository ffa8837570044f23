use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::lying_server::{Behaviour, LyingServer};
use super::*;
use crate::report::Event;

mod faults;
mod places;

struct Bench {
    folder: tempfile::TempDir,
    server: LyingServer,
    options: Options,
    report: Report,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(Cache::at(folder.path().join("cache")).unwrap(), folder.path());
        options.allow_http = true;
        options.retries = 0;
        options.backoff = Duration::from_millis(5);
        options.stall_timeout = Duration::from_secs(2);
        options.use_npm = false;
        let server = LyingServer::start();
        options.npm_registry.clone_from(&server.address);
        Self { folder, server, options, report: Report::recording() }
    }
    fn fetcher(&self) -> Fetcher {
        Fetcher::new(self.options.clone(), self.report.clone()).unwrap()
    }
    fn fetch(&self, want: &Want) -> Result<Fetched, FetchError> {
        self.fetcher().fetch(want)
    }
    /// What lies in the cache's folder of this name.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.options.cache.root().join(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
    fn assert_clean(&self) {
        assert_eq!(
            (self.names("sha256"), self.names("partial")),
            (Vec::new(), Vec::new()),
            "the cache is not clean"
        );
    }
    /// The next run, with an honest server, gets the file; gives the requests it needed.
    fn assert_next_run_continues(&self, want: &Want, path: &str) -> Vec<String> {
        self.server.set(path, Behaviour::Honest(file()));
        let before = self.server.requests().len();
        match self.fetch(want).unwrap() {
            Fetched::Ready(got) => assert_eq!(fs::read(&got.path).unwrap(), file()),
            deferred @ Fetched::Deferred { .. } => panic!("{deferred:?}"),
        }
        assert_eq!(self.names("partial"), Vec::<String>::new());
        assert_eq!(self.names("sha256"), [Digest::sha256_of(&file()).hex()]);
        self.server.requests().split_off(before)
    }
}

fn file() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn source(url: &str) -> Source {
    Source { origin: Origin::Web(url.to_owned()), digest: None, member: None }
}

fn want(urls: &[&str]) -> Want {
    Want {
        artifact: "tool".to_owned(),
        label: "tool 1.2.3 (arm64)".to_owned(),
        digest: Some(Digest::sha256_of(&file())),
        size: Some(file().len() as u64),
        sources: urls.iter().map(|url| source(url)).collect(),
    }
}

/// The text and exit code of the error, which always names the artifact, the place and what to do.
fn told(error: &FetchError, url: &str, why: &str, help: &str) -> u8 {
    let text = error.to_string();
    for part in ["can't get tool 1.2.3 (arm64): ", url, why, "\n  help: ", help] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    error.exit_code()
}

fn archive(member: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in [("package/README.md", b"read me".as_slice()), (member, content)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}
