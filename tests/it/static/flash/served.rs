//! `serve`: the desk hands out bundles to nodes whose cards have no room for theirs, and nothing else.

use super::desk::Cards;
use super::trial;
use anyhow::ensure;
use host::process::{Invocation, Output};
use std::net::TcpListener;
use std::path::Path;
use tests::lab::Need;
use tests::programs::{answering, expect, said, signalled, xtask};
use tests::ring::Trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("bundles_are_served_until_the_desk_is_told_to_end", &[Need::DiskTools], |_| served())]
}

fn ask(address: &str, to: &Path) -> anyhow::Result<Output> {
    let call = Invocation::new("curl").args([
        "--silent",
        "--show-error",
        "--fail",
        "--noproxy",
        "*",
        "--path-as-is",
    ]);
    Ok(answering(call.arg("--output").arg(to).arg(address)).run()?)
}

fn served() -> anyhow::Result<()> {
    let cards = Cards::new()?;
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let call =
        xtask()?.args(["serve", "vnext", "--listen", &listen, "--profiles"]).arg(cards.path("profiles"));
    let call = call.arg("--out").arg(cards.desk.out());
    let (bundle, other) = (cards.path("fetched"), cards.path("other"));
    let at = |path: &str| format!("http://{listen}{path}");
    let mut refused = Vec::new();
    let outcome = signalled(&call, "INT", || {
        let is_there = ask(&at("/vnext/bundle-arm64.tar.gz"), &bundle).is_ok_and(|output| output.code == 0);
        if is_there {
            for path in ["/vnext/manifest.json", "/vnext/../vnext/manifest.json", "/etc/passwd", "/"] {
                refused.extend(ask(&at(path), &other));
            }
        }
        is_there
    })??;
    let told =
        [&format!("serving at http://{listen}"), "  /vnext/bundle-arm64.tar.gz", " 200 /vnext/bundle-arm64"];
    expect(&outcome, 130, &told)?;
    let built = cards.desk.out().join("vnext/bundle-arm64.tar.gz");
    ensure!(std::fs::read(&bundle)? == std::fs::read(built)?, "another bundle was served");
    ensure!(refused.len() == 4, "not all was asked");
    for output in &refused {
        ensure!(output.code == 22 && said(output).contains("404"), "{}: {}", output.code, said(output));
    }
    // Two at one address: the second says so.
    let _held = TcpListener::bind(&listen)?;
    expect(&call.run()?, 5, &["listen at", "is another one at work there?"])
}
