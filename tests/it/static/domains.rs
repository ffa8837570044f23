//! The names of colab: the Caddyfile by the real Caddy with a request through it, Pi-hole's records by a real dnsmasq.

use anyhow::{Context as _, ensure};
use blueprint::model::Model;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tests::clusters::{models, stand_in_pins};
use tests::lab::daemon::Daemon;
use tests::lab::{Lab, Need};
use tests::programs::{answering, said, scratch};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("domains::{name}"), body)
    };
    vec![
        trial("caddy_takes_the_file_and_leads_a_request_to_its_service", caddy).needs(&[Need::Caddy]),
        trial("dnsmasq_answers_with_the_records_of_pi_hole", records).needs(&[Need::Dnsmasq]),
    ]
}

fn colab() -> anyhow::Result<Model> {
    models()?.into_iter().find(|model| model.name.as_str() == "colab").context("colab")
}

/// A file of cooperator's, by the end of its path in the preview.
fn file(model: &Model, path: &str) -> anyhow::Result<String> {
    let node = &model.nodes["cooperator"];
    let output = blueprint::render::node(model, node, &stand_in_pins(model)?)?;
    let found = output.files.iter().find(|(at, _)| at.ends_with(path)).context("no such file")?;
    Ok(String::from_utf8(found.1.content.clone())?)
}

fn caddy(lab: &Lab) -> anyhow::Result<()> {
    let (folder, model) = (scratch()?, colab()?);
    let text = file(&model, "srv/caddy/config/Caddyfile")?;
    for name in ["git.ism.la", "mesh.ism.la", "mng.ism.la", "secrets.ism.la"] {
        ensure!(text.contains(&format!("\n{name} {{\n")), "no site {name} in\n{text}");
    }
    let path = folder.path().join("Caddyfile");
    validate(lab, folder.path(), &path, &text)?;
    // A reader that takes anything proves nothing.
    let broken = text.replacen("reverse_proxy", "reverse_porxy", 1);
    ensure!(validate(lab, folder.path(), &path, &broken).is_err(), "Caddy takes a directive that is none");

    // Gitea's site alone, on ports that are free here and without certificates.
    let backend = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let site = text.split("\n\n").find(|block| block.starts_with("git.ism.la")).context("Gitea's site")?;
    let site = site.replace("git.ism.la", &format!("http://git.ism.la:{}", front.port()));
    let site = site.replace("localhost:3300", &backend.local_addr()?.to_string());
    std::fs::write(&path, format!("{{\n\tadmin off\n}}\n{site}\n"))?;
    let served = std::thread::spawn(move || answer_once(&backend));
    let words = ["run", "--adapter", "caddyfile", "--config"].map(Into::into);
    let words = [words.as_slice(), &[path.into()]].concat();
    let mut daemon = Daemon::start("caddy", &words, &folder.path().join("caddy.log"))
        .map_err(|missing| anyhow::anyhow!("{missing}"))?;
    daemon
        .wait_until(Duration::from_secs(60), || TcpStream::connect(front).is_ok())
        .map_err(|missing| anyhow::anyhow!("{missing}"))?;
    let answer = ask(front, "git.ism.la")?;
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("from gitea"), "{answer}");
    let request = served.join().map_err(|_| anyhow::anyhow!("the backend panicked"))??;
    ensure!(request.contains("Host: git.ism.la") && request.contains("X-Forwarded-For"), "{request}");
    Ok(())
}

fn validate(lab: &Lab, home: &Path, path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)?;
    let call = lab.tool("caddy").args(["validate", "--adapter", "caddyfile", "--config"]).arg(path);
    let output = answering(call.env("HOME", home)).run()?;
    ensure!(output.code == 0 && said(&output).contains("Valid configuration"), "{}", said(&output));
    Ok(())
}

fn answer_once(backend: &TcpListener) -> anyhow::Result<String> {
    let (mut stream, _) = backend.accept()?;
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "the request ended early");
        request.extend_from_slice(&piece[..length]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nfrom gitea")?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}

fn ask(front: SocketAddr, host: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(front)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /api/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn records(lab: &Lab) -> anyhow::Result<()> {
    let (folder, model) = (scratch()?, colab()?);
    let stack: serde_json::Value =
        blueprint::escape::yaml::read(&file(&model, "compose/pi-hole/compose.yaml")?)?;
    let given = stack["services"]["pihole"]["environment"]["FTLCONF_dns_hosts"].as_str();
    // Pi-hole writes each entry of the list as a line of a hosts file.
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, given.context("Pi-hole is given records")?.replace(';', "\n") + "\n")?;
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let settings = folder.path().join("dnsmasq.conf");
    std::fs::write(
        &settings,
        format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\naddn-hosts={}\n",
            hosts.display()
        ),
    )?;
    let from = format!("--conf-file={}", settings.display());
    let output = answering(lab.tool("dnsmasq").args(["--test", &from])).run()?;
    ensure!(output.code == 0, "{}", said(&output));
    let words = ["--keep-in-foreground".into(), from.into()];
    let mut daemon = Daemon::start("dnsmasq", &words, &folder.path().join("dnsmasq.log"))
        .map_err(|missing| anyhow::anyhow!("{missing}"))?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    daemon
        .wait_until(Duration::from_secs(30), || {
            resolve(server, "git.ism.la").is_ok_and(|found| found.is_some())
        })
        .map_err(|missing| anyhow::anyhow!("{missing}"))?;
    for (name, address) in [
        ("git.ism.la", "192.168.254.10"),     // document 003, Phase 3, 3: local_ip
        ("mng.ism.la", "192.168.254.10"),     // document 002, Cockpit
        ("gitea.colab", "192.168.254.10"),    // document 003, Layer 3
        ("director.colab", "192.168.254.30"), // document 003, Phase 4, 2
        ("terminator.colab", "192.168.254.40"),
    ] {
        let found = resolve(server, name)?;
        ensure!(found == Some(address.parse()?), "{name} is {found:?}, not {address}");
    }
    ensure!(resolve(server, "nobody.colab")?.is_none(), "a name that nobody has");
    Ok(())
}

/// The one address a name server gives for a name (RFC 1035 4.1).
fn resolve(server: SocketAddr, name: &str) -> anyhow::Result<Option<Ipv4Addr>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send_to(&question, server)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    let count = u16::from_be_bytes([answer[6], answer[7]]);
    let last = answer[..length].last_chunk::<4>().context("an answer is longer")?;
    Ok((count == 1).then(|| Ipv4Addr::from(*last)))
}
