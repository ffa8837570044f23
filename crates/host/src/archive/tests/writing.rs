use std::io::{self, Read, Write};

use desired::Mode;
use proptest::prelude::*;

use super::super::tar::{Entry, Kind, Limits, Source, read};
use super::super::{ArchiveError, Sum, gzip, pack, pack_file, tar};
use super::{MTIME, noise, options, small_disk::SmallDisk};

fn quiet(_: u64) {}

fn packed(entries: &[Entry], threads: usize) -> (Vec<u8>, super::super::Sums) {
    let mut sink = Vec::new();
    let sums = pack(&mut sink, entries, &options(threads), &quiet).unwrap();
    (sink, sums)
}

/// Path, mode and bytes of every file and folder in `archive`.
fn unpacked(archive: &[u8]) -> Vec<(String, Mode, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    read(gzip::Reader::new(archive), &Limits::BUNDLE, |member| {
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        found.push((member.path.clone(), member.mode, (member.kind == Kind::File).then_some(bytes)));
        Ok::<_, ArchiveError>(())
    })
    .unwrap();
    found
}

/// Runs a program over `input` and gives what it prints; panics if it finds fault.
fn consumer(argv: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = crate_process(argv);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[expect(clippy::disallowed_methods, reason = "a test feeds real tools; host::process has no piped stdin")]
fn crate_process(argv: &[&str]) -> std::process::Child {
    use std::process::Stdio;
    std::process::Command::new(argv[0])
        .args(&argv[1..])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A little of everything: text, noise over several blocks, an empty file, a long path, one that is not ASCII.
fn mixture() -> Vec<Entry> {
    let long = format!("{}/{}", ["folder"; 30].join("/"), "n".repeat(180));
    vec![
        Entry::bytes("z/text", Mode::PUBLIC, "all work and no play\n".repeat(200_000)),
        Entry::bytes("a/noise", Mode::PRIVATE, noise(3 * gzip::BLOCK + 17, 1)),
        Entry::bytes("empty", Mode::PUBLIC, ""),
        Entry::bytes(long, Mode::EXECUTABLE, "deep"),
        Entry::bytes("a/ärger", Mode::PUBLIC, "umlaut"),
        Entry::folder("private", Mode::from_bits(0o700).unwrap()),
    ]
}

#[test]
fn any_order_and_any_number_of_threads_give_the_same_bytes() {
    let mut entries = mixture();
    let (first, sums) = packed(&entries, 1);
    for threads in [2, 3, 8] {
        entries.rotate_left(2);
        assert_eq!(packed(&entries, threads), (first.clone(), sums.clone()), "{threads} threads");
    }
    assert_eq!(sums.packed, Sum::of(&first));
}

#[test]
fn gzip_and_tar_agree() {
    let (archive, sums) = packed(&mixture(), 2);
    consumer(&["gzip", "-t"], &archive);
    let plain = consumer(&["gzip", "-dc"], &archive);
    assert_eq!(sums.plain, Sum::of(&plain));
    let listing = consumer(&["tar", "--numeric-owner", "--quoting-style=literal", "-tvf", "-"], &plain);
    let listing = String::from_utf8(listing).unwrap();
    let names: Vec<&str> = listing.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(names[..4], ["a/", "a/noise", "a/ärger", "empty"]);
    assert!(listing.lines().all(|line| line.contains(" 0/0 ")), "{listing}");
    assert!(listing.contains("drwx------ 0/0               0 2024-01-01"), "{listing}");
    assert!(names.iter().any(|name| name.ends_with(&"n".repeat(180))), "{listing}");
}

#[test]
fn noise_is_stored_and_text_is_deflated() {
    let (archive, _) = packed(&[Entry::bytes("noise", Mode::PUBLIC, noise(8 * gzip::BLOCK, 7))], 2);
    let overhead = archive.len() - 8 * gzip::BLOCK;
    assert!(overhead < 3000, "{overhead} bytes more than the noise itself");
    let (archive, _) = packed(&[Entry::bytes("text", Mode::PUBLIC, vec![b'x'; 8 * gzip::BLOCK])], 2);
    assert!(archive.len() < 16_000, "{}", archive.len());
}

#[test]
fn an_empty_input_is_a_whole_member() {
    let mut sink = Vec::new();
    let threads = options(2).threads;
    let ((), sums) = gzip::write(&mut sink, 6, threads, |_| Ok::<_, io::Error>(())).unwrap();
    assert_eq!((sink.len(), sums.plain.size), (20, 0));
    assert_eq!(consumer(&["gzip", "-dc"], &sink), b"");
}

#[test]
fn the_frame_names_no_time_and_no_system() {
    let (archive, _) = packed(&[], 1);
    assert_eq!(archive[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
}

#[test]
fn paths_that_climb_clash_or_lie_below_a_file_are_refused() {
    let file = |path: &str| Entry::bytes(path, Mode::PUBLIC, "x");
    for (entries, why) in [
        (vec![file("../a")], "climbs"),
        (vec![file("/a")], "absolute"),
        (vec![file("a//b")], "empty part"),
        (vec![file("a\nb")], "control character"),
        (vec![file("a"), file("a")], "two entries"),
        (vec![file("a"), file("a/b")], "below `a`"),
        (vec![file("b/c/d"), file("b/c")], "below `b/c`"),
    ] {
        let mut sink = Vec::new();
        let error = tar::write(&mut sink, &entries, MTIME, &quiet).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(sink.is_empty(), "{why}");
    }
}

#[test]
fn files_that_are_missing_or_change_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.tar.gz");
    let source = folder.path().join("source");
    let entries = [Entry::file("f", Mode::PUBLIC, &source, 10)];
    let error = pack_file(&target, &entries, &options(2), &quiet).unwrap_err().to_string();
    assert!(error.contains(source.to_str().unwrap()) && error.contains("No such file"), "{error}");
    for content in ["short", "longer than ten bytes"] {
        std::fs::write(&source, content).unwrap();
        let error = pack_file(&target, &entries, &options(2), &quiet).unwrap_err().to_string();
        assert!(error.contains("changed while it was packed"), "{error}");
    }
    std::fs::write(&source, "ten bytes!").unwrap();
    pack_file(&target, &entries, &options(2), &quiet).unwrap();
    assert_eq!(unpacked(&std::fs::read(&target).unwrap())[0].2.as_deref(), Some(&b"ten bytes!"[..]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_the_old_file() {
    let Some(disk) = SmallDisk::mount(2048) else { return };
    let target = disk.path().join("bundle.tar.gz");
    pack_file(&target, &[Entry::bytes("old", Mode::PUBLIC, "old")], &options(2), &quiet).unwrap();
    let old = std::fs::read(&target).unwrap();
    let entries = [Entry::bytes("noise", Mode::PUBLIC, noise(24 << 20, 3))];
    let error = pack_file(&target, &entries, &options(2), &quiet).unwrap_err().to_string();
    assert!(error.contains("No space left on device") && error.contains("bundle.tar.gz"), "{error}");
    assert_eq!(disk.names(), ["bundle.tar.gz"]);
    assert_eq!(std::fs::read(&target).unwrap(), old);
}

#[test]
fn links_and_owners_reach_a_layer() {
    let mut link = Entry::bytes("bin/sh", Mode::PUBLIC, "");
    link.source = Source::Link(format!("/{}", "long/".repeat(40)));
    let mut owned = Entry::bytes("home/file", Mode::PUBLIC, "x");
    owned.owner = (1000, 4_000_000);
    let (archive, _) = packed(&[link.clone(), owned], 1);
    let mut found = Vec::new();
    read(gzip::Reader::new(&archive[..]), &Limits::LAYER, |member| {
        found.push((member.path.clone(), member.kind.clone(), member.owner));
        Ok::<_, ArchiveError>(())
    })
    .unwrap();
    let Source::Link(target) = link.source else { unreachable!() };
    assert_eq!(found[1], ("bin/sh".to_owned(), Kind::Link(target), (0, 0)));
    assert_eq!(found[3], ("home/file".to_owned(), Kind::File, (1000, 4_000_000)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn what_goes_in_comes_out(
        files in proptest::collection::btree_map(
            "[a-zä]{1,8}(/[ -.0-~]{1,60}){1,4}".prop_filter("clean parts", |path: &String| {
                path.split('/').all(|part| !matches!(part, "." | ".."))
            }),
            (0_u32..0o1000, proptest::collection::vec(any::<u8>(), 0..3000)),
            0..12,
        ),
        threads in 1_usize..5,
    ) {
        let entries: Vec<Entry> = files
            .iter()
            .map(|(path, (mode, bytes))| Entry::bytes(path, Mode::from_bits(*mode).unwrap(), bytes.clone()))
            .collect();
        let mut shuffled = entries.clone();
        shuffled.reverse();
        let (archive, _) = packed(&entries, 1);
        prop_assert_eq!(&archive, &packed(&shuffled, threads).0);
        let found: Vec<_> = unpacked(&archive).into_iter().filter(|(_, _, bytes)| bytes.is_some()).collect();
        let expected: Vec<_> = files
            .into_iter()
            .map(|(path, (mode, bytes))| (path, Mode::from_bits(mode).unwrap(), Some(bytes)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
