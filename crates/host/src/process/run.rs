//! Following one child: its two outputs as events, its end, its time.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::{Ending, EnvValue, Input, Invocation, Output, ProcessError, find_program};

/// How often to look whether the child has ended while something else still holds its outputs open.
const GLANCE: Duration = Duration::from_millis(100);

enum Event {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

pub(super) fn run(call: &Invocation, on_line: &mut dyn FnMut(&str)) -> Result<Output, ProcessError> {
    check(call)?;
    let system = |source| ProcessError::System { line: call.line(), source };
    let (events, handle) = start(call).map_err(system)?;
    let mut said = Said::default();
    let deadline = Instant::now() + call.timeout;
    let mut ended = false;
    // A daemon that the child left behind may hold the pipes for ever: once the child itself has ended, one quiet
    // glance more is all its outputs get.
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(GLANCE.min(left)) {
            Ok(event) => said.take(event, on_line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if ended => break,
            Err(RecvTimeoutError::Timeout) => ended = handle.try_wait().map_err(system)?.is_some(),
        }
        if !ended && Instant::now() >= deadline {
            break;
        }
    }
    said.finish(on_line);
    let left = deadline.saturating_duration_since(Instant::now());
    let Some(output) = handle.wait_timeout(left).map_err(system)? else {
        handle.kill().map_err(system)?;
        return Err(ProcessError::TimedOut { line: call.line(), after: call.timeout, tail: said.tail() });
    };
    let status = output.status;
    let ending = match (status.code(), status.signal()) {
        (Some(code), _) if call.accepted.contains(&code) => {
            return Ok(Output { stdout: std::mem::take(&mut said.stdout), stderr_tail: said.tail(), code });
        }
        (Some(code), _) => Ending::Status(code),
        (None, signal) => Ending::Signal(signal.unwrap_or(0)),
    };
    Err(ProcessError::Failed { line: call.line(), ending, tail: said.tail() })
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

fn start(call: &Invocation) -> std::io::Result<(Receiver<Event>, duct::Handle)> {
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
    let handle = expression.start()?;
    // The expression holds our ends of the writers; while they live, the readers see no end.
    drop(expression);
    let (sender, events) = channel();
    follow(stdout, sender.clone(), Event::Stdout)?;
    follow(stderr, sender, Event::Stderr)?;
    Ok((events, handle))
}

fn follow(
    mut pipe: impl Read + Send + 'static,
    sender: Sender<Event>,
    event: fn(Vec<u8>) -> Event,
) -> std::io::Result<()> {
    let body = move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if sender.send(event(buffer[..count].to_vec())).is_err() => break,
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
    };
    std::thread::Builder::new().name("child output".to_owned()).spawn(body).map(drop)
}

#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    tail: Vec<u8>,
    line: Vec<u8>,
}

impl Said {
    fn take(&mut self, event: Event, on_line: &mut dyn FnMut(&str)) {
        match event {
            Event::Stdout(bytes) => self.stdout.extend_from_slice(&bytes),
            Event::Stderr(bytes) => {
                self.tail.extend_from_slice(&bytes);
                let surplus = self.tail.len().saturating_sub(Invocation::STDERR_TAIL);
                self.tail.drain(..surplus);
                for byte in bytes {
                    // Programs that redraw a line in place end it with a carriage return.
                    if byte == b'\n' || byte == b'\r' {
                        self.finish(on_line);
                    } else {
                        self.line.push(byte);
                    }
                }
            }
        }
    }
    fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.line.is_empty() {
            on_line(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
    /// The tail as text; a character that the cut went through is dropped.
    fn tail(&self) -> String {
        let start = self.tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        String::from_utf8_lossy(&self.tail[start..]).into_owned()
    }
}
