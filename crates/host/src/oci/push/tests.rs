//! A registry that keeps what it is sent, or lies on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use desired::Mode;

use super::session::{Challenge, challenge};
use super::*;
use crate::archive::tar::Entry;
use crate::archive::{Options, Sum};
use crate::oci::layout::LayoutWriter;
use crate::oci::spec::{Annotations, Index, Manifest};
use crate::secret::Secret;

/// How the registry behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Honest,
    /// Wants a token, got with a password, for everything.
    Bearer,
    Basic,
    /// This status for every upload.
    Status(u16),
    /// Hangs up in the middle of an upload.
    Close,
    /// Says it stored something else.
    WrongDigest,
    /// Has a blob of another size under every digest.
    WrongSize,
    /// Sends the login elsewhere.
    ForeignRealm,
}

#[derive(Default)]
struct Store {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    logins: BTreeSet<String>,
}

struct Registry {
    address: String,
    store: Arc<Mutex<Store>>,
}

impl Registry {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let store = Arc::new(Mutex::new(Store::default()));
        let (kept, host) = (Arc::clone(&store), address.clone());
        // The thread lives until the test process ends; it holds no more than one small socket.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, host) = (Arc::clone(&kept), host.clone());
                std::thread::spawn(move || serve(stream, mood, &kept, &host));
            }
        });
        Self { address, store }
    }
    fn reference(&self) -> Reference {
        Reference::parse(&format!("{}/team/image:1.0", self.address), true).unwrap()
    }
}

fn serve(stream: TcpStream, mood: Mood, store: &Mutex<Store>, host: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        if mood == Mood::Close && method == "PUT" {
            let mut some = [0; 16];
            let _ = reader.read(&mut some);
            return None;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (status, headers, content) = answer(mood, store, host, &method, &path, &authorization, body);
        let text = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", content.len());
        let stream = reader.get_mut();
        // An answer to HEAD brings its own content-length and no body.
        let text = if method == "HEAD" { format!("HTTP/1.1 {status} X\r\n{headers}\r\n") } else { text };
        stream.write_all(text.as_bytes()).ok()?;
        if method != "HEAD" {
            stream.write_all(content.as_bytes()).ok()?;
        }
    }
}

fn answer(
    mood: Mood,
    store: &Mutex<Store>,
    host: &str,
    method: &str,
    path: &str,
    authorization: &str,
    body: Vec<u8>,
) -> (u16, String, String) {
    let mut store = store.lock().unwrap();
    let plain = |status: u16| (status, String::new(), String::new());
    if path.starts_with("/token") {
        store.logins.insert(format!("{path} {authorization}"));
        // "ada:hidden" in base64.
        let good = authorization == "Basic YWRhOmhpZGRlbg==";
        let token = r#"{"token":"tok3n"}"#.to_owned();
        return if good { (200, String::new(), token) } else { plain(401) };
    }
    let wanted = match mood {
        Mood::Bearer => {
            Some(("Bearer tok3n", format!("Bearer realm=\"http://{host}/token\",service=\"reg\"")))
        }
        Mood::Basic => Some(("Basic YWRhOmhpZGRlbg==", "Basic realm=\"x\"".to_owned())),
        Mood::ForeignRealm => Some(("never", "Bearer realm=\"ftp//\",service=\"reg\"".to_owned())),
        _ => None,
    };
    if let Some((expected, challenge)) = wanted
        && authorization != expected
    {
        let error = r#"{"errors":[{"code":"UNAUTHORIZED","message":"hidden"}]}"#;
        return (401, format!("www-authenticate: {challenge}\r\n"), error.to_owned());
    }
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    match (method, mood) {
        ("HEAD", Mood::WrongSize) => (200, "content-length: 3\r\n".to_owned(), String::new()),
        ("HEAD", _) => match store.blobs.get(&name) {
            Some(blob) => (200, format!("content-length: {}\r\n", blob.len()), String::new()),
            None => (404, "content-length: 0\r\n".to_owned(), String::new()),
        },
        (_, Mood::Status(status)) => (
            status,
            String::new(),
            r#"{"errors":[{"code":"DENIED","message":"because of hidden"}]}"#.to_owned(),
        ),
        ("POST", _) => {
            (202, "location: /v2/team/image/blobs/uploads/1?state=x\r\n".to_owned(), String::new())
        }
        ("PUT", _) => {
            let digest = Digest::sha256_of(&body).to_string();
            let named = path.split("digest=").nth(1).map(|text| text.replace("%3A", ":"));
            match named {
                Some(named) if named == digest => drop(store.blobs.insert(named, body)),
                Some(_) => return plain(400),
                None => drop(store.manifests.insert(name, body)),
            }
            let stored = if mood == Mood::WrongDigest { "sha256:feed".to_owned() } else { digest };
            (201, format!("docker-content-digest: {stored}\r\n"), String::new())
        }
        _ => plain(405),
    }
}

/// A layout of two platforms that share a layer.
fn layout(folder: &std::path::Path) -> Layout {
    let writer = LayoutWriter::create(&folder.join("layout")).unwrap();
    let sums = writer.layer(&[Entry::bytes("f", Mode::PUBLIC, "content")], &Options::new(0)).unwrap();
    let layer = Descriptor::new(spec::LAYER, sums.packed);
    let mut manifests = Vec::new();
    for arch in desired::Arch::ALL {
        let config =
            writer.bytes(spec::CONFIG, format!("{{\"architecture\":\"{arch}\"}}").as_bytes()).unwrap();
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(spec::MANIFEST.to_owned()),
            config,
            layers: vec![layer.clone()],
            annotations: Annotations::new(),
        };
        manifests.push(writer.json(spec::MANIFEST, &manifest).unwrap());
    }
    let index = Index {
        schema_version: 2,
        media_type: Some(spec::INDEX.to_owned()),
        manifests,
        annotations: Annotations::new(),
    };
    let index = writer.json(spec::INDEX, &index).unwrap();
    writer.finish(index).unwrap()
}

fn password(password: &str) -> Option<Login> {
    Some(Login::Password { user: "ada".to_owned(), password: Secret::new(password) })
}

fn attempt(mood: Mood, login: Option<Login>) -> (Registry, Result<Pushed, String>) {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());
    let registry = Registry::start(mood);
    let result = push(&layout, &registry.reference(), login, &Report::recording());
    assert_eq!(Layout::open(layout.folder()).unwrap(), layout, "the layout is only read");
    let result = result.map_err(|error| {
        let text = error.to_string();
        assert!(!text.contains("hidden") && !text.contains("tok3n"), "a secret in: {text}");
        assert!(text.contains(&registry.address) && text.contains("team/image"), "{text}");
        text
    });
    (registry, result)
}

#[test]
fn everything_arrives_and_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());
    let registry = Registry::start(Mood::Honest);
    let first = push(&layout, &registry.reference(), None, &Report::recording()).unwrap();
    assert_eq!((first.sent, first.present), (3, 0));
    {
        let store = registry.store.lock().unwrap();
        assert_eq!(store.manifests.len(), 3, "two by digest, the index by tag");
        assert_eq!(Sum::of(&store.manifests["1.0"]).digest, layout.image.digest);
    }
    let second = push(&layout, &registry.reference(), None, &Report::recording()).unwrap();
    assert_eq!((second.sent, second.present, second.bytes), (0, 3, 0));
}

#[test]
fn both_kinds_of_login_work_and_wrong_ones_are_explained() {
    let (registry, result) = attempt(Mood::Bearer, password("hidden"));
    result.unwrap();
    let store = registry.store.lock().unwrap();
    let asked = store.logins.first().unwrap();
    assert!(
        asked.contains("service=reg") && asked.contains("repository%3Ateam%2Fimage%3Apull%2Cpush"),
        "{asked}"
    );
    attempt(Mood::Basic, password("hidden")).1.unwrap();
    for mood in [Mood::Bearer, Mood::Basic] {
        for login in [None, password("wrong hidden")] {
            let error = attempt(mood, login).1.unwrap_err();
            assert!(error.contains("refused the login (401") && error.contains("docker login"), "{error}");
        }
    }
}

#[test]
fn every_refusal_names_the_blob_and_what_to_do() {
    for (mood, expected) in [
        (Mood::Status(401), "refused the login"),
        (Mood::Status(403), "refused the login (403 DENIED)"),
        (Mood::Status(404), "create the repository"),
        (Mood::Status(500), "failed by itself (500 DENIED); try again later"),
        (Mood::Status(418), "answered 418"),
        (Mood::Close, "the connection broke"),
        (Mood::WrongDigest, "it stored it as sha256:feed"),
        (Mood::WrongSize, "it has 3 bytes under this digest"),
        (Mood::ForeignRealm, "no usable address"),
    ] {
        let error = attempt(mood, password("hidden")).1.unwrap_err();
        assert!(error.contains(expected), "{mood:?}: {error}");
        assert!(error.contains("blob sha256:") && error.contains("as it was"), "{mood:?}: {error}");
    }
}

#[test]
fn nobody_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reference = Reference::parse(&format!("{port}/x"), true).unwrap();
    let error = push(&layout, &reference, None, &Report::recording()).unwrap_err().to_string();
    assert!(error.contains("no connection") && error.contains("see that it runs"), "{error}");
}

#[test]
fn a_registry_without_tls_is_not_spoken_to_unless_declared() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());
    let registry = Registry::start(Mood::Honest);
    let reference = Reference { plain_http: false, ..registry.reference() };
    let error = push(&layout, &reference, password("hidden"), &Report::recording()).unwrap_err().to_string();
    assert!(error.contains("plain http in the spec"), "{error}");
    assert!(registry.store.lock().unwrap().blobs.is_empty());
}

#[test]
fn a_rotten_layer_never_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(folder.path());
    let blob = layout.manifests().unwrap()[0].1.layers[0].clone();
    let size = usize::try_from(blob.size).unwrap();
    std::fs::write(layout.blob_path(&blob.digest), vec![b'x'; size]).unwrap();
    let registry = Registry::start(Mood::Honest);
    assert!(push(&layout, &registry.reference(), None, &Report::recording()).is_err());
    assert!(registry.store.lock().unwrap().manifests.is_empty(), "no tag points at it");
}

#[test]
fn challenges_are_read() {
    let bearer = r#"Bearer realm="https://auth.lan/token",service="registry.lan",scope="x""#;
    let expected = Challenge::Bearer {
        realm: "https://auth.lan/token".to_owned(),
        service: Some("registry.lan".to_owned()),
    };
    assert_eq!(challenge(bearer), Some(expected));
    assert_eq!(challenge("basic realm=\"x\""), Some(Challenge::Basic));
    assert_eq!(challenge("Negotiate"), None);
    assert_eq!(challenge("Bearer service=\"x\""), None);
}
