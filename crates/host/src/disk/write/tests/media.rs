//! What goes well: every packing, several cards, comparing first, going on.

use super::*;
use desired::Digest;

#[test]
fn every_packing_makes_the_same_card_whatever_was_on_it() {
    let folder = tempfile::tempdir().unwrap();
    for packing in ["raw", "gz", "zst", "xz"] {
        let pin = Pin { unpacked: Some(Digest::sha256_of(&disk())), ..Pin::default() };
        let base = Base::open(file(folder.path(), packing), Some(&pin)).unwrap();
        assert_eq!(base.insight().boot, Some(1), "{packing}: {:?}", base.insight());
        let lying = Lying::new(vec![0xa5; SIZE + 3 * MIB], Faults::default());
        let written = one(base, lying.medium(), Patch::default(), &Options::default()).unwrap();
        assert_eq!(lying.bytes()[..SIZE], expected(&Patch::default(), 0xa5), "{packing}");
        let used = written.allocated.0;
        assert!(
            used < (SIZE - 512 * 1024) as u64 && written.written.0 <= used + 2 * MIB as u64,
            "{written:?}"
        );
        assert_eq!(written.remarks.len(), 1, "{written:?}");
        assert!(written.remarks[0].contains("all of partition 2 is written: "), "{written:?}");
    }
}

#[test]
fn cards_side_by_side_each_have_their_own_patch_and_the_first_block_comes_last() {
    let folder = tempfile::tempdir().unwrap();
    let base = Base::open(file(folder.path(), "zst"), None).unwrap();
    let patches: Vec<Patch> =
        (0..8).map(|number| patch(&base, format!("node {number}").repeat(700).as_bytes())).collect();
    let media: Vec<Lying> = (0..8).map(|_| Lying::new(vec![0xff; SIZE], Faults::default())).collect();
    let targets = media.iter().zip(&patches).enumerate();
    let targets =
        targets.map(|(at, (lying, patch))| target(&format!("n{at}"), lying.medium(), patch.clone()));
    let results = write(base, targets.collect(), &Options::default(), &quiet());
    for ((name, result), (lying, patch)) in results.iter().zip(media.iter().zip(&patches)) {
        result.as_ref().unwrap_or_else(|error| panic!("{name}: {}", said(error)));
        assert!(lying.bytes() == expected(patch, 0xff), "{name} is not its card");
        let held = lying.held.lock().unwrap();
        let table = held.writes.iter().position(|(offset, _, is_something)| *offset == 0 && *is_something);
        assert_eq!(table, Some(held.writes.len() - 1), "{name}");
        assert!(!held.writes[0].2 && held.writes[0].0 == 0, "{name}: {:?}", held.writes[0]);
    }
}

#[test]
fn what_a_seed_has_by_chance_as_the_base_is_written_too() {
    let folder = tempfile::tempdir().unwrap();
    let base = Base::open(file(folder.path(), "raw"), None).unwrap();
    // The seed takes a free cluster and fills it with what lies there in the base: zeroes.
    let mut overlay = Overlay::new(base.head(), BOOT as u64, MIB as u64);
    let cluster = 1600_usize;
    use std::io::{Seek as _, SeekFrom};
    overlay.seek(SeekFrom::Start((512 + cluster * 3 / 2) as u64)).unwrap();
    overlay.write_all(&[0xff, 0x0f]).unwrap();
    let patch = overlay.into_patch().unwrap();
    assert_eq!(patch.len(), 1);
    let lying = Lying::new(vec![0xa5; SIZE], Faults::default());
    one(base, lying.medium(), patch, &Options::default()).unwrap();
    let place = BOOT + 512 * 8 + (cluster - 2) * 512;
    assert_eq!(lying.bytes()[place..place + 512], [0; 512]);
}

#[test]
fn files_and_new_images_are_the_same_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "xz");
    let (there, fresh) = (folder.path().join("there"), folder.path().join("fresh"));
    std::fs::write(&there, vec![0x77; SIZE + MIB]).unwrap();
    let base = Base::open(&path, None).unwrap();
    assert_eq!(base.size().unwrap().0, SIZE as u64, "the index of an xz file tells its length");
    let patch = patch(&base, b"here");
    let targets = vec![
        target("there", Medium::file(&there).unwrap(), patch.clone()),
        target("fresh", Medium::image(&fresh).unwrap(), patch.clone()),
    ];
    for (name, result) in write(base, targets, &Options::default(), &quiet()) {
        result.unwrap_or_else(|error| panic!("{name}: {}", said(&error)));
    }
    assert_eq!(std::fs::read(&there).unwrap()[..SIZE], expected(&patch, 0x77));
    let image = std::fs::read(&fresh).unwrap();
    assert_eq!((image.len(), &image[..SIZE]), (SIZE.next_multiple_of(BLOCK_BYTES), &expected(&patch, 0)[..]));
    let again = Medium::image(&fresh).unwrap_err();
    assert!(!again.is_refusal() && again.to_string().contains("can't make"), "{again}");
    let held = Medium::file(&there).unwrap();
    let busy = Medium::file(&there).unwrap_err();
    assert!(busy.is_refusal() && busy.to_string().contains("another run"), "{busy}");
    drop(held);
    assert!(Medium::file(folder.path()).is_err());
}

#[test]
fn comparing_first_writes_only_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "zst");
    let lying = Lying::new(vec![0xff; SIZE], Faults::default());
    let options = Options { compare_first: true, ..Options::default() };
    let base = Base::open(&path, None).unwrap();
    let (first, second) = (patch(&base, b"one"), patch(&base, b"two"));
    let all = one(base, lying.medium(), first, &options).unwrap();
    assert_eq!(all.equal.0, 0);
    let base = Base::open(&path, None).unwrap();
    let some = one(base, lying.medium(), second.clone(), &options).unwrap();
    // The first MiB in any case, and the two blocks of the boot partition; what was zeroed at the end is back.
    assert!(some.written.0 < (MIB + 20 * BLOCK_BYTES + (64 << 10)) as u64, "{some:?}");
    assert!(some.equal.0 > 5 * MIB as u64 && lying.bytes() == expected(&second, 0xff), "{some:?}");
}

#[test]
fn a_base_that_is_unpacked_first_makes_the_same_card() {
    let folder = tempfile::tempdir().unwrap();
    let base = Base::open_whole(file(folder.path(), "gz"), None, &mut |_, _| ()).unwrap();
    assert_eq!(base.size().unwrap().0, SIZE as u64);
    let patch = patch(&base, b"whole");
    let lying = Lying::new(vec![1; SIZE], Faults::default());
    one(base, lying.medium(), patch.clone(), &Options::default()).unwrap();
    assert!(lying.bytes() == expected(&patch, 1));
}

#[test]
fn a_run_that_was_cut_short_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "zst");
    let options = Options { state: Some(folder.path().join("cards")), ..Options::default() };
    let base = Base::open(&path, None).unwrap();
    let patch = patch(&base, b"rpi-01");
    let mut journal = crate::disk::card_journal::CardJournal::open(
        &folder.path().join("cards"),
        "lying",
        &base.key,
        &patch.digest(),
    )
    .unwrap();
    // An earlier run came to 6 MiB, and left there what it wrote.
    journal.acknowledge(6 * MIB as u64).unwrap();
    let mut before = vec![0; SIZE];
    before[ROOT..6 * MIB].copy_from_slice(&disk()[ROOT..6 * MIB]);
    let lying = Lying::new(before.clone(), Faults::default());
    let written = one(base, lying.medium(), patch.clone(), &options).unwrap();
    assert_eq!(written.resumed.0, 3 * MIB as u64, "{written:?}");
    assert!(lying.bytes() == expected(&patch, 0));
    // It is done, so nothing is remembered; and what is remembered of another card is of no use.
    assert_eq!(std::fs::read_dir(folder.path().join("cards")).unwrap().count(), 0);
    let base = Base::open(&path, None).unwrap();
    journal.acknowledge(6 * MIB as u64).unwrap();
    let lying = Lying::new(before, Faults::default());
    let other = one(base, lying.medium(), Patch::default(), &options).unwrap();
    assert_eq!(other.resumed.0, 0, "{other:?}");
}

/// Of a base that was unpacked first the boot partition is no exception, and what is written is remembered on the way.
#[test]
fn a_base_that_was_unpacked_first_is_gone_on_with_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "zst");
    let state = folder.path().join("cards");
    let options = Options { state: Some(state.clone()), ..Options::default() };
    let base = Base::open_whole(&path, None, &mut |_, _| ()).unwrap();
    let patch = patch(&base, b"rpi-01");
    let open = |digest| crate::disk::card_journal::CardJournal::open(&state, "lying", &base.key, digest);
    open(&patch.digest()).unwrap().acknowledge(6 * MIB as u64).unwrap();
    let mut before = vec![0; SIZE];
    before[MIB..6 * MIB].copy_from_slice(&expected(&patch, 0)[MIB..6 * MIB]);
    let lying = Lying::new(before, Faults::default());
    let written = one(base, lying.medium(), patch.clone(), &options).unwrap();
    assert!(written.resumed.0 > 4 * MIB as u64, "{written:?}");
    assert!(written.written.0 < 4 * MIB as u64, "{written:?}");
    assert!(lying.bytes() == expected(&patch, 0));
}

#[test]
fn what_is_remembered_wrongly_is_found_by_reading_back_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "zst");
    let options = Options { state: Some(folder.path().join("cards")), ..Options::default() };
    let lying = Lying::new(vec![0; SIZE], Faults::default());
    let open = || Base::open(&path, None).unwrap();
    let none = Patch::default().digest();
    let mut journal = crate::disk::card_journal::CardJournal::open(
        &folder.path().join("cards"),
        "lying",
        &open().key,
        &none,
    )
    .unwrap();
    journal.acknowledge(6 * MIB as u64).unwrap();
    let error = one(open(), lying.medium(), Patch::default(), &options).unwrap_err();
    assert!(matches!(error, WriteError::NotWhatWasLeft { offset } if offset == ROOT as u64), "{error}");
    assert!(error.is_verification_failure() && is_blank(&lying.bytes()));
    one(open(), lying.medium(), Patch::default(), &options).unwrap();
    assert!(lying.bytes() == expected(&Patch::default(), 0));
}
