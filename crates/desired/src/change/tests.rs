use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::artifact::TakenOut;
use crate::observed::{Access, Block, Line, MeshState, ServiceState};
use crate::resource::{PackageManager, SecretPart};
use crate::types::Mode;

fn access(bits: u32) -> Access {
    Access { bits, user: "root".to_owned(), group: "root".to_owned() }
}

fn seen_file(bits: u32, content: &str) -> Entry {
    Entry::File {
        access: access(bits),
        size: ByteSize(content.len() as u64),
        digest: Answer::Known(Digest::sha256_of(content.as_bytes())),
    }
}

fn file() -> Want {
    Want::File {
        path: "/etc/x".parse().unwrap(),
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: "abc".to_owned(),
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "tables read better without ampersands")]
fn expect(want: &Want, observed: Observed, action: Action, summary: &str) {
    let change = compare(want, &observed);
    assert_eq!((change.action, change.summary().as_str()), (action, summary));
}

#[test]
fn files() {
    let check = |entry, action, summary: &str| expect(&file(), Observed::File { entry }, action, summary);
    check(Entry::Absent, Action::Create, "mode 0644, content 3 B ba7816bf8f01");
    check(seen_file(0o644, "abc"), Action::None, "");
    check(seen_file(0o4755, "abc"), Action::Update, "mode 4755 → 0644");
    check(seen_file(0o644, "ab"), Action::Update, "content 2 B → 3 B ba7816bf8f01");
    check(seen_file(0o644, "abd"), Action::Update, "content 3 B a52d159f262b → 3 B ba7816bf8f01");
    let link = "there is a symbolic link, mode 0644, content 3 B ba7816bf8f01";
    check(Entry::Other("a symbolic link".to_owned()), Action::Update, link);
    check(Entry::Unknown { why: "permission denied".to_owned() }, Action::Unknown, "permission denied");
    let foreign = Access { user: "pi".to_owned(), ..access(0o644) };
    let unread = Entry::File { access: foreign, size: ByteSize(3), digest: Answer::unknown("no permission") };
    check(unread, Action::Update, "owner pi:root → root:root");
}

#[test]
fn artifacts_by_their_own_digest_or_by_the_note_of_their_download() {
    let digest = |text: &str| Digest::sha256_of(text.as_bytes());
    let want = |pinned| Want::Artifact {
        path: "/usr/local/bin/mise".parse().unwrap(),
        mode: Mode::EXECUTABLE,
        artifact: "mise".parse().unwrap(),
        file: "mise".to_owned(),
        version: None,
        pinned,
    };
    let seen = |entry, taken_out| Observed::Artifact { entry, taken_out };
    let none = || Answer::Known(None);
    let own = want(Pinned::File { digest: digest("abc"), size: None });
    expect(&own, seen(seen_file(0o755, "abc"), none()), Action::None, "");
    let other = "content 3 B a52d159f262b → ba7816bf8f01";
    expect(&own, seen(seen_file(0o755, "abd"), none()), Action::Update, other);

    let through = want(Pinned::Downloads([digest("tgz")].into()));
    let note = |download: &str, file: &str| {
        Answer::Known(Some(TakenOut { download: digest(download), digest: digest(file) }))
    };
    let check = |entry, taken_out, action, text: &str| expect(&through, seen(entry, taken_out), action, text);
    let wanted = format!("out of {}", digest("tgz").short());
    check(Entry::Absent, none(), Action::Create, &format!("mode 0755, content {wanted}"));
    check(seen_file(0o755, "abc"), note("tgz", "abc"), Action::None, "");
    check(seen_file(0o644, "abc"), note("tgz", "abc"), Action::Update, "mode 0644 → 0755");
    let again = format!("content ba7816bf8f01 → {wanted}");
    check(seen_file(0o755, "abc"), none(), Action::Update, &again);
    check(seen_file(0o755, "abc"), note("old release", "abc"), Action::Update, &again);
    check(seen_file(0o755, "abc"), note("tgz", "abd"), Action::Update, &again);
    check(seen_file(0o755, "abc"), Answer::unknown("no permission"), Action::Unknown, "no permission");
}

#[test]
fn secret_files_show_neither_content_nor_digest() {
    let want = Want::SecretFile {
        path: "/etc/token".parse().unwrap(),
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret("env:TOKEN".parse().unwrap())],
    };
    let check = |entry, wanted, action, summary: &str| {
        expect(&want, Observed::SecretFile { entry, wanted }, action, summary);
    };
    let same = Answer::Known(Digest::sha256_of(b"hunter2"));
    let unknown = || Answer::unknown("env:TOKEN is not set");
    check(Entry::Absent, unknown(), Action::Create, "mode 0600, content (not shown)");
    check(seen_file(0o600, "hunter2"), same.clone(), Action::None, "");
    check(seen_file(0o600, "hunter3"), same.clone(), Action::Update, "content (not shown)");
    check(seen_file(0o644, "hunter2"), same, Action::Update, "mode 0644 → 0600");
    check(seen_file(0o600, "hunter2"), unknown(), Action::Unknown, "env:TOKEN is not set");
}

#[test]
fn blocks() {
    let want = |content: &str| Want::ManagedBlock {
        path: "/etc/fstab".parse().unwrap(),
        name: "mounts".to_owned(),
        comment: "#".to_owned(),
        content: content.to_owned(),
    };
    let present = |text: &str| Block::Present {
        digest: Digest::sha256_of(text.as_bytes()),
        lines: text.lines().count(),
    };
    let check = |content: &str, block, action, summary: &str| {
        expect(&want(content), Observed::ManagedBlock { block, waits: false }, action, summary);
    };
    check("a\n", Block::NoFile, Action::Create, "block in a new file, 1 line");
    check("a\nb\n", Block::Missing, Action::Create, "block 2 lines");
    check("a\n", present("a\n"), Action::None, "");
    check("a", present("a\n"), Action::None, "");
    check("a\n", present("b\n"), Action::Update, "block 1 line 0263829989b6 → 1 line 87428fc52280");
    check("", present("b\n"), Action::Remove, "block 1 line → nothing");
    check("", Block::Missing, Action::None, "");
    let broken = "line 3 is a marker of block `mounts` without its partner";
    check("a\n", Block::Unknown { why: broken.to_owned() }, Action::Unknown, broken);
}

#[test]
fn units() {
    let want = |enabled, active| Want::Unit {
        name: "k3s.service".parse().unwrap(),
        enabled,
        active,
        waits: false,
        restart_on: [].into(),
    };
    let seen =
        |enabled, masked, active| Observed::Unit { enabled, masked, active, outdated: BTreeSet::new() };
    let unknown = || Answer::unknown("systemd does not run here");
    expect(&want(true, true), seen(true, false, Answer::Known(true)), Action::None, "");
    expect(&want(true, true), seen(true, false, Answer::Known(false)), Action::Update, "active no → yes");
    expect(&want(true, true), seen(true, false, unknown()), Action::Unknown, "systemd does not run here");
    expect(&want(true, true), seen(false, false, unknown()), Action::Create, "enabled no → yes");
    expect(
        &want(false, false),
        seen(true, false, Answer::Known(true)),
        Action::Update,
        "enabled yes → no, active yes → no",
    );
    let masked = "masked yes → no, active no → yes";
    expect(&want(true, true), seen(true, true, Answer::Known(false)), Action::Update, masked);
    expect(&want(false, false), seen(false, true, Answer::Known(false)), Action::None, "");
    expect(&want(true, false), seen(true, false, Answer::Known(true)), Action::None, "");
    let later = Answer::later("it starts with the node");
    expect(&want(true, true), seen(true, false, later), Action::Left, "it starts with the node");
}

#[test]
fn the_small_kinds() {
    let host = Want::Hostname { name: "pc".parse().unwrap() };
    let hostile = Observed::Hostname {
        name: Some("a\u{1b}[2Jb\u{202e}".to_owned()),
        now: Answer::later("it is not running"),
    };
    expect(&host, hostile, Action::Update, "name a\\u{1b}[2Jb\\u{202e} → pc");

    let names = ["nfs-common".to_owned(), "open-iscsi".to_owned()].into();
    let packages = Want::Packages { manager: PackageManager::Apt, names, files: BTreeMap::new() };
    let installed = |names: &[&str]| Observed::Packages {
        installed: Answer::Known(names.iter().map(|name| (*name).to_owned()).collect()),
    };
    expect(&packages, installed(&[]), Action::Create, "install nfs-common open-iscsi");
    expect(&packages, installed(&["nfs-common"]), Action::Update, "install open-iscsi");
    expect(&packages, installed(&["nfs-common", "open-iscsi"]), Action::None, "");
    let unread = Observed::Packages { installed: Answer::unknown("rpm was not asked") };
    expect(&packages, unread, Action::Unknown, "rpm was not asked");

    let module = Want::KernelModule { name: "vxlan".to_owned() };
    let seen = |at_boot, loaded| Observed::KernelModule { at_boot, loaded };
    expect(&module, seen(false, Answer::Known(false)), Action::Create, "at boot no → yes, loaded no → yes");
    expect(&module, seen(false, Answer::Known(true)), Action::Update, "at boot no → yes");

    let sysctl = Want::Sysctl { key: "vm.swappiness".to_owned(), value: "10".to_owned() };
    let seen = |at_boot: Option<&str>, now| Observed::Sysctl { at_boot: at_boot.map(str::to_owned), now };
    let now = Answer::Known("60".to_owned());
    expect(&sysctl, seen(Some("10"), now.clone()), Action::Update, "now 60 → 10");
    expect(&sysctl, seen(None, now), Action::Create, "at boot 10, now 60 → 10");

    let run = Want::Run { name: "x".to_owned(), command: vec!["x".to_owned()], unless: vec!["y".to_owned()] };
    expect(&run, Observed::nothing(&run), Action::Unknown, Observed::RUN);
    let needed = |needed| Observed::Run { needed: Answer::Known(needed) };
    expect(&run, needed(true), Action::Create, "run x");
    expect(&run, needed(false), Action::None, "");
    expect(&run, installed(&[]), Action::Unknown, "it was observed as another kind of resource");
}

/// FIELD K1: written and without effect until the machine starts again, which no run of ours brings about.
#[test]
fn words_that_wait_for_a_restart_keep_no_plan_open() {
    let words = ["a=1".to_owned(), "b=2".to_owned()];
    let path = "/boot/firmware/cmdline.txt".parse().unwrap();
    let want = Want::ManagedLine { path, words: words.clone().into(), unless: None };
    let read = |missing: &[&str], waiting| Line::Read {
        missing: missing.iter().map(|word| (*word).to_owned()).collect(),
        waiting,
    };
    for (line, action, summary) in [
        (Line::Needless, Action::None, ""),
        (read(&[], Answer::Known(Vec::new())), Action::None, ""),
        (read(&["b=2"], Answer::Known(words.clone().into())), Action::Update, "words b=2"),
        (read(&[], Answer::Known(words.into())), Action::Left, Observed::RESTART),
        (Line::Unknown { why: "it is not there".to_owned() }, Action::Unknown, "it is not there"),
    ] {
        expect(&want, Observed::ManagedLine { line }, action, summary);
    }
}

#[test]
fn a_project_is_told_by_its_services() {
    let project = Want::Compose {
        project: "forge".to_owned(),
        file: "/etc/forge.yaml".parse().unwrap(),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        restart_on: BTreeSet::new(),
    };
    let seen = |states: &[(&str, ServiceState)]| Observed::Compose {
        services: Answer::Known(
            states.iter().map(|(name, state)| ((*name).to_owned(), state.clone())).collect(),
        ),
    };
    let (up, down) = (ServiceState::Up, ServiceState::Down("exited (3)".to_owned()));
    expect(&project, seen(&[("db", up.clone()), ("web", up.clone())]), Action::None, "");
    expect(&project, seen(&[("db", ServiceState::Missing)]), Action::Create, "db up");
    let both = seen(&[("db", down), ("web", ServiceState::Outdated), ("x", up)]);
    expect(&project, both, Action::Update, "db exited (3) → up, web another configuration → its own");
    let unknown = Observed::Compose { services: Answer::unknown("docker is not here yet") };
    expect(&project, unknown, Action::Unknown, "docker is not here yet");
}

#[test]
fn a_member_has_the_address_the_coordinator_and_the_names_of_the_spec() {
    let mesh = Want::Mesh {
        login_url: Some("https://mesh.example".to_owned()),
        name: "pc".parse().unwrap(),
        address: "100.64.0.2".parse().unwrap(),
        accept_dns: false,
        key: None,
    };
    let member = MeshState {
        state: "Running".to_owned(),
        addresses: ["100.64.0.2".parse().unwrap(), "fd7a::2".parse().unwrap()].into(),
        login_url: Some("https://mesh.example".to_owned()),
        accepts_dns: false,
    };
    let seen = |state: MeshState| Observed::Mesh { state: Answer::Known(state) };
    expect(&mesh, seen(member.clone()), Action::None, "");
    let out = MeshState { state: "NeedsLogin".to_owned(), ..MeshState::default() };
    expect(&mesh, seen(out), Action::Create, "member NeedsLogin → with 100.64.0.2");
    expect(&mesh, seen(MeshState::default()), Action::Create, "member with 100.64.0.2");
    let wrong = MeshState {
        addresses: ["100.64.0.9".parse().unwrap()].into(),
        login_url: None,
        accepts_dns: true,
        ..member
    };
    let told = "coordinator the vendor's → https://mesh.example, address 100.64.0.9 → 100.64.0.2, accepts DNS yes → no";
    expect(&mesh, seen(wrong), Action::Update, told);
}
