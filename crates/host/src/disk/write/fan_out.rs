//! From one stream to many targets: unpacks, marks and digests each piece once, and hands it to every target's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use desired::ByteSize;

use super::queue::Queue;
use super::record::{Piece, Record};
use super::seal::Head;
use super::worker::{Beat, Order, Worker};
use super::{Options, Target, UNPACKED, WriteError, Written};
use crate::disk::aligned::{Buffer, Pool};
use crate::disk::base::{Base, BaseError, STEP, Spool, Stream};
use crate::disk::card_journal::CardJournal;
use crate::disk::read::ReadAt as _;
use crate::disk::stream_map::{self, StreamMap};
use crate::report::{Kind, Report};

/// How long a look at a target's line lasts before the others are looked at.
const GLANCE: Duration = Duration::from_millis(100);

type Outcome = Result<Written, WriteError>;

/// A target's thread, as seen from here.
#[derive(Debug)]
struct Line {
    queue: Arc<Queue<Order>>,
    beat: Arc<Beat>,
    /// For how long it has kept others waiting.
    held_up: Duration,
    outcome: Option<Outcome>,
}

/// All targets of a run.
#[derive(Debug)]
pub(super) struct FanOut {
    lines: Vec<Line>,
    answers: Receiver<(usize, Outcome)>,
    head: Result<Arc<Head>, WriteError>,
    options: Options,
}

/// A piece before it is marked.
type Unpacked = (u64, Buffer, usize);

impl FanOut {
    /// Checks what can be checked before the first write, and starts a thread for each target that passes.
    pub fn new(base: &Base, targets: Vec<Target>, options: &Options, report: &Report) -> Self {
        let head = Head::of(base).map(Arc::new);
        let (sender, answers) = channel();
        let mut lines = Vec::new();
        for (number, target) in targets.into_iter().enumerate() {
            let (queue, beat) = (Arc::new(Queue::new()), Arc::new(Beat::new()));
            let checked = head.clone().and_then(|head| check(base, &head, &target));
            let started = checked.and_then(|()| {
                let worker = prepare(base, target, options, (report, &beat))?;
                start(number, worker, &queue, sender.clone())
            });
            if started.is_err() {
                queue.close();
            }
            lines.push(Line { queue, beat, held_up: Duration::ZERO, outcome: started.err().map(Err) });
        }
        Self { lines, answers, head, options: options.clone() }
    }

    /// Streams the base to all of them and gives their outcomes.
    pub fn run(mut self, mut base: Base) -> Vec<Outcome> {
        let verdict = self.feed(&mut base);
        match (verdict, self.head.clone()) {
            (Ok(record), Ok(head)) => {
                self.hand_out(&Order::Seal(Arc::new(record), head));
            }
            (Err(error), _) => {
                self.hand_out(&Order::Abort(Arc::new(error)));
            }
            // Nobody passed the checks.
            (Ok(_), Err(_)) => {}
        }
        self.wait()
    }

    /// Everything but the first MiB, what was held back last.
    fn feed(&mut self, base: &mut Base) -> Result<Record, BaseError> {
        let (mut map, mut record) = (StreamMap::new(base)?, Record::default());
        let pool = Pool::new(STEP);
        // What was unpacked to its end was held against its pin by then: nothing of it has to be held back.
        let kept_order = if base.stream.is_some() { Order::Held } else { Order::Piece };
        let mut size = base.spool.size();
        if let Some(stream) = base.stream.take() {
            let kept = base.spool.kept();
            let (sender, pieces) = sync_channel(UNPACKED);
            let from = pool.clone();
            // It ends with the base, or when nobody takes the next piece.
            let unpacking = std::thread::spawn(move || unpack(stream, kept, &from, &sender));
            for unpacked in pieces {
                let piece = take(&mut map, &mut record, unpacked, false);
                if !self.hand_out(&Order::Piece(Arc::new(piece))) {
                    return Ok(record);
                }
            }
            size = unpacking.join().unwrap_or(Err(BaseError::Stopped))?;
        }
        let mut offset = STEP as u64;
        while offset < base.spool.kept().min(size) {
            let (buffer, length) = kept_piece(&base.spool, &pool, offset)?;
            let piece = take(&mut map, &mut record, (offset, buffer, length), true);
            if !self.hand_out(&kept_order(Arc::new(piece))) {
                return Ok(record);
            }
            offset += length as u64;
        }
        record.size = size;
        record.allocated.0 += size.min(STEP as u64);
        record.remarks = map.remarks();
        Ok(record)
    }

    /// Gives an order to every target that is still at work; says whether there is one.
    fn hand_out(&mut self, order: &Order) -> bool {
        for number in 0..self.lines.len() {
            let mut order = Some(order.clone());
            while let Some(own) = order.take() {
                let queue = Arc::clone(&self.lines[number].queue);
                let start = Instant::now();
                let Err(back) = queue.push(own, GLANCE) else { break };
                if queue.is_closed() {
                    break;
                }
                order = Some(back);
                let others = self.lines.iter().enumerate().filter(|(other, _)| *other != number);
                let mut others = others.filter(|(_, line)| !line.queue.is_closed());
                let is_waited_for = others.any(|(_, line)| line.queue.is_empty());
                self.judge(number, if is_waited_for { start.elapsed() } else { Duration::ZERO });
            }
        }
        self.lines.iter().any(|line| !line.queue.is_closed())
    }

    /// Gives a target up that is stuck, or kept the others waiting for too long.
    fn judge(&mut self, number: usize, waited: Duration) {
        let line = &mut self.lines[number];
        line.held_up += waited;
        let at_it = line.beat.at_it();
        let why = if at_it > self.options.patience {
            WriteError::Stuck { seconds: at_it.as_secs() }
        } else if line.held_up > self.options.hold_up {
            WriteError::SetAside { seconds: line.held_up.as_secs() }
        } else {
            return;
        };
        line.queue.close();
        line.outcome.get_or_insert(Err(why));
    }

    /// Waits for every target that is at work, as long as it is.
    fn wait(mut self) -> Vec<Outcome> {
        while self.lines.iter().any(|line| line.outcome.is_none()) {
            if let Ok((number, outcome)) = self.answers.recv_timeout(GLANCE) {
                self.lines[number].outcome.get_or_insert(outcome);
            }
            for number in 0..self.lines.len() {
                if self.lines[number].outcome.is_none() {
                    self.judge(number, Duration::ZERO);
                }
            }
        }
        let given_up = || Err(WriteError::Stopped { why: "its thread gave no answer".to_owned() });
        self.lines.into_iter().map(|line| line.outcome.unwrap_or_else(given_up)).collect()
    }
}

/// What must hold before anything is written.
fn check(base: &Base, head: &Head, target: &Target) -> Result<(), WriteError> {
    let Some(size) = target.medium.size() else { return Ok(()) };
    let needed = base.least();
    if needed > size {
        return Err(WriteError::TooLarge { needed: ByteSize(needed), size: ByteSize(size) });
    }
    // Tables of both kinds count in sectors: on a medium with others every partition would be elsewhere.
    if let Some(medium) = target.medium.sector().filter(|medium| *medium != head.sector()) {
        return Err(WriteError::Sector { table: head.sector(), medium });
    }
    head.fitted(&target.patch, size).map(drop)
}

fn prepare(
    base: &Base,
    target: Target,
    options: &Options,
    (report, beat): (&Report, &Arc<Beat>),
) -> Result<Worker, WriteError> {
    let journal = match (&options.state, target.medium.size()) {
        (Some(folder), Some(_)) => {
            let identity = target.medium.identity();
            Some(CardJournal::open(folder, identity, &base.key, &target.patch.digest())?)
        }
        _ => None,
    };
    let patched = if target.patch.is_empty() {
        crate::disk::Used::default()
    } else {
        stream_map::patched(base, &target.patch)
    };
    let task =
        report.task(Kind::Card, format!("{} on {}", target.name, target.medium.name()), Some(base.least()));
    Ok(Worker::new(target, patched, options, journal, (task, Arc::clone(beat))))
}

/// Starts a target's thread. It is not waited for when it does not answer, so it holds nothing that others need.
fn start(
    number: usize,
    worker: Worker,
    queue: &Arc<Queue<Order>>,
    answers: Sender<(usize, Outcome)>,
) -> Result<(), WriteError> {
    let queue = Arc::clone(queue);
    let work = move || {
        let outcome = worker.run(&queue);
        queue.close();
        // Nobody listens any more where it was given up.
        let _ = answers.send((number, outcome));
    };
    let started = std::thread::Builder::new().name(format!("card-{number}")).spawn(work);
    started.map(drop).map_err(|error| WriteError::Stopped { why: error.to_string() })
}

/// Unpacks the rest of a base, piece by piece from `offset` on, and judges it at its end.
fn unpack(
    mut stream: Stream,
    mut offset: u64,
    pool: &Pool,
    pieces: &SyncSender<Unpacked>,
) -> Result<u64, BaseError> {
    loop {
        let mut buffer = pool.take();
        let count = stream.fill(&mut buffer)?;
        if count > 0 && pieces.send((offset, buffer, count)).is_err() {
            return Err(BaseError::Stopped);
        }
        offset += count as u64;
        if count < STEP {
            return stream.finish();
        }
    }
}

/// Marks a piece, and keeps its sums.
fn take(
    map: &mut StreamMap,
    record: &mut Record,
    (offset, mut buffer, length): Unpacked,
    is_held: bool,
) -> Piece {
    // The buffer was in use before.
    buffer[length..].fill(0);
    map.pass(offset, &buffer[..length]);
    let marks = map.marks(offset, length);
    let piece = Piece { offset, buffer, length, marks };
    record.take(&piece, is_held);
    piece
}

fn kept_piece(spool: &Spool, pool: &Pool, offset: u64) -> Result<(Buffer, usize), BaseError> {
    let mut buffer = pool.take();
    let there = spool.kept().min(spool.size()).saturating_sub(offset);
    let length = usize::try_from(there).unwrap_or(STEP).min(STEP);
    spool.read_into(offset, &mut buffer[..length])?;
    Ok((buffer, length))
}
