//! One file to another machine, once.
//!
//! In: a connection, a file and its SHA-256. Out: the file over there under its digest's name, whole and compared, in a
//! folder for root alone. What lies there is not sent again; what lies there in part is gone on with, also after the
//! connection broke in the middle.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use desired::Digest;

use super::{Connection, Fault, SshError};

/// Where files are put over there; a cache, so whoever needs room may empty it.
pub const STORE: &str = "/var/cache/rootstock";
/// What must stay free besides the file, in bytes.
const MARGIN: u64 = 64 << 20;
/// How often a connection may break without a single byte having passed.
const ATTEMPTS: u32 = 3;
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the sending itself may take; a silent connection is noticed long before.
const LONGEST: Duration = Duration::from_secs(4 * 3600);
/// How long a slow card may take to read a whole bundle for its digest.
const DIGEST: Duration = Duration::from_secs(900);
/// How often progress is looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// `whole`, or how many bytes are there.
const LOOK: &str = "umask 077; mkdir -p \"$1\" && chmod 0700 \"$1\" && cd \"$1\" || exit 1
if [ -f \"$2.tar.gz\" ]; then
  if [ \"$(sha256sum <\"$2.tar.gz\")\" = \"$2  -\" ]; then echo whole; exit 0; fi
  rm -f \"$2.tar.gz\"
fi
if [ -f \"$2.part\" ]; then wc -c <\"$2.part\"; else echo 0; fi";
const TAKE: &str =
    "umask 077; cd \"$1\" || exit 1; if [ \"$3\" = 0 ]; then rm -f \"$2.part\"; fi; exec cat >>\"$2.part\"";
/// Older files go once the new one is whole: nobody starts from them any more.
const KEEP: &str = "cd \"$1\" || exit 1
if [ \"$(sha256sum <\"$2.part\")\" != \"$2  -\" ]; then rm -f \"$2.part\"; echo other; exit 0; fi
mv \"$2.part\" \"$2.tar.gz\" || exit 1
for file in *.tar.gz *.part; do
  if [ \"$file\" != \"$2.tar.gz\" ]; then rm -f \"$file\"; fi
done
echo whole";

/// How a file got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// Bytes that were sent by this run.
    pub sent: u64,
    /// Bytes that were there from an earlier run or before the connection broke.
    pub found: u64,
}

/// Brings `file` there; `progress` hears how many bytes are there.
///
/// # Errors
/// What went wrong, on the way or over there; another run goes on where this one was.
pub fn push(
    connection: &Connection,
    file: &Path,
    digest: &Digest,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Pushed, SshError> {
    let name = &connection.destination().name;
    let local = |error: std::io::Error| {
        SshError::new(name, Fault::Other, &format!("read {} at the desk: {error}", file.display()))
    };
    let source = Arc::new(File::open(file).map_err(local)?);
    let size = source.metadata().map_err(local)?.len();
    let digest = digest.hex();
    let (mut sent, mut idle, mut last, mut restarted) = (0, 0, None, false);
    loop {
        let there = match look(connection, digest) {
            Ok(There::Whole) => return Ok(Pushed { sent, found: size.saturating_sub(sent) }),
            Ok(There::Part(length)) => length,
            Err(error) => {
                again(error, &mut idle)?;
                continue;
            }
        };
        let offset = if there > size { 0 } else { there };
        // Bytes that passed are reason enough for another try.
        if last.replace(offset) != Some(offset) {
            idle = 0;
        }
        if offset < size {
            room(connection, size - offset)?;
            (&*source).seek(SeekFrom::Start(offset)).map_err(local)?;
            progress(offset);
            let outcome = send(connection, &source, digest, offset, progress);
            sent += (&*source).stream_position().map_err(local)?.saturating_sub(offset);
            if let Err(error) = outcome {
                again(error, &mut idle)?;
                continue;
            }
        }
        match keep(connection, digest) {
            Ok(true) => {
                progress(size);
                return Ok(Pushed { sent, found: size.saturating_sub(sent) });
            }
            // What an earlier run had left may be of no use; a file sent as a whole must be right.
            Ok(false) if !restarted && sent < size => (restarted, last) = (true, None),
            Ok(false) => return Err(SshError::new(name, Fault::Damaged, "")),
            Err(error) => again(error, &mut idle)?,
        }
    }
}

enum There {
    Whole,
    Part(u64),
}

fn look(connection: &Connection, digest: &str) -> Result<There, SshError> {
    let call = connection.script(LOOK, &[STORE, digest]).timeout(DIGEST);
    let text = connection.run(&call)?.text();
    match text.trim() {
        "whole" => Ok(There::Whole),
        length => length.parse().map(There::Part).map_err(|_| {
            SshError::new(&connection.destination().name, Fault::Other, &format!("`wc` says `{length}`"))
        }),
    }
}

/// Refused before the first byte rather than in the middle.
fn room(connection: &Connection, missing: u64) -> Result<(), SshError> {
    let machine = connection.reach()?;
    match machine.free {
        Some(free) if free < missing.saturating_add(MARGIN) => {
            let said = format!(
                "{} free below /var, {} to send",
                desired::ByteSize(free),
                desired::ByteSize(missing)
            );
            Err(SshError::new(&connection.destination().name, Fault::DiskFull, &said))
        }
        _ => Ok(()),
    }
}

fn send(
    connection: &Connection,
    source: &Arc<File>,
    digest: &str,
    offset: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), SshError> {
    let call = connection.script(TAKE, &[STORE, digest, &offset.to_string()]);
    let call = call.stdin_file(Arc::clone(source)).timeout(LONGEST);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if let Ok(position) = (&**source).stream_position() {
                    progress(position);
                }
                std::thread::sleep(GLANCE);
            }
        });
        let outcome = connection.run(&call);
        is_over.store(true, Ordering::Relaxed);
        outcome.map(drop)
    })
}

fn keep(connection: &Connection, digest: &str) -> Result<bool, SshError> {
    let call = connection.script(KEEP, &[STORE, digest]).timeout(DIGEST);
    Ok(connection.run(&call)?.text().trim() == "whole")
}

/// A broken connection is tried again a few times; everything else is final.
fn again(error: SshError, idle: &mut u32) -> Result<(), SshError> {
    *idle += 1;
    let may_come_back =
        error.is_lost() || (*idle > 1 && matches!(error.fault, Fault::Refused | Fault::TimedOut));
    if !may_come_back || *idle > ATTEMPTS {
        return Err(error);
    }
    std::thread::sleep(PAUSE);
    Ok(())
}
