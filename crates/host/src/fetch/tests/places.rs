//! Where a file can come from: several sources, the cache, mirrors, archives, local files, vendors' lists, npm.

use super::*;

#[test]
fn the_second_source_helps_and_the_liar_is_named() {
    let bench = Bench::new();
    let liar = bench.server.set("/liar", Behaviour::Honest(vec![0; file().len()]));
    let good = bench.server.set("/good", Behaviour::Honest(file()));
    assert!(matches!(bench.fetch(&want(&[&liar, &good])).unwrap(), Fetched::Ready(_)));
    let warned = |event: &Event| matches!(event, Event::Said { line } if line.starts_with("warning: tool") && line.contains(&liar));
    assert!(bench.report.recorded().iter().any(warned));
    assert_eq!(bench.names("partial"), Vec::<String>::new());
}

#[test]
fn offline_uses_the_cache_alone() {
    let mut bench = Bench::new();
    bench.options.offline = true;
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert!(why.contains("--offline"), "{why}");
    bench.options.air_gap = true;
    assert_eq!(bench.fetch(&want(&[&url])).unwrap_err().exit_code(), 5);
    assert_eq!(bench.server.requests(), Vec::<String>::new());
    bench.options.offline = false;
    bench.fetch(&want(&[&url])).unwrap();
    bench.options.offline = true;
    assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)));
}

#[test]
fn a_mirror_is_asked_first_and_the_vendor_when_it_has_nothing() {
    let mut bench = Bench::new();
    let vendor = bench.server.set("/vendor/tool", Behaviour::Status("404 Not Found"));
    let mirror = bench.server.set("/mirror/tool", Behaviour::Honest(file()));
    let prefix = |name: &str| format!("{}/{name}/", bench.server.address);
    bench.options.mirrors = vec![(prefix("vendor"), prefix("mirror"))];
    assert!(matches!(bench.fetch(&want(&[&vendor])).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests(), ["GET /mirror/tool"]);
    let mut other = Bench::new();
    other.options.mirrors.clone_from(&bench.options.mirrors);
    bench.server.set("/mirror/tool", Behaviour::Status("404 Not Found"));
    let error = other.fetch(&want(&[&vendor])).unwrap_err();
    assert_eq!(told(&error, &mirror, "and without the mirror, ", "name another source"), 5);
    assert_eq!(bench.server.requests()[1..], ["GET /mirror/tool", "GET /vendor/tool"]);
    bench.server.set("/vendor/tool", Behaviour::Honest(file()));
    assert!(matches!(other.fetch(&want(&[&vendor])).unwrap(), Fetched::Ready(_)));
}

#[test]
fn nothing_unpinned_is_ever_handed_out() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    let unpinned = Want { digest: None, size: None, ..want(&[&url]) };
    let error = bench.fetch(&unpinned).unwrap_err();
    assert_eq!(told(&error, &url, "run `cargo xtask lock`", "name another source"), 5);
    assert_eq!(bench.server.requests(), Vec::<String>::new());
    bench.assert_clean();
}

#[test]
fn many_are_fetched_side_by_side_and_every_failure_is_told() {
    let bench = Bench::new();
    let wants: Vec<_> = (0..8_u8)
        .map(|number| {
            let content = vec![number; 50_000];
            let url = bench.server.set(&format!("/{number}"), Behaviour::Honest(content.clone()));
            Want { digest: Some(Digest::sha256_of(&content)), size: None, ..want(&[&url]) }
        })
        .collect();
    let got = bench.fetcher().fetch_all(&wants).unwrap();
    for (number, fetched) in got.iter().enumerate() {
        let Fetched::Ready(file) = fetched else { panic!("{fetched:?}") };
        assert_eq!(usize::from(fs::read(&file.path).unwrap()[0]), number, "answers are in order");
    }
    let missing = want(&[&bench.server.set("/none", Behaviour::Status("404 Not Found"))]);
    let wrong = Want { size: None, ..want(&[&bench.server.set("/wrong", Behaviour::Honest(vec![1]))]) };
    let errors = bench.fetcher().fetch_all(&[missing, wrong, wants[0].clone()]).unwrap_err();
    assert_eq!((errors.0.len(), errors.exit_code()), (2, 6), "{errors}");
}

#[test]
fn a_member_is_taken_out_of_a_verified_archive_and_found_again() {
    let bench = Bench::new();
    let tgz = archive("package/bin/tool", &file());
    let url = bench.server.set("/tool.tgz", Behaviour::Honest(tgz.clone()));
    let by_archive = |digest: Digest| Want {
        digest: None,
        size: None,
        sources: vec![Source {
            digest: Some(digest),
            member: Some("package/bin/tool".to_owned()),
            ..source(&url)
        }],
        ..want(&[])
    };
    let error = bench.fetch(&by_archive(Digest::sha256_of(b"another archive"))).unwrap_err();
    assert_eq!(told(&error, &url, "gave other bytes", "nothing of it was kept"), 6);
    bench.assert_clean();
    let pinned = by_archive(Digest::sha256_of(&tgz));
    let Fetched::Ready(got) = bench.fetch(&pinned).unwrap() else { panic!("not there") };
    assert_eq!(fs::read(&got.path).unwrap(), file());
    assert_eq!(
        (bench.names("sha256").len(), bench.names("partial").len()),
        (1, 0),
        "the archive is not kept"
    );
    let requests = bench.server.requests().len();
    assert!(matches!(bench.fetch(&pinned).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests().len(), requests);
}

#[test]
fn archives_without_the_member_or_with_another_are_told_apart() {
    let bench = Bench::new();
    let content = |tgz: &[u8], digest| {
        let url = bench.server.set("/tool.tgz", Behaviour::Honest(tgz.to_vec()));
        let member = Some("bin/tool".to_owned());
        let source = Source { digest: Some(Digest::sha256_of(tgz)), member, ..source(&url) };
        let want = Want { digest, size: None, sources: vec![source], ..want(&[]) };
        (bench.fetch(&want).unwrap_err(), url)
    };
    let (error, url) = content(&archive("bin/fool", &file()), None);
    assert_eq!(
        told(&error, &url, "holds no `bin/tool`; it holds package/README.md, bin/fool", "name another"),
        5
    );
    let (error, url) = content(&archive("bin/tool", b"evil"), Some(Digest::sha256_of(&file())));
    assert_eq!(
        told(&error, &url, "`bin/tool` in it has other bytes: pinned sha256:", "nothing of it was kept"),
        6
    );
    let (error, url) = content(b"no archive at all", None);
    assert_eq!(told(&error, &url, "is no readable .tar.gz", "nothing of it was kept"), 6);
    bench.assert_clean();
}

fn write(path: &Path, content: &[u8]) {
    fs::File::create(path).unwrap().write_all(content).unwrap();
}

#[test]
fn a_local_file_is_copied_verified_and_left_alone() {
    let bench = Bench::new();
    let path = bench.folder.path().join("fake");
    write(&path, &file());
    let local = Source { origin: Origin::File("fake".into()), digest: None, member: None };
    let local = Want { sources: vec![local], ..want(&[]) };
    let Fetched::Ready(got) = bench.fetch(&local).unwrap() else { panic!("not there") };
    assert_eq!(fs::read(&got.path).unwrap(), fs::read(&path).unwrap());
    assert_eq!(bench.names("partial"), Vec::<String>::new());
    write(&path, &vec![7; file().len()]);
    let other = Want { digest: Some(Digest::sha256_of(b"x")), ..local.clone() };
    let error = bench.fetch(&other).unwrap_err();
    assert_eq!(told(&error, &format!("file:{}", path.display()), "has other bytes", "lock --update tool"), 6);
    fs::remove_file(&path).unwrap();
    let error = bench.fetch(&other).unwrap_err();
    assert_eq!(told(&error, &format!("file:{}", path.display()), "there is no such file", "name another"), 5);
    assert!(
        matches!(bench.fetch(&local).unwrap(), Fetched::Ready(_)),
        "the cache still has the pinned bytes"
    );
}

#[test]
fn a_vendors_list_pins_without_downloading() {
    let bench = Bench::new();
    let list = format!("{}  tool-amd64\n{} *tool\n", "0".repeat(64), Digest::sha256_of(&file()).hex());
    let list_url = bench.server.set("/sums", Behaviour::Honest(list.into_bytes()));
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    let unpinned = Want { digest: None, size: None, ..want(&[&url]) };
    let list = VendorList { url: list_url.clone(), file: Some("tool".to_owned()) };
    let learned = bench.fetcher().learn(&(unpinned.clone(), vec![Some(list)])).unwrap();
    assert_eq!(learned.digest, Digest::sha256_of(&file()));
    assert_eq!((learned.size, learned.voucher), (Some(800_000), Voucher::List(list_url.clone())));
    bench.assert_clean();
    let list = VendorList { url: list_url.clone(), file: Some("gone".to_owned()) };
    let error = bench.fetcher().learn(&(unpinned.clone(), vec![Some(list)])).unwrap_err();
    assert_eq!(told(&error, &list_url, "doesn't name gone", "correct the version"), 5);
    let error = bench.fetcher().learn(&(unpinned, vec![None])).unwrap_err();
    assert_eq!(told(&error, &url, "a first download over plain http proves nothing", "name another"), 5);
}

#[test]
fn a_list_vouches_for_the_archive_and_the_member_is_kept_for_building() {
    let bench = Bench::new();
    let tgz = archive("tool", &file());
    let bare = VendorList {
        url: bench.server.set("/tool.tgz.sha256", Behaviour::Honest(Digest::sha256_of(&tgz).hex().into())),
        file: None,
    };
    let url = bench.server.set("/tool.tgz", Behaviour::Honest(tgz.clone()));
    let source = Source { member: Some("tool".to_owned()), ..source(&url) };
    let unpinned = Want { digest: None, size: None, sources: vec![source], ..want(&[]) };
    let learned = bench.fetcher().learn(&(unpinned.clone(), vec![Some(bare.clone())])).unwrap();
    assert_eq!((&learned.digest, learned.size), (&Digest::sha256_of(&file()), Some(800_000)));
    assert_eq!(learned.download, Some(Digest::sha256_of(&tgz)));
    let pinned = Want { digest: Some(learned.digest), ..unpinned.clone() };
    let requests = bench.server.requests().len();
    assert!(matches!(bench.fetch(&pinned).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests().len(), requests, "already in the cache");
    bench.server.set("/tool.tgz", Behaviour::Honest(archive("tool", b"evil")));
    let error = bench.fetcher().learn(&(unpinned, vec![Some(bare)])).unwrap_err();
    assert_eq!(told(&error, &url, "gave other bytes", "nothing of it was kept"), 6);
}

#[test]
fn without_npm_the_registry_is_asked_and_its_integrity_compared() {
    use base64::Engine as _;
    let bench = Bench::new();
    let tgz = archive("package/bin/tool", &file());
    let tarball = bench.server.set("/-/tool.tgz", Behaviour::Honest(tgz.clone()));
    let mut hasher = desired::types::Hasher::new(desired::types::DigestAlgorithm::Sha512);
    hasher.update(&tgz);
    let sha512 = hasher.finish();
    let bytes: Vec<u8> =
        (0..64).map(|at| u8::from_str_radix(&sha512.hex()[2 * at..2 * at + 2], 16).unwrap()).collect();
    let integrity = base64::engine::general_purpose::STANDARD.encode(bytes);
    let answer = format!(r#"{{"dist":{{"integrity":"sha512-{integrity}","tarball":"{tarball}"}}}}"#);
    bench.server.set("/@scope%2ftool/1.2.3", Behaviour::Honest(answer.clone().into_bytes()));
    let origin = Origin::Npm { package: "@scope/tool".to_owned(), version: "1.2.3".to_owned() };
    let source = Source { origin, digest: None, member: Some("package/bin/tool".to_owned()) };
    let unpinned = Want { digest: None, size: None, sources: vec![source.clone()], ..want(&[]) };
    let learned = bench.fetcher().learn(&(unpinned.clone(), vec![None])).unwrap();
    assert_eq!((learned.voucher, learned.download), (Voucher::Npm, Some(sha512.clone())));
    assert_eq!(learned.digest, Digest::sha256_of(&file()));

    let other = Bench::new();
    other.server.set("/@scope%2ftool/1.2.3", Behaviour::Honest(answer.into_bytes()));
    bench.server.set("/-/tool.tgz", Behaviour::Honest(archive("package/bin/tool", b"evil")));
    let pinned = Want { sources: vec![Source { digest: Some(sha512), ..source }], ..unpinned.clone() };
    let error = other.fetch(&pinned).unwrap_err();
    assert_eq!(told(&error, &tarball, "gave other bytes", "nothing of it was kept"), 6);
    other.assert_clean();
    other
        .server
        .set("/@scope%2ftool/1.2.3", Behaviour::Honest(br#"{"dist":{"tarball":"x","shasum":"1"}}"#.to_vec()));
    let error = other.fetcher().learn(&(unpinned, vec![None])).unwrap_err();
    assert_eq!(
        told(&error, "npm:@scope/tool@1.2.3", "gives no sha512 integrity", "nothing of it was kept"),
        6
    );
}

#[test]
fn two_runs_share_one_download() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_))));
        }
    });
    assert_eq!(bench.server.requests(), ["GET /tool"]);
}
