//! What the containers of the lab's pods run, all of it: with `pause` it holds a pod open, else it tells whoever asks
//! on port 8080 its host name. Compiled by itself into a static program; no part of any crate.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("pause") {
        loop {
            std::thread::park();
        }
    }
    let name = std::fs::read_to_string("/etc/hostname").expect("every container has a name");
    let answer = format!("HTTP/1.0 200 OK\r\n\r\n{name}");
    for caller in TcpListener::bind("0.0.0.0:8080").expect("the port is free").incoming() {
        // Who has hung up wants no answer.
        let _ = caller.and_then(|mut caller| {
            let _question = caller.read(&mut [0; 1024])?;
            caller.write_all(answer.as_bytes())
        });
    }
}
