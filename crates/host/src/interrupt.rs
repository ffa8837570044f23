//! What ^C does: children are stopped, what was being built goes, and the process ends by itself with 130.
//!
//! In: SIGINT, SIGTERM or SIGHUP. Out: the flag that [`came`] reads, from the moment the signal arrives, and after which no
//! output is put in its place; then every descendant is ended, `main` gets a moment to come to [`settle`] (its guards clean
//! up), and where it is busy without looking, the stages of [`crate::stage`] are removed here. The process ends here and
//! nowhere else, so never before its children. Caches and locks survive: they are whole at any time.
//! A run that has begun to change a machine outlives a hangup: nobody asked it to end, only nobody looks any more.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The exit code of an interrupted run.
pub const EXIT_CODE: u8 = 130;
/// How long `main` may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);
/// How long children may take to end by themselves.
const CHILDREN: Duration = Duration::from_secs(2);

/// What the signal handlers set, before anybody else knows of the signal.
#[derive(Debug, Default)]
struct Flags {
    asked: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
}

/// How far `main` is, for whoever would end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Main {
    /// It has not settled yet.
    AtWork,
    /// It has nothing more to do and leaves the end to the interruption.
    Waits,
    /// It ends the process itself; a signal comes too late.
    Ends,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();
/// Whether there is somebody who ends the process after a signal.
static LISTENS: AtomicBool = AtomicBool::new(false);
/// A hangup is no reason to end.
static OUTLIVES: AtomicBool = AtomicBool::new(false);
static MAIN: Mutex<Main> = Mutex::new(Main::AtWork);
static SETTLED: Condvar = Condvar::new();

/// Whether the person asked this run to end. What a verb reports after that is only its own end.
#[must_use]
pub fn came() -> bool {
    FLAGS.get().is_some_and(|flags| {
        flags.asked.load(Ordering::SeqCst) || flags.hung_up.load(Ordering::SeqCst) && !outlives_hangup()
    })
}

/// From here on a terminal or a connection that goes away ends neither this run nor what it starts (a program that it
/// starts has no terminal then, and ^C reaches it through this run). One that is gone already ends it.
pub fn outlive_hangup() {
    if !came() {
        OUTLIVES.store(true, Ordering::SeqCst);
    }
}

/// Whether this run goes on after a hangup.
#[must_use]
pub(crate) fn outlives_hangup() -> bool {
    OUTLIVES.load(Ordering::SeqCst)
}

/// Begins to listen; once, at the start of `main`.
///
/// # Errors
/// If the system refuses the handlers.
pub fn listen() -> std::io::Result<()> {
    let flags = FLAGS.get_or_init(Flags::default);
    // In the handler itself, so that no child can end of the same signal and be reported before it is known.
    for (signal, flag) in [(SIGINT, &flags.asked), (SIGTERM, &flags.asked), (SIGHUP, &flags.hung_up)] {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let body = move || {
        let mut asked = signals.forever().filter(|signal| *signal != SIGHUP || !outlives_hangup());
        if asked.next().is_some() {
            flags.asked.store(true, Ordering::SeqCst);
            if *main_is() != Main::Ends {
                end();
            }
        }
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(body)?;
    LISTENS.store(true, Ordering::SeqCst);
    Ok(())
}

/// The last thing `main` does. Where an interruption came it does not return: whoever stops the children ends the process
/// too, once all of them are gone. Otherwise the outcome stands, and a signal from here on is too late to change it.
pub fn settle() {
    let mut main = main_is();
    if !came() || !LISTENS.load(Ordering::SeqCst) {
        *main = Main::Ends;
        return;
    }
    *main = Main::Waits;
    SETTLED.notify_all();
    drop(main);
    loop {
        std::thread::park();
    }
}

fn main_is() -> MutexGuard<'static, Main> {
    MAIN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be said as soon as an interruption comes.
type Words = Box<dyn FnOnce() + Send>;

/// As long as it lives an interruption is followed by words of the verb's own.
#[derive(Debug)]
#[must_use]
pub struct LastWords(());

impl LastWords {
    /// From here on `say` is called once if an interruption comes, in the place of an earlier one.
    pub fn begin(say: impl FnOnce() + Send + 'static) -> Self {
        *words() = Some(Box::new(say));
        Self(())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let mut words = words();
        let say = words.take();
        if came()
            && let Some(say) = say
        {
            // The lock is held meanwhile: the process does not end before it is said.
            say();
        }
    }
}

fn words() -> MutexGuard<'static, Option<Words>> {
    static WORDS: Mutex<Option<Words>> = Mutex::new(None);
    WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "main may be deep in a computation; its guards are done by hand here"
)]
fn end() {
    // Nobody may be left to read it.
    let _ = std::io::stderr().write_all(b"\ninterrupted\n");
    let mut words = words();
    if let Some(say) = words.take() {
        say();
    }
    drop(words);
    stop_children();
    drop(SETTLED.wait_timeout_while(main_is(), GRACE, |main| *main == Main::AtWork));
    crate::stage::abandon();
    std::process::exit(i32::from(EXIT_CODE));
}

/// Ends everything that this process started, however deep; what does not listen is killed.
fn stop_children() {
    for signal in [Signal::TERM, Signal::KILL] {
        for child in descendants() {
            // It may be gone already.
            let _ = kill_process(child, signal);
        }
        let deadline = Instant::now() + CHILDREN;
        while Instant::now() < deadline {
            if descendants().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// All living processes below this one.
fn descendants() -> Vec<Pid> {
    crate::processes::below(rustix::process::getpid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Invocation;
    use crate::report::{Kind, Report, Style};
    use crate::stage::{OutputFolder, StageError};
    use std::fs::{self, File};
    use std::path::Path;

    /// The program of the tests is its own child: this tells it where to work, and that it is the one to be interrupted.
    const VARIABLE: &str = "ROOTSTOCK_TEST_INTERRUPTED";

    #[test]
    fn the_child() {
        let Some(folder) = std::env::var_os(VARIABLE) else { return };
        let folder = Path::new(&folder);
        listen().unwrap();
        let output = OutputFolder::open(&folder.join("out")).unwrap();
        let stage = output.stage("a").unwrap();
        fs::write(stage.path().join("file"), "new").unwrap();
        let said = folder.join("said");
        let say = move || File::options().create(true).append(true).open(said).unwrap().write_all(b"so\n");
        let words = LastWords::begin(move || say().unwrap());
        let deaf = "trap '' TERM; echo $$ >\"$0\"; while :; do sleep 0.05; done";
        for script in [deaf, "echo $$ >\"$0\"; exec sleep 60"] {
            let note = folder.join(if script == deaf { "deaf" } else { "listens" });
            let call = Invocation::new("sh").args(["-c", script]).arg(&note);
            std::thread::spawn(move || call.run());
            while !fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n')) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert!(came(), "the handler has run");
        let report = Report::new(Style::Plain);
        report.task(Kind::Node, "said too late", None).step("and this");
        // As a verb that does not look does it.
        let other = folder.join("out/b");
        let file = [(stage.path().join("file"), other.as_path())];
        assert!(matches!(stage.put(&file), Err(StageError::Interrupted(_))));
        fs::write(folder.join("refused"), stage.commit().unwrap_err().to_string()).unwrap();
        drop(words);
        settle();
    }

    #[test]
    fn the_process_ends_after_its_children_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("out/a")).unwrap();
        fs::write(at("out/a/file"), "old").unwrap();
        let call = Invocation::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupt::tests::the_child", "--nocapture"])
            .env(VARIABLE, folder.path());
        let output = call.accept([0, 101, 130]).run().unwrap();
        assert_eq!(output.code, i32::from(EXIT_CODE), "{} {}", output.text(), output.stderr_tail);
        let said = &output.stderr_tail;
        assert!(said.contains("interrupted"), "{said}");
        assert!(said.contains("node said too late: failed, given up"), "{said}");
        assert_eq!(said.matches("said too late").count(), 1, "{said}");
        for name in ["deaf", "listens"] {
            let number = fs::read_to_string(at(name)).unwrap();
            let stat = fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
            assert!(stat.is_empty() || stat.contains(") Z "), "{name} goes on: {stat}");
        }
        assert!(fs::read_to_string(at("refused")).unwrap().contains("asked to end"));
        assert_eq!(fs::read_to_string(at("out/a/file")).unwrap(), "old");
        assert_eq!(fs::read_dir(at("out")).unwrap().count(), 2, "only `a` and the lock");
        assert_eq!(fs::read_to_string(at("said")).unwrap(), "so\n", "once");
    }

    #[test]
    fn without_an_interruption_there_are_no_last_words() {
        let is_said = Arc::new(AtomicBool::new(false));
        let say = Arc::clone(&is_said);
        drop(LastWords::begin(move || say.store(true, Ordering::SeqCst)));
        assert!(!is_said.load(Ordering::SeqCst));
    }

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
