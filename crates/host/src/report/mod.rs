//! What long work tells the person who waits: events in, something readable on standard error out.
//!
//! In: tasks that start, advance, finish or fail, and lines to say. Out, by [`Style`]: bars on a terminal
//! (feature `net`), plain lines without one (at most one a second for a task in progress), JSON lines on
//! request. Standard output stays the answer's. A recording report keeps the events for tests.

#[cfg(feature = "net")]
mod bars;
mod event;
mod lines;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use event::{Event, Kind};

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Plain lines.
    Plain,
    /// One JSON object a line, versioned.
    Json,
    /// Nothing.
    Quiet,
}

/// A handle to the one progress display; cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Report(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    consumer: Consumer,
    next: AtomicU64,
}

#[derive(Debug)]
enum Consumer {
    Quiet,
    Plain,
    Json,
    Record(Mutex<Vec<Event>>),
    #[cfg(feature = "net")]
    Bars(indicatif::MultiProgress),
}

impl Report {
    /// A report on standard error.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let consumer = match style {
            Style::Quiet => Consumer::Quiet,
            Style::Json => Consumer::Json,
            Style::Auto if std::io::stderr().is_terminal() => Self::terminal(),
            Style::Auto | Style::Plain => Consumer::Plain,
        };
        Self::with(consumer)
    }
    /// A report that shows nothing and keeps every event for [`Self::recorded`].
    #[must_use]
    pub fn recording() -> Self {
        Self::with(Consumer::Record(Mutex::new(Vec::new())))
    }
    /// What a recording report has kept so far; empty for every other.
    #[must_use]
    pub fn recorded(&self) -> Vec<Event> {
        match &self.0.consumer {
            Consumer::Record(events) => lock(events).clone(),
            _ => Vec::new(),
        }
    }
    /// Starts a task. `total` is in the kind's unit ([`Kind::counts_bytes`]); `None` when nobody knows.
    #[must_use]
    pub fn task(&self, kind: Kind, label: impl Into<String>, total: Option<u64>) -> Task {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let label = label.into();
        let now = Instant::now();
        let task = Task {
            #[cfg(feature = "net")]
            bar: match &self.0.consumer {
                Consumer::Bars(bars) => Some(bars::add(bars, kind, &label, total)),
                _ => None,
            },
            report: self.clone(),
            id,
            kind,
            label: label.clone(),
            total,
            done: AtomicU64::new(0),
            started: now,
            told: Mutex::new(now),
            closed: AtomicBool::new(false),
        };
        self.emit(Event::Started { task: id, kind, label, total });
        task
    }
    /// Says one line, above the bars where there are any.
    pub fn say(&self, line: impl Into<String>) {
        self.emit(Event::Said { line: line.into() });
    }
    /// Takes the bars away while `work` runs, for a child that writes to the terminal itself.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0.consumer {
            #[cfg(feature = "net")]
            Consumer::Bars(bars) => bars.suspend(work),
            _ => work(),
        }
    }

    fn with(consumer: Consumer) -> Self {
        Self(Arc::new(Inner { consumer, next: AtomicU64::new(1) }))
    }
    #[cfg(feature = "net")]
    fn terminal() -> Consumer {
        Consumer::Bars(indicatif::MultiProgress::new())
    }
    #[cfg(not(feature = "net"))]
    fn terminal() -> Consumer {
        Consumer::Plain
    }
    fn emit(&self, event: Event) {
        // Work that is given up goes on for a moment; the last that a person reads is that it was, and what is left of it.
        if crate::process::is_ending() && event.is_of_work_that_goes_on() {
            return;
        }
        match &self.0.consumer {
            Consumer::Quiet => {}
            Consumer::Plain => lines::plain(&event, &mut std::io::stderr().lock()),
            Consumer::Json => lines::json(&event, &mut std::io::stderr().lock()),
            Consumer::Record(events) => lock(events).push(event),
            #[cfg(feature = "net")]
            Consumer::Bars(bars) => bars::show(bars, &event),
        }
    }
    /// The least time between two progress events of one task; a recording report keeps them all.
    fn interval(&self) -> Duration {
        match &self.0.consumer {
            Consumer::Plain => Duration::from_secs(1),
            Consumer::Json => Duration::from_millis(200),
            Consumer::Quiet => Duration::MAX,
            _ => Duration::ZERO,
        }
    }
}

/// One piece of work in progress. Dropped without [`Task::finish`] or [`Task::fail`] it counts as failed, so an
/// early return never leaves a bar that looks alive.
#[derive(Debug)]
pub struct Task {
    report: Report,
    id: u64,
    kind: Kind,
    label: String,
    total: Option<u64>,
    done: AtomicU64,
    started: Instant,
    told: Mutex<Instant>,
    closed: AtomicBool,
    #[cfg(feature = "net")]
    bar: Option<indicatif::ProgressBar>,
}

impl Task {
    /// Counts `amount` more as done, in the kind's unit.
    pub fn inc(&self, amount: u64) {
        let done = self.done.fetch_add(amount, Ordering::Relaxed) + amount;
        self.advance(done);
    }
    /// Sets how much is done, where a resumed or restarted transfer jumps.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.advance(done);
    }
    /// Tells what it does now; replaces the step before where there is a bar.
    pub fn step(&self, step: &str) {
        self.show(step);
        let (task, kind, label) = (self.id, self.kind, self.label.clone());
        self.report.emit(Event::Stepped { task, kind, label, step: step.to_owned() });
    }
    /// The same for what changes too often to be a line: seen where there is a bar, and nowhere else.
    pub fn show(&self, step: &str) {
        #[cfg(feature = "net")]
        if let Some(bar) = &self.bar {
            bars::step(bar, &self.label, step);
        }
        #[cfg(not(feature = "net"))]
        let _ = step;
    }
    /// Ends it well; `note` is a few words about the outcome, or empty.
    pub fn finish(self, note: &str) {
        self.close(Ok(note));
    }
    /// Ends it badly; `why` is a few words, the error itself is told by whoever gets it.
    pub fn fail(self, why: &str) {
        self.close(Err(why));
    }

    fn advance(&self, done: u64) {
        #[cfg(feature = "net")]
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        {
            let mut told = lock(&self.told);
            if told.elapsed() < self.report.interval() {
                return;
            }
            *told = Instant::now();
        }
        let Self { id, kind, label, total, .. } = self;
        let event = Event::Advanced { task: *id, kind: *kind, label: label.clone(), done, total: *total };
        self.report.emit(event);
    }
    fn close(&self, outcome: Result<&str, &str>) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        #[cfg(feature = "net")]
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let (task, kind, label) = (self.id, self.kind, self.label.clone());
        let done = self.done.load(Ordering::Relaxed);
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report.emit(match outcome {
            Ok(note) => Event::Finished { task, kind, label, done, millis, note: note.to_owned() },
            Err(why) => Event::Failed { task, kind, label, why: why.to_owned() },
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.close(Err("given up"));
    }
}

/// A panicking thread must not silence the others' progress.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
