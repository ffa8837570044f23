//! What ^C does: children are stopped, what was being built goes, and the process ends by itself with 130.
//!
//! In: SIGINT, SIGTERM or SIGHUP. Out: the flag that [`came`] reads, from the moment the signal arrives; then every
//! descendant is ended, `main` gets a moment to return (its guards clean up), and where it is busy without looking, the
//! stages of [`crate::stage`] are removed here and the process exits. Caches and locks survive: they are whole at any time.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The exit code of an interrupted run.
pub const EXIT_CODE: u8 = 130;
/// How long `main` may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);
/// How long children may take to end by themselves.
const CHILDREN: Duration = Duration::from_secs(2);

static CAME: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether the person asked this run to end. What a verb reports after that is only its own end.
#[must_use]
pub fn came() -> bool {
    CAME.get().is_some_and(|flag| flag.load(Ordering::SeqCst))
}

/// Begins to listen; once, at the start of `main`.
///
/// # Errors
/// If the system refuses the handlers.
pub fn listen() -> std::io::Result<()> {
    const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
    let flag = Arc::clone(CAME.get_or_init(Arc::default));
    for signal in SIGNALS {
        // In the handler itself, so that no child can end of the same signal and be reported before it is known.
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    let mut signals = signal_hook::iterator::Signals::new(SIGNALS)?;
    let body = move || {
        if signals.forever().next().is_some() {
            end();
        }
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(body).map(drop)
}

#[expect(
    clippy::disallowed_methods,
    reason = "main may be deep in a computation; its guards are done by hand here"
)]
fn end() {
    // Nobody may be left to read it.
    let _ = std::io::stderr().write_all(b"\ninterrupted\n");
    stop_children();
    std::thread::sleep(GRACE);
    crate::stage::abandon();
    std::process::exit(i32::from(EXIT_CODE));
}

/// Ends everything that this process started, however deep; what does not listen is killed.
fn stop_children() {
    let deadline = Instant::now() + CHILDREN;
    for child in descendants() {
        // It may be gone already.
        let _ = kill_process(child, Signal::TERM);
    }
    while Instant::now() < deadline {
        if descendants().is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for child in descendants() {
        let _ = kill_process(child, Signal::KILL);
    }
}

/// All living processes below this one.
fn descendants() -> Vec<Pid> {
    crate::processes::below(rustix::process::getpid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_children_are_found() {
        let child =
            duct::cmd!("sh", "-c", "sh -c 'echo; exec sleep 31.25' & wait").stdout_null().start().unwrap();
        let is_the_sleep = |pid: Pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"31.25\0"))
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let grandchild = loop {
            if let Some(pid) = descendants().into_iter().find(|pid| is_the_sleep(*pid)) {
                break pid;
            }
            assert!(Instant::now() < deadline, "{:?}", descendants());
            std::thread::sleep(Duration::from_millis(10));
        };
        kill_process(grandchild, Signal::TERM).unwrap();
        child.wait().unwrap();
        assert!(!descendants().contains(&rustix::process::getpid()));
    }
}
