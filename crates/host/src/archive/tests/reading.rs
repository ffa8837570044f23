use std::io::Read;

use ::tar::{EntryType, Header};
use desired::Mode;

use super::super::tar::{Entry, Limits, read};
use super::super::{ArchiveError, gzip, pack};
use super::options;

/// A tar of one entry that a hostile writer could make, with its end.
fn crafted(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path("etc/passwd").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    change(&mut header);
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

fn verdict(tar: &[u8], limits: &Limits) -> Result<(), String> {
    read(tar, limits, |_| Ok::<_, ArchiveError>(())).map_err(|error| error.to_string())
}

fn named(header: &mut Header, path: &[u8]) {
    let field = &mut header.as_old_mut().name;
    field.fill(0);
    field[..path.len()].copy_from_slice(path);
}

#[test]
fn entries_that_no_bundle_holds_are_refused_by_name() {
    type Change = fn(&mut Header);
    let cases: [(&str, Change); 15] = [
        ("climbs", |header| named(header, b"a/../../x")),
        ("absolute", |header| named(header, b"/etc/shadow")),
        ("`.`", |header| named(header, b"./a")),
        ("control character", |header| named(header, b"a\nb")),
        ("not UTF-8", |header| named(header, b"a\xffb")),
        ("symbolic link", |header| header.set_entry_type(EntryType::Symlink)),
        ("hard link", |header| header.set_entry_type(EntryType::Link)),
        ("device", |header| header.set_entry_type(EntryType::Char)),
        ("device", |header| header.set_entry_type(EntryType::Block)),
        ("pipe", |header| header.set_entry_type(EntryType::Fifo)),
        ("global header", |header| header.set_entry_type(EntryType::XGlobalHeader)),
        ("unknown type", |header| header.set_entry_type(EntryType::new(b'Z'))),
        ("setuid", |header| header.set_mode(0o4755)),
        ("belongs to 1000:0", |header| header.set_uid(1000)),
        ("more than the", |header| header.set_size(5 << 30)),
    ];
    for (why, change) in cases {
        let error = verdict(&crafted(change), &Limits::BUNDLE).unwrap_err();
        assert!(error.starts_with("archive entry `") && error.contains(why), "{why}: {error}");
    }
    assert!(verdict(&crafted(|_| {}), &Limits::BUNDLE).is_ok());
}

#[test]
fn sparse_files_and_extensions_are_refused() {
    let error = verdict(&crafted(|header| header.set_entry_type(EntryType::GNUSparse)), &Limits::BUNDLE);
    assert!(error.unwrap_err().contains("sparse"));
    for record in ["22 GNU.sparse.major=1\n", "17 size=99999999\n"] {
        let mut tar = crafted(|header| {
            header.set_entry_type(EntryType::XHeader);
            header.set_size(record.len() as u64);
        });
        tar.splice(512..512, record.bytes().chain(std::iter::repeat_n(0, 512 - record.len())));
        let error = verdict(&tar, &Limits::BUNDLE).unwrap_err();
        assert!(error.contains("carries the extension"), "{error}");
    }
    let huge = crafted(|header| {
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 30);
    });
    assert!(verdict(&huge, &Limits::BUNDLE).unwrap_err().contains("extended header of 1073741824 bytes"));
}

#[test]
fn duplicates_and_files_above_files_are_refused() {
    let one = |path: &[u8]| crafted(|header| named(header, path))[..512].to_vec();
    for (paths, why) in [
        ([&b"a"[..], b"a"], "twice"),
        ([&b"a"[..], b"a/b"], "below `a`"),
        ([&b"a/b"[..], b"a"], "must be a folder"),
    ] {
        let tar = [one(paths[0]), one(paths[1]), vec![0; 1024]].concat();
        let error = verdict(&tar, &Limits::BUNDLE).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn limits_hold() {
    let entries: Vec<Entry> =
        (0..10).map(|index| Entry::bytes(format!("f{index}"), Mode::PUBLIC, "0123456789")).collect();
    let mut archive = Vec::new();
    pack(&mut archive, &entries, &options(1), &|_| {}).unwrap();
    for (limits, why) in [
        (Limits { entries: 9, ..Limits::BUNDLE }, "more than 9 entries"),
        (Limits { entry_bytes: 9, ..Limits::BUNDLE }, "`f0`"),
        (Limits { total_bytes: 95, ..Limits::BUNDLE }, "`f9`"),
    ] {
        let error =
            read(gzip::Reader::new(&archive[..]), &limits, |_| Ok::<_, ArchiveError>(())).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_cut_a_flipped_bit_and_a_tail_are_damage() {
    let entries = [
        Entry::bytes("first", Mode::PUBLIC, "1"),
        Entry::bytes("second", Mode::PUBLIC, super::noise(100_000, 9)),
    ];
    let mut archive = Vec::new();
    pack(&mut archive, &entries, &options(1), &|_| {}).unwrap();
    let verdict = |bytes: &[u8]| {
        read(gzip::Reader::new(bytes), &Limits::BUNDLE, |_| Ok::<_, ArchiveError>(()))
            .map_err(|e| e.to_string())
    };
    assert!(verdict(&archive).is_ok());
    for length in [0, 5, 300, archive.len() / 2, archive.len() - 9, archive.len() - 1] {
        assert!(verdict(&archive[..length]).is_err(), "cut at {length}");
    }
    let error = verdict(&archive[..archive.len() / 2]).unwrap_err();
    assert!(error.contains("damaged after entry `second`") || error.contains("`first`"), "{error}");
    let mut flipped = archive.clone();
    let middle = archive.len() / 2;
    flipped[middle] ^= 1;
    assert!(verdict(&flipped).is_err());
    let error = verdict(&[&archive[..], b"tail"].concat()).unwrap_err();
    assert!(error.contains("behind the gzip member"), "{error}");
}

#[test]
fn bytes_behind_the_end_of_the_archive_are_damage() {
    let mut tar = crafted(|_| {});
    tar.extend_from_slice(b"hidden");
    assert!(verdict(&tar, &Limits::BUNDLE).unwrap_err().contains("behind the end"));
}

#[test]
fn a_visitor_may_leave_content_unread() {
    let entries =
        [Entry::bytes("a", Mode::PUBLIC, vec![1; 70_000]), Entry::bytes("b", Mode::PUBLIC, vec![2; 10])];
    let mut archive = Vec::new();
    pack(&mut archive, &entries, &options(1), &|_| {}).unwrap();
    let mut last = [0; 4];
    read(gzip::Reader::new(&archive[..]), &Limits::BUNDLE, |member| {
        member.read_exact(&mut last)?;
        Ok::<_, ArchiveError>(())
    })
    .unwrap();
    assert_eq!(last, [2; 4]);
}
