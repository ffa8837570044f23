//! Following one child: its two outputs as events, its end, its time.

use std::io::{PipeReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Ending, EnvValue, Input, Invocation, Output, ProcessError, find_program};

/// How often to look whether the child has ended while something else still holds its outputs open.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the outputs of a child that has ended are still read while something else goes on to write to them.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes taken from a pipe at once, as many as it holds.
const PIECE: usize = 64 * 1024;

/// What reads the child's stdout and its stderr, until each is at its end.
type Pipes = [Option<PipeReader>; 2];
const STDOUT: usize = 0;

pub(super) fn run(call: &Invocation, on_line: &mut dyn FnMut(&str)) -> Result<Output, ProcessError> {
    check(call)?;
    if super::is_ending() {
        let source = std::io::Error::new(std::io::ErrorKind::Interrupted, "this run was asked to end");
        return Err(ProcessError::System { line: call.line(), source });
    }
    let system = |source| ProcessError::System { line: call.line(), source };
    let (mut pipes, handle) = start(call).map_err(system)?;
    let mut said = Said::default();
    let deadline = Instant::now() + call.timeout;
    let mut ended: Option<Instant> = None;
    // A daemon that the child left behind may hold the pipes for ever: once the child itself has ended, its outputs get
    // one quiet glance more, and a moment if they are never quiet. What the child wrote lies in the pipes by then and is
    // taken in one reading, so none of it is missed.
    while pipes.iter().any(Option::is_some) {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_quiet = !take_ready(&mut pipes, GLANCE.min(left), &mut said, on_line).map_err(system)?;
        let now = Instant::now();
        if now >= deadline || ended.is_some_and(|ended| is_quiet || now >= ended + LINGER) {
            break;
        }
        if ended.is_none() && handle.try_wait().map_err(system)?.is_some() {
            ended = Some(now);
        }
    }
    said.finish(on_line);
    let left = deadline.saturating_duration_since(Instant::now());
    let Some(output) = handle.wait_timeout(left).map_err(system)? else {
        handle.kill().map_err(system)?;
        return Err(ProcessError::TimedOut {
            line: call.line(),
            after: call.timeout,
            tail: said.tail(Invocation::STDERR_TAIL),
        });
    };
    let status = output.status;
    let ending = match (status.code(), status.signal()) {
        (Some(code), _) if call.accepted.contains(&code) => {
            let stderr_tail = said.tail(Invocation::STDERR_KEPT);
            return Ok(Output { stdout: std::mem::take(&mut said.stdout), stderr_tail, code });
        }
        (Some(code), _) => Ending::Status(code),
        (None, signal) => Ending::Signal(signal.unwrap_or(0)),
    };
    Err(ProcessError::Failed { line: call.line(), ending, tail: said.tail(Invocation::STDERR_TAIL) })
}

/// What would otherwise be the same "No such file or directory" for two different mistakes.
fn check(call: &Invocation) -> Result<(), ProcessError> {
    if let Some(folder) = call.folder.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(ProcessError::Folder { line: call.line(), folder: folder.clone() });
    }
    let own_path = call.environment.iter().any(|(name, _)| name == "PATH");
    let relative = std::path::Path::new(&call.program).components().count() > 1 && call.folder.is_some();
    if own_path || relative || find_program(&call.program).is_some() {
        return Ok(());
    }
    Err(ProcessError::Missing {
        program: call.program.to_string_lossy().into_owned(),
        line: call.line(),
        hint: call.if_missing.clone(),
    })
}

/// Reads once from every pipe that has something, and says whether any had; one at its end is closed. Waits at most
/// `timeout` for the first.
fn take_ready(
    pipes: &mut Pipes,
    timeout: Duration,
    said: &mut Said,
    on_line: &mut dyn FnMut(&str),
) -> std::io::Result<bool> {
    let timeout = Timespec::try_from(timeout).map_err(std::io::Error::other)?;
    let open = pipes.iter().enumerate().filter_map(|(which, pipe)| Some((which, pipe.as_ref()?)));
    let (which, mut polled): (Vec<usize>, Vec<PollFd<'_>>) =
        open.map(|(which, pipe)| (which, PollFd::new(pipe, PollFlags::IN))).unzip();
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
    let mut buffer = vec![0; PIECE];
    for which in which.into_iter().zip(&ready).filter_map(|(which, ready)| ready.then_some(which)) {
        let Some(pipe) = &mut pipes[which] else { continue };
        match pipe.read(&mut buffer)? {
            0 => pipes[which] = None,
            count if which == STDOUT => said.stdout.extend_from_slice(&buffer[..count]),
            count => said.complain(&buffer[..count], on_line),
        }
    }
    Ok(ready.contains(&true))
}

fn start(call: &Invocation) -> std::io::Result<(Pipes, duct::Handle)> {
    let (stdout, stdout_writer) = std::io::pipe()?;
    let (stderr, stderr_writer) = std::io::pipe()?;
    let mut expression = duct::cmd(&call.program, &call.args)
        .stdout_file(stdout_writer)
        .stderr_file(stderr_writer)
        .unchecked()
        .env("LC_ALL", "C");
    for (name, value) in &call.environment {
        expression = match value {
            EnvValue::Plain(value) => expression.env(name, value),
            EnvValue::Secret(secret) => expression.env(name, secret.expose()),
            EnvValue::Removed => expression.env_remove(name),
        };
    }
    if let Some(folder) = &call.folder {
        expression = expression.dir(folder);
    }
    expression = match &call.stdin {
        Input::Bytes(bytes) if bytes.is_empty() => expression.stdin_null(),
        Input::Bytes(bytes) => expression.stdin_bytes(bytes.clone()),
        Input::File(file) => expression.stdin_file(file.try_clone()?),
    };
    #[cfg(feature = "interrupt")]
    if crate::interrupt::outlives_hangup() {
        use std::os::unix::process::CommandExt as _;
        // The terminal's hangup goes to its own group of processes; this one is in none that it knows.
        expression = expression.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
    }
    let handle = expression.start()?;
    // The expression holds our ends of the writers; while they live, the readers see no end.
    drop(expression);
    Ok(([Some(stdout), Some(stderr)], handle))
}

#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    tail: Vec<u8>,
    line: Vec<u8>,
}

impl Said {
    fn complain(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) {
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(Invocation::STDERR_KEPT);
        self.tail.drain(..surplus);
        for byte in bytes {
            // Programs that redraw a line in place end it with a carriage return.
            if matches!(byte, b'\n' | b'\r') {
                self.finish(on_line);
            } else {
                self.line.push(*byte);
            }
        }
    }
    fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.line.is_empty() {
            on_line(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
    /// At most so many bytes of the tail as text; a character that the cut went through is dropped.
    fn tail(&self, most: usize) -> String {
        let tail = &self.tail[self.tail.len().saturating_sub(most)..];
        let start = tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        String::from_utf8_lossy(&tail[start..]).into_owned()
    }
}
