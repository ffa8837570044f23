//! A server that lies on purpose: polite ones can't cut, stall or claim wrong lengths.
//!
//! In: one behaviour for each path, changeable while it runs. Out: an address, and the requests it saw.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) enum Behaviour {
    /// The file, with ranges and a version name.
    Honest(Vec<u8>),
    /// The file, but ranges are ignored.
    NoRanges(Vec<u8>),
    /// Headers for the whole, then only the first so many bytes.
    Cut(Vec<u8>, usize),
    /// Once headers for the whole and only the first so many bytes, then the file.
    CutOnce(Vec<u8>, usize),
    /// Headers and half the file, then silence beyond the patience of any client here.
    Stall(Vec<u8>),
    /// A status and nothing else.
    Status(&'static str),
    /// The status so many times, then the file.
    Busy(&'static str, usize, Vec<u8>),
    /// To this address.
    Redirect(String),
    /// An answer to a range that wasn't asked for.
    OtherRange(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(super) struct LyingServer {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    paths: HashMap<String, Behaviour>,
    requests: Vec<String>,
}

impl LyingServer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let server = Self { address: format!("http://{address}"), state: Arc::default() };
        let state = Arc::clone(&server.state);
        // Ends with the test process; every connection is its own thread so a stalled one blocks nobody.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || drop(answer(&stream, &state)));
            }
        });
        server
    }
    pub(super) fn set(&self, path: &str, behaviour: Behaviour) -> String {
        self.state().paths.insert(path.to_owned(), behaviour);
        format!("{}{path}", self.address)
    }
    /// `GET /path range` of every request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no answer panics")
    }
}

/// What a request asked for, as far as lying needs it.
struct Request {
    /// The first byte of the range.
    start: Option<usize>,
    if_range: Option<String>,
    behaviour: Behaviour,
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        headers
            .iter()
            .find_map(|line| line.to_lowercase().strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    let range = header("range: bytes=").unwrap_or_default();
    let start = range.trim_end_matches('-').parse().ok();
    let mut state = state.lock().expect("no answer panics");
    state.requests.push(format!("GET {path} {range}").trim_end().to_owned());
    let behaviour = state.paths.get(&path).cloned().unwrap_or(Behaviour::Status("404 Not Found"));
    let next = match &behaviour {
        Behaviour::Busy(_, 1, file) | Behaviour::CutOnce(file, _) => Some(Behaviour::Honest(file.clone())),
        Behaviour::Busy(status, count, file) => Some(Behaviour::Busy(status, count - 1, file.clone())),
        _ => None,
    };
    if let Some(next) = next {
        state.paths.insert(path, next);
    }
    drop(state);
    respond(stream, Request { start, if_range: header("if-range: "), behaviour })
}

fn respond(mut stream: &TcpStream, request: Request) -> std::io::Result<()> {
    match request.behaviour {
        Behaviour::Honest(file) => {
            let same = request.if_range.is_none_or(|value| value == etag(&file));
            match request.start.filter(|start| same && *start < file.len()) {
                Some(start) => rest(stream, &file, start),
                None => whole(stream, &file, file.len()),
            }
        }
        Behaviour::NoRanges(file) => whole(stream, &file, file.len()),
        Behaviour::Cut(file, sent) | Behaviour::CutOnce(file, sent) => whole(stream, &file, sent),
        Behaviour::Stall(file) => {
            whole(stream, &file, file.len() / 2)?;
            stream.flush()?;
            std::thread::sleep(Duration::from_secs(90));
            Ok(())
        }
        Behaviour::OtherRange(file) if request.start.is_some() => rest(stream, &file, 0),
        Behaviour::OtherRange(file) => whole(stream, &file, file.len()),
        Behaviour::Status(status) | Behaviour::Busy(status, ..) => {
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Behaviour::Redirect(target) => {
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: {target}\r\n")?;
            write!(stream, "Content-Length: 0\r\nConnection: close\r\n\r\n")
        }
    }
}

fn etag(file: &[u8]) -> String {
    format!("\"{}\"", desired::Digest::sha256_of(file).short())
}

fn whole(mut stream: &TcpStream, file: &[u8], sent: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", file.len())?;
    write!(stream, "ETag: {}\r\nConnection: close\r\n\r\n", etag(file))?;
    stream.write_all(&file[..sent])
}

fn rest(mut stream: &TcpStream, file: &[u8], start: usize) -> std::io::Result<()> {
    let (last, total) = (file.len() - 1, file.len());
    write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n", total - start)?;
    write!(stream, "Content-Range: bytes {start}-{last}/{total}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&file[start..])
}
