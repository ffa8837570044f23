//! Files handed out by HTTP on the LAN, to nodes whose cards have no room for their bundle.
//!
//! In: an address to listen on, and named files. Out: those files and nothing else, whole or by range, one thread a
//! connection. There is no secret in them, and a node compares the digest its card came with: so plain HTTP is enough, and
//! nothing has to be trusted here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who is silent for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// A request is some lines; more is no request.
const LONGEST_REQUEST: u64 = 16 << 10;
/// So many nodes at the same time; others are told to come again.
const MOST: usize = 64;

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Who asked.
    pub peer: SocketAddr,
    /// For what; as it was asked, with what is no printable ASCII left out.
    pub path: String,
    /// The status.
    pub status: u16,
    /// How many bytes of a file were sent.
    pub bytes: u64,
}

/// A server that is bound and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    files: Arc<BTreeMap<String, PathBuf>>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    path: String,
    is_head: bool,
    /// The first byte wanted, and the last where one is named.
    range: Option<(u64, Option<u64>)>,
}

impl Server {
    /// Listens at `address`; `files` by the path they are asked for, `/colab/bundle-arm64.tar.gz`.
    ///
    /// # Errors
    /// If the address can't be had.
    pub fn bind(address: SocketAddr, files: BTreeMap<String, PathBuf>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)?, files: Arc::new(files) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system can't tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the process ends; each answer is told to `told`.
    ///
    /// # Errors
    /// If nothing can be accepted any more.
    pub fn run(&self, told: impl Fn(&Answered) + Send + Sync + 'static) -> io::Result<()> {
        let told = Arc::new(told);
        loop {
            let (stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                // One that left at once is no reason to end.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            if Arc::strong_count(&told) > MOST {
                let _ = respond(&stream, 503, "Service Unavailable", &["Retry-After: 30".to_owned()]);
                continue;
            }
            let (files, told) = (Arc::clone(&self.files), Arc::clone(&told));
            std::thread::spawn(move || {
                if let Ok((path, status, bytes)) = answer(&stream, &files) {
                    told(&Answered { peer, path, status, bytes });
                }
            });
        }
    }
}

/// Answers one connection: one request, then it is closed.
fn answer(stream: &TcpStream, files: &BTreeMap<String, PathBuf>) -> io::Result<(String, u16, u64)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream.take(LONGEST_REQUEST)).lines() {
        match line? {
            line if line.is_empty() => break,
            line => lines.push(line),
        }
    }
    let Some(request) = parse(&lines) else {
        respond(stream, 400, "Bad Request", &[])?;
        return Ok((String::new(), 400, 0));
    };
    let shown: String = request.path.chars().filter(char::is_ascii_graphic).take(200).collect();
    // Only what is named is there: a path is compared, never followed.
    let Some(mut file) = files.get(&request.path).map(File::open).transpose()? else {
        respond(stream, 404, "Not Found", &[])?;
        return Ok((shown, 404, 0));
    };
    let size = file.metadata()?.len();
    let (start, end) = match request.range {
        None => (0, size),
        Some((first, last)) => (first, last.map_or(size, |last| size.min(last.saturating_add(1)))),
    };
    if request.range.is_some() && start >= end {
        respond(stream, 416, "Range Not Satisfiable", &[format!("Content-Range: bytes */{size}")])?;
        return Ok((shown, 416, 0));
    }
    let mut headers = vec![
        "Content-Type: application/octet-stream".to_owned(),
        "Accept-Ranges: bytes".to_owned(),
        format!("Content-Length: {}", end - start),
    ];
    let (status, reason) = if request.range.is_some() { (206, "Partial Content") } else { (200, "OK") };
    headers.extend(request.range.map(|_| format!("Content-Range: bytes {start}-{}/{size}", end - 1)));
    write_head(stream, status, reason, &headers)?;
    if request.is_head {
        return Ok((shown, status, 0));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut to = stream;
    let sent = io::copy(&mut file.take(end - start), &mut to)?;
    Ok((shown, status, sent))
}

/// A request's lines; none if they are no request that is answered here.
fn parse(lines: &[String]) -> Option<Request> {
    let mut words = lines.first()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || words.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let is_head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let mut headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let range = headers.find(|(name, _)| name.eq_ignore_ascii_case("range")).map(|(_, value)| value.trim());
    // A range of another kind is passed over, as the standard allows (RFC 9110, 14.2).
    let range = range.and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some((first.parse().ok()?, last))
    });
    Some(Request { path: target.to_owned(), is_head, range })
}

fn respond(stream: &TcpStream, status: u16, reason: &str, headers: &[String]) -> io::Result<()> {
    let headers: Vec<String> = headers.iter().cloned().chain(["Content-Length: 0".to_owned()]).collect();
    write_head(stream, status, reason, &headers)
}

fn write_head(mut stream: &TcpStream, status: u16, reason: &str, headers: &[String]) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\n");
    headers.iter().for_each(|header| text += &format!("{header}\r\n"));
    stream.write_all((text + "\r\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn requests_are_read() {
        let request = |text: &str| parse(&lines(text)).map(|one| (one.path, one.is_head, one.range));
        assert_eq!(request("GET /a HTTP/1.1\nHost: x"), Some(("/a".to_owned(), false, None)));
        assert_eq!(
            request("HEAD /a HTTP/1.0\nRANGE: bytes=5-"),
            Some(("/a".to_owned(), true, Some((5, None))))
        );
        assert_eq!(
            request("GET /a HTTP/1.1\nRange: bytes=5-9"),
            Some(("/a".to_owned(), false, Some((5, Some(9)))))
        );
        assert_eq!(request("GET /a HTTP/1.1\nRange: bytes=-9"), Some(("/a".to_owned(), false, None)));
        for bad in ["", "GET /a", "POST /a HTTP/1.1", "GET a HTTP/1.1", "GET /a b HTTP/1.1", "GET /a SPDY/3"]
        {
            assert_eq!(request(bad), None, "{bad}");
        }
    }

    fn ask(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn named_files_are_answered_whole_and_by_range_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bundle"), "0123456789").unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2").unwrap();
        let files = BTreeMap::from([("/lab/bundle".to_owned(), folder.path().join("bundle"))]);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), files).unwrap();
        let address = server.address().unwrap();
        // Ends with the test process.
        std::thread::spawn(move || server.run(|_| ()));
        for (request, status, body) in [
            ("GET /lab/bundle HTTP/1.1\r\n\r\n", "200", "0123456789"),
            ("GET /lab/bundle HTTP/1.1\r\nRange: bytes=7-\r\n\r\n", "206", "789"),
            ("GET /lab/bundle HTTP/1.1\r\nRange: bytes=2-3\r\n\r\n", "206", "23"),
            ("GET /lab/bundle HTTP/1.1\r\nRange: bytes=10-\r\n\r\n", "416", ""),
            ("HEAD /lab/bundle HTTP/1.1\r\n\r\n", "200", ""),
            ("GET /lab/secret HTTP/1.1\r\n\r\n", "404", ""),
            ("GET /lab/../lab/secret HTTP/1.1\r\n\r\n", "404", ""),
            ("GET /etc/passwd HTTP/1.1\r\n\r\n", "404", ""),
            ("nonsense\r\n\r\n", "400", ""),
        ] {
            let answer = ask(address, request);
            let (head, said) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
            assert_eq!(said, body, "{request}");
        }
    }
}
