//! The house's directions: who may use whom, and what never gets into the node's binary.

use anyhow::Context as _;
use host::process::Invocation;
use std::collections::BTreeSet;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "dependencies::nothing_points_left_or_up", |_| nothing_points_left_or_up()),
        Trial::new(Ring::Golden, "dependencies::pure_crates_have_no_way_out", |_| {
            pure_crates_have_no_way_out()
        }),
        Trial::new(Ring::Golden, "dependencies::bootstrap_is_free_of_c_tls_http_and_templates", |_| {
            bootstrap_is_free()
        }),
    ]
}

/// Each of our packages, and which of ours it may use.
const DIRECTIONS: [(&str, &[&str]); 6] = [
    ("desired", &[]),
    ("blueprint", &["desired"]),
    ("host", &["desired"]),
    ("bootstrap", &["desired", "host"]),
    ("xtask", &["blueprint", "desired", "host"]),
    ("tests", &["blueprint", "desired", "host"]),
];

/// What would open the world to a crate that is to be pure.
const WAYS_OUT: [&str; 12] = [
    "host", "duct", "rustix", "nix", "libc", "reqwest", "ureq", "tempfile", "fs-err", "tokio", "jiff",
    "chrono",
];

/// C, its builders, TLS, HTTP and templates, by the name of the package.
const NOT_ON_A_NODE: [&str; 27] = [
    "cc",
    "cmake",
    "bindgen",
    "pkg-config",
    "vcpkg",
    "nasm-rs",
    "ring",
    "aws-lc-rs",
    "openssl",
    "boring",
    "rustls",
    "native-tls",
    "schannel",
    "reqwest",
    "ureq",
    "hyper",
    "isahc",
    "curl",
    "attohttpc",
    "minreq",
    "h2",
    "minijinja",
    "tera",
    "handlebars",
    "askama",
    "liquid",
    "mustache",
];

/// These end in `-sys` and hold no C: they are tables of numbers and signatures.
const TABLES: [&str; 3] = ["linux-raw-sys", "windows-sys", "js-sys"];

fn nothing_points_left_or_up() -> anyhow::Result<()> {
    let packages = our_packages()?;
    let known: BTreeSet<&str> = DIRECTIONS.iter().map(|(name, _)| *name).collect();
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(ours, known, "a package was added or removed: say in DIRECTIONS what it may use");
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let (_, allowed) = DIRECTIONS.iter().find(|(known, _)| *known == name).context("compared above")?;
        for used in uses(package).iter().filter(|used| known.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
    Ok(())
}

fn pure_crates_have_no_way_out() -> anyhow::Result<()> {
    for package in our_packages()? {
        let name = package["name"].as_str().unwrap_or_default();
        if ["blueprint", "desired"].contains(&name) {
            let normal = package["dependencies"].as_array().into_iter().flatten();
            let normal = normal.filter(|dependency| dependency["kind"].is_null());
            let used: Vec<&str> = normal.filter_map(|dependency| dependency["name"].as_str()).collect();
            let out: Vec<&&str> = used.iter().filter(|used| WAYS_OUT.contains(used)).collect();
            assert!(out.is_empty(), "{name} is pure, yet uses {out:?}");
        }
    }
    Ok(())
}

fn bootstrap_is_free() -> anyhow::Result<()> {
    // The judge itself is shown what it has to catch.
    for bad in
        ["cc v1.2.0", "zstd-sys v2.0.16+zstd.1.5.7", "rustls v0.23.1", "minijinja v3.0.5", "ring v0.17.0"]
    {
        assert_eq!(unwanted(bad), [bad.split(' ').next().unwrap_or_default()]);
    }
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
        let tree = Invocation::new("cargo").args([
            "tree",
            "--locked",
            "--package",
            "bootstrap",
            "--edges",
            "normal,build",
        ]);
        let tree = tree
            .args(["--target", target, "--prefix", "none", "--format", "{p}"])
            .folder(tests::repository());
        let tree = tree.run()?.text();
        assert!(tree.contains("clap v"), "this is not the tree of bootstrap:\n{tree}");
        let found = unwanted(&tree);
        assert!(
            found.is_empty(),
            "the node's binary for {target} would hold {found:?}; see `cargo tree --invert`"
        );
    }
    Ok(())
}

/// The packages of a printed tree that have no place on a node.
fn unwanted(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next()).collect::<BTreeSet<_>>();
    let is_c = |name: &str| name.ends_with("-sys") && !TABLES.contains(&name);
    names.into_iter().filter(|name| NOT_ON_A_NODE.contains(name) || is_c(name)).collect()
}

/// Names of everything a package uses, in any way.
fn uses(package: &serde_json::Value) -> Vec<String> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned).collect()
}

fn our_packages() -> anyhow::Result<Vec<serde_json::Value>> {
    let call = Invocation::new("cargo").args(["metadata", "--format-version=1", "--no-deps", "--locked"]);
    let answer = call.folder(tests::repository()).run()?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).context("read cargo metadata")?;
    Ok(answer["packages"].as_array().context("cargo metadata lists packages")?.clone())
}
