//! One download: continued where an earlier one stopped, repeated when the server is busy, checked while it comes.
//!
//! In: a web address and what its bytes must be. Out: a whole file in the cache's `partial/` whose digest was compared
//! (or, for a first pin, computed). After any failure nothing is left but a `.part` that can be continued: one whose
//! bytes a digest will judge, or one the server named a version (ETag) of.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use desired::types::DigestAlgorithm;
use desired::{ByteSize, Digest};
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE, RETRY_AFTER};

use super::failed::Failed;
use super::{FailureKind, Fetcher, SourceFailure, client};
use crate::cache::{CacheError, refused, write_whole};
use crate::digest::Hasher;
use crate::report::{Kind, Task};

/// The longest wait a server may ask for before it counts as out of reach.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What the bytes of a download must be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expect<'a> {
    /// Their digests, all of them compared.
    pub(super) digests: [Option<&'a Digest>; 2],
    /// Their count.
    pub(super) size: Option<u64>,
}

/// A finished download.
#[derive(Debug)]
pub(super) struct Downloaded {
    pub(super) path: PathBuf,
    pub(super) sha256: Digest,
}

/// Why an attempt ended early.
enum Trouble {
    /// It may go better in a moment, or with the next run.
    Again {
        why: String,
        wait: Option<Duration>,
        /// The server said nothing for as long as silence is borne.
        is_silence: bool,
    },
    Final(Failed),
}

impl From<CacheError> for Trouble {
    fn from(error: CacheError) -> Self {
        Self::Final(error.into())
    }
}

pub(super) fn download(
    fetcher: &Fetcher,
    label: &str,
    url: &str,
    expect: Expect<'_>,
) -> Result<Downloaded, Failed> {
    let mut part = Part::open(fetcher, url, expect)?;
    let mut job = Job { fetcher, label, url, expect, task: None };
    let (mut tries, mut restarted) = (0, false);
    loop {
        let (resumed, length) = (part.length > 0, part.length);
        let outcome = job.attempt(&mut part);
        let why = match outcome {
            Ok(()) => match part.check(expect) {
                Ok(sha256) => {
                    job.end(Ok("verified"));
                    part.forget_note();
                    return Ok(Downloaded { path: part.path.clone(), sha256 });
                }
                // The old beginning may have been another version of the file: once more from the start.
                Err(_) if resumed && !restarted => {
                    restarted = true;
                    part.restart()?;
                    continue;
                }
                Err(why) => {
                    part.remove();
                    job.end(Err("wrong bytes"));
                    return Err(SourceFailure::new(url, FailureKind::Wrong, why).into());
                }
            },
            // Silence costs half a minute each time: whoever gave nothing more when asked again is not asked a third time.
            Err(Trouble::Again { why, wait, is_silence })
                if tries < fetcher.options.retries && !(is_silence && tries > 0 && part.length <= length) =>
            {
                tries += 1;
                let backoff = fetcher.options.backoff * 2_u32.pow(tries - 1);
                std::thread::sleep(wait.unwrap_or(backoff).min(LONGEST_WAIT));
                job.report(&format!("{label}: {why}; once more"));
                continue;
            }
            Err(Trouble::Again { why, .. }) => why,
            Err(Trouble::Final(failed)) => {
                let later =
                    !matches!(&failed, Failed::Source(failure) if failure.kind != FailureKind::Unreachable);
                if later {
                    part.keep_if_resumable();
                } else {
                    part.remove();
                }
                job.end(Err("failed"));
                return Err(failed);
            }
        };
        let kept = if part.keep_if_resumable() { "; what came so far is kept for the next run" } else { "" };
        job.end(Err(&why));
        return Err(SourceFailure::new(url, FailureKind::Unreachable, format!("{why}{kept}")).into());
    }
}

struct Job<'a> {
    fetcher: &'a Fetcher,
    label: &'a str,
    url: &'a str,
    expect: Expect<'a>,
    task: Option<Task>,
}

impl Job<'_> {
    fn attempt(&mut self, part: &mut Part) -> Result<(), Trouble> {
        let mut answer = self.ask(part)?;
        let total = self.judge(&answer, part)?;
        if let Some(etag) = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()) {
            part.note(self.url, etag)?;
        }
        let total = total.or(self.expect.size);
        let task =
            self.task.get_or_insert_with(|| self.fetcher.report.task(Kind::Download, self.label, total));
        task.set(part.length);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = match answer.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let is_silence = is_silence(&error);
                    let what = if is_silence { "stalled" } else { "was cut off" };
                    let why = format!("{what} {}", progress(part.length, total));
                    return Err(Trouble::Again { why, wait: None, is_silence });
                }
            };
            if self.expect.size.is_some_and(|size| part.length + count as u64 > size) {
                return Err(
                    self.wrong(format!("gives more bytes than the pinned {}", pinned(self.expect.size)))
                );
            }
            part.append(&buffer[..count])?;
            task.inc(count as u64);
        }
        match total {
            Some(total) if part.length < total => {
                Err(again(format!("was cut off {}", progress(part.length, Some(total)))))
            }
            _ => Ok(()),
        }
    }
    fn ask(&self, part: &Part) -> Result<Response, Trouble> {
        let mut headers = HeaderMap::new();
        if part.length > 0 {
            let value = |text: &str| HeaderValue::from_str(text).ok();
            headers.extend(value(&format!("bytes={}-", part.length)).map(|value| (RANGE, value)));
            headers.extend(part.validator.as_deref().and_then(value).map(|value| (IF_RANGE, value)));
        }
        client::get(&self.fetcher.client, self.url, &headers, self.fetcher.options.allow_http).map_err(
            |failure| {
                if failure.kind == FailureKind::Unreachable && part.length > 0 {
                    return again(failure.why);
                }
                Trouble::Final(failure.into())
            },
        )
    }
    /// The whole length the answer claims, when it is one that can be read on.
    fn judge(&self, answer: &Response, part: &mut Part) -> Result<Option<u64>, Trouble> {
        let status = answer.status();
        let total = match status.as_u16() {
            200 => {
                // The server ignores ranges, or the file isn't the one we have the beginning of.
                part.restart()?;
                answer.content_length()
            }
            206 => match content_range(answer) {
                Some((start, total)) if start == part.length => total,
                _ => {
                    part.restart()?;
                    return Err(again("answered another range than was asked for"));
                }
            },
            416 => {
                part.restart()?;
                return Err(again("has less than was downloaded before"));
            }
            404 | 410 => {
                let why = format!("answered {status}: there is no such file");
                return Err(Trouble::Final(SourceFailure::new(self.url, FailureKind::Absent, why).into()));
            }
            429 | 500 | 502..=504 => {
                let wait =
                    answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let why = format!("answered {status}");
                let wait = wait.map(Duration::from_secs);
                return Err(Trouble::Again { why, wait, is_silence: false });
            }
            _ => {
                let why = format!("answered {status}");
                return Err(Trouble::Final(
                    SourceFailure::new(self.url, FailureKind::Unreachable, why).into(),
                ));
            }
        };
        match (total, self.expect.size) {
            (Some(total), Some(size)) if total != size => {
                Err(self.wrong(format!("has {total} bytes, pinned are {size}")))
            }
            _ => Ok(total),
        }
    }
    fn wrong(&self, why: String) -> Trouble {
        Trouble::Final(SourceFailure::new(self.url, FailureKind::Wrong, why).into())
    }
    fn report(&self, line: &str) {
        self.fetcher.report.say(line);
    }
    fn end(&mut self, outcome: Result<&str, &str>) {
        match (self.task.take(), outcome) {
            (Some(task), Ok(note)) => task.finish(note),
            (Some(task), Err(why)) => task.fail(why),
            (None, _) => {}
        }
    }
}

fn again(why: impl Into<String>) -> Trouble {
    Trouble::Again { why: why.into(), wait: None, is_silence: false }
}

/// Whether a read ended since nothing came: the client reports its silence limit as a time-out inside of the error.
fn is_silence(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    error.kind() == std::io::ErrorKind::TimedOut || inner.is_some_and(reqwest::Error::is_timeout)
}

fn progress(length: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("after {length} of {total} bytes"),
        None => format!("after {length} bytes"),
    }
}

fn pinned(size: Option<u64>) -> String {
    size.map_or_else(String::new, |size| size.to_string())
}

/// `bytes 5-9/10` as start and whole length (RFC 9110, 14.4).
fn content_range(answer: &Response) -> Option<(u64, Option<u64>)> {
    let text = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}

/// The unfinished file.
struct Part {
    path: PathBuf,
    note: PathBuf,
    file: File,
    length: u64,
    hashers: [Hasher; 2],
    /// The server's name for the version we have the beginning of.
    validator: Option<String>,
    pinned: bool,
}

impl Part {
    fn open(fetcher: &Fetcher, url: &str, expect: Expect<'_>) -> Result<Self, CacheError> {
        let pinned = expect.digests.iter().flatten().next();
        let key = match pinned {
            Some(digest) => digest.hex()[..64].to_owned(),
            None => format!("url-{}", Digest::sha256_of(url.as_bytes()).hex()),
        };
        let cache = &fetcher.options.cache;
        let (path, note) = (cache.partial(&format!("{key}.part")), cache.partial(&format!("{key}.etag")));
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = open.map_err(refused("open", &path))?;
        let noted = fs::read_to_string(&note).ok();
        let validator = noted.and_then(|text| Some(text.strip_prefix(&format!("{url}\n"))?.to_owned()));
        let pinned = pinned.is_some();
        let mut part = Self { path, note, file, length: 0, hashers: hashers(), validator, pinned };
        if part.pinned || part.validator.is_some() {
            part.take_up()?;
        } else {
            part.restart()?;
        }
        Ok(part)
    }
    /// Reads what an earlier run left.
    fn take_up(&mut self) -> Result<(), CacheError> {
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = self.file.read(&mut buffer).map_err(refused("read", &self.path))?;
            if count == 0 {
                return Ok(());
            }
            self.hashers.iter_mut().for_each(|hasher| hasher.update(&buffer[..count]));
            self.length += count as u64;
        }
    }
    fn restart(&mut self) -> Result<(), CacheError> {
        (self.length, self.hashers, self.validator) = (0, hashers(), None);
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(refused("empty", &self.path))
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        self.file.write_all(bytes).map_err(refused("write", &self.path))?;
        self.hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.length += bytes.len() as u64;
        Ok(())
    }
    /// Keeps the version's name, if it is one that promises equal bytes.
    fn note(&mut self, url: &str, etag: &str) -> Result<(), CacheError> {
        if !etag.starts_with("W/") && self.validator.as_deref() != Some(etag) {
            write_whole(&self.note, &format!("{url}\n{etag}"))?;
            self.validator = Some(etag.to_owned());
        }
        Ok(())
    }
    /// Compares; gives the SHA-256.
    fn check(&self, expect: Expect<'_>) -> Result<Digest, String> {
        let found = self.hashers.clone().map(Hasher::finish);
        for digest in expect.digests.into_iter().flatten() {
            if !found.contains(digest) {
                let found = found.iter().find(|found| found.algorithm() == digest.algorithm());
                let found = found.map_or_else(String::new, ToString::to_string);
                let size = ByteSize(self.length);
                return Err(format!("gave other bytes ({size}): pinned {digest}, got {found}"));
            }
        }
        if expect.size.is_some_and(|size| size != self.length) {
            return Err(format!("has {} bytes, pinned are {}", self.length, pinned(expect.size)));
        }
        let [sha256, _] = found;
        Ok(sha256)
    }
    /// Whether it stays.
    fn keep_if_resumable(&self) -> bool {
        let keep = self.length > 0 && (self.pinned || self.validator.is_some());
        if !keep {
            self.remove();
        }
        keep
    }
    // What can't be removed is taken up or emptied by the next run, so its error is no news.
    fn remove(&self) {
        drop(fs::remove_file(&self.path));
        self.forget_note();
    }
    fn forget_note(&self) {
        drop(fs::remove_file(&self.note));
    }
}

fn hashers() -> [Hasher; 2] {
    [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512].map(Hasher::new)
}
