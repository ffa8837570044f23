use super::*;

fn want(name: &str, version: &str) -> Wanted {
    Wanted {
        name: name.parse().unwrap(),
        version: version.to_owned(),
        arches: Arch::ALL.to_vec(),
        local: None,
        sources: Vec::new(),
        optional: false,
        is_package: false,
    }
}

fn fresh(wants: &[Wanted]) -> Reconciled {
    reconcile(wants, &Lock::default(), &Update::Nothing).unwrap()
}

fn three() -> Vec<Wanted> {
    vec![
        want("mise", "2026.9.15"),
        want("k3s", "v1.36.4+k3s1"),
        want("k3s-airgap-images", "v1.36.4+k3s1"),
        want("k3s-install-script", "v1.36.4+k3s1"),
        want("docker-compose", "v2.40.3"),
    ]
}

fn learned(source: usize) -> Learned {
    let digest = Digest::sha256_of(b"file");
    Learned { digest, size: Some(4), pinned_by: PinnedBy::NpmIntegrity, source, download: None }
}

#[test]
fn known_versions_are_pinned_without_a_network() {
    let reconciled = fresh(&three());
    assert_eq!(reconciled.missing(), []);
    let locked = reconciled.lock().unwrap();
    let labels: Vec<_> = locked.entries().iter().map(Entry::label).collect();
    assert_eq!(labels.len(), 9, "the install script is one for both: {labels:?}");
    let arm = locked.entries().iter().find(|entry| entry.label() == "k3s v1.36.4+k3s1 (arm64)").unwrap();
    assert_eq!(
        arm.sources[0].url.to_string(),
        "https://github.com/k3s-io/k3s/releases/download/v1.36.4%2Bk3s1/k3s-arm64"
    );
    assert_eq!((arm.size, arm.file.as_str()), (Some(71_368_866), "k3s"));
    let mise = locked.entries().iter().find(|entry| entry.label() == "mise 2026.9.15 (arm64)").unwrap();
    assert!(mise.digest.is_none() && mise.sources[1].digest.is_some() && mise.is_pinned());
}

#[test]
fn every_row_of_the_table_gives_urls_that_parse() {
    for name in catalogue::names() {
        let name = name.parse().unwrap();
        let arches = if catalogue::is_per_arch(&name).unwrap() {
            vec![Some(Arch::Amd64), Some(Arch::Arm64)]
        } else {
            vec![None]
        };
        for arch in arches {
            let entry = catalogue::entry(&name, "v1.2.3+x1", arch).unwrap();
            let shown = format!("{entry:?} {:?}", catalogue::vendor_lists(&entry));
            assert!(!shown.contains('{') || !shown.contains("{arch}"), "{shown}");
            for source in &entry.sources {
                let url = source.url.to_string();
                assert!(
                    !url.contains(['{', '+']) && url.contains("1.2.3%2Bx1") || url.starts_with("npm:"),
                    "{url}"
                );
            }
            assert!(!entry.is_pinned());
        }
    }
}

#[test]
fn vendor_lists_name_the_file_to_look_up() {
    let entry = catalogue::entry(&"k3s".parse().unwrap(), "v1.36.5+k3s1", Some(Arch::Arm64)).unwrap();
    let list = catalogue::vendor_lists(&entry).remove(0).unwrap();
    assert_eq!(list.file.as_deref(), Some("k3s-arm64"));
    assert!(list.url.ends_with("/v1.36.5%2Bk3s1/sha256sum-arm64.txt"), "{}", list.url);
    let entry = catalogue::entry(&"tailscale".parse().unwrap(), "1.90.1", Some(Arch::Amd64)).unwrap();
    assert_eq!(catalogue::vendor_lists(&entry).remove(0).unwrap().file, None);
}

#[test]
fn printing_and_parsing_are_inverse_and_printing_is_stable() {
    let mut lock = fresh(&three()).as_lock();
    let text = print(&lock);
    assert_eq!(parse(&text, Rules::default()).unwrap(), lock);
    lock.entries.reverse();
    assert_eq!(print(&lock), text);
    assert!(text.contains("pinned-by = \"two or more independent public repositories\"\n"), "{text}");
}

#[test]
fn unknown_versions_stay_open_until_they_are_learned() {
    let mut reconciled = fresh(&[want("chezmoi", "2.72.0")]);
    let missing = reconciled.missing();
    assert_eq!(missing.len(), 2);
    assert_eq!(
        missing[0].lists[0].as_ref().unwrap().file.as_deref(),
        Some("chezmoi_2.72.0_linux_amd64.tar.gz")
    );
    assert_eq!(reconciled.clone().lock().unwrap_err(), ["chezmoi 2.72.0 (amd64)", "chezmoi 2.72.0 (arm64)"]);
    missing.iter().for_each(|hole| reconciled.learn(hole.slot, learned(0)));
    let text = print(&reconciled.as_lock());
    let again =
        reconcile(&[want("chezmoi", "2.72.0")], &parse(&text, Rules::default()).unwrap(), &Update::Nothing);
    let again = again.unwrap();
    assert_eq!(again.missing(), []);
    assert_eq!(print(&again.as_lock()), text, "a filled lock is not touched again");
}

#[test]
fn an_optional_hole_is_left_out_and_said() {
    let locked = fresh(&[Wanted { optional: true, ..want("chezmoi", "2.72.0") }]).lock().unwrap();
    assert_eq!((locked.entries().len(), locked.left_out().len()), (0, 2));
}

#[test]
fn another_version_is_stale_and_update_starts_anew() {
    let mut old = fresh(&[want("chezmoi", "2.71.0"), want("headscale", "0.26.1")]);
    old.missing().iter().for_each(|hole| old.learn(hole.slot, learned(0)));
    let old = old.as_lock();
    let wants = [want("chezmoi", "2.72.0"), want("headscale", "0.26.1")];
    let new = reconcile(&wants, &old, &Update::Nothing).unwrap();
    assert_eq!((new.stale.len(), new.missing().len()), (2, 2));
    let only = Update::Only(vec!["headscale".parse().unwrap()]);
    assert_eq!(reconcile(&wants, &old, &only).unwrap().missing().len(), 4);
    assert_eq!(reconcile(&wants, &old, &Update::Everything).unwrap().missing().len(), 4);
    assert_eq!(reconcile(&[], &old, &Update::Nothing).unwrap().stale.len(), 4);
}

#[test]
fn a_local_file_replaces_sources_and_pins_and_going_back_restores_them() {
    let local = Wanted { local: Some("file:fakes/k3s-{arch}".to_owned()), ..want("k3s", "v1.36.4+k3s1") };
    let mut reconciled = fresh(std::slice::from_ref(&local));
    let missing = reconciled.missing();
    assert_eq!(missing[1].entry.sources[0].url, SourceUrl::File("fakes/k3s-arm64".to_owned()));
    missing.iter().for_each(|hole| {
        reconciled.learn(hole.slot, Learned { pinned_by: PinnedBy::LocalFile, ..learned(0) });
    });
    let back = reconcile(&[want("k3s", "v1.36.4+k3s1")], &reconciled.as_lock(), &Update::Nothing).unwrap();
    assert_eq!(back.missing(), []);
    assert!(back.as_lock().entries.iter().all(|entry| entry.pinned_by == Some(PinnedBy::Repositories)));
}

#[test]
fn own_sources_fill_their_placeholders() {
    let url = "https://mirror.lan/{version}/tool-{arch}".parse().unwrap();
    let sources = vec![Source { url, digest: None, member: None }];
    let entry = fresh(&[Wanted { sources, ..want("tool", "1+2") }]).missing().remove(0).entry;
    assert_eq!(entry.sources[0].url.to_string(), "https://mirror.lan/1%2B2/tool-amd64");
}

#[test]
fn what_nobody_can_fetch_is_named() {
    let errors = reconcile(&[want("kmoga", "1"), want("k3s", "../../x")], &Lock::default(), &Update::Nothing);
    let errors: Vec<_> = errors.unwrap_err().iter().map(ToString::to_string).collect();
    assert!(
        errors[0].contains("no source is known for artifact `kmoga`") && errors[0].contains("docker-compose")
    );
    assert!(errors[1].contains("`../../x` is no version of artifact `k3s`"), "{errors:?}");
}

const GOOD: &str = r#"version = 1

[[artifact]]
name = "k3s"
version = "v1.36.4+k3s1"
arch = "arm64"
file = "k3s"
mode = "0755"
size = 71368866
digest = "sha256:c920706346d5ad4e5cd3c7bf1bb09ce71ebe07fec829e513e40f1caf98aed8bb"
pinned-by = "two or more independent public repositories"
[[artifact.source]]
url = "https://example.org/k3s-arm64"
"#;

#[test]
fn faults_name_line_span_and_what_to_do() {
    parse(GOOD, Rules::default()).unwrap();
    let table = [
        ("size = 71368866", "sise = 71368866", 9, "unknown field `sise`; did you mean `size`?"),
        ("size = 71368866", "size = -1", 9, "`size` is a count of bytes"),
        ("size = 71368866", "size = \"68 MiB\"", 9, "`size` is a count of bytes"),
        ("sha256:c9", "sha256:C9", 10, "lower case; correct `digest`"),
        ("sha256:c9", "c9", 10, "write sha256:"),
        ("8bb\"", "8b\"", 10, "here are 63"),
        ("two or more", "hearsay of", 11, "nobody is known as"),
        ("pinned-by", "# pinned-by", 3, "has `digest` or `pinned-by`, but not both"),
        ("https:", "gopher:", 13, "is no source: write https:, http:, file: or npm:"),
        ("https:", "http:", 13, "is plain http; use https, or set `allow-http = true`"),
        ("url =", "url = 3 #", 13, "`url` is not a string"),
        ("mode = \"0755\"", "mode = \"4755\"", 8, "is not a valid file mode"),
        ("file = \"k3s\"", "file = \"../k3s\"", 7, "is not a plain file name"),
        ("arch = \"arm64\"", "arch = \"armv7\"", 6, "write amd64 or arm64"),
        ("name = \"k3s\"", "", 3, "`name` is missing here"),
        ("version = 1\n", "version = 2\n", 1, "not a lock of version 1"),
        ("[[artifact]]", "[artifact]", 3, "`artifact` is not a list of tables"),
        ("mode = ", "mode ", 8, "restore the file from version control"),
    ];
    for (from, to, line, message) in table {
        let text = GOOD.replacen(from, to, 1);
        let faults = parse(&text, Rules::default()).unwrap_err();
        let fault = &faults.0[0];
        assert!(fault.to_string().contains(message), "{from} -> {to}: {faults}");
        assert_eq!(fault.line, line, "{from} -> {to}: {faults}");
        assert!(text.get(fault.span.clone()).is_some(), "{fault:?}");
    }
}

#[test]
fn all_faults_are_reported_at_once_and_twins_are_one() {
    let text = GOOD.replace("0755", "rwx").replace("sha256:c9", "sha256:xx");
    assert_eq!(parse(&text, Rules::default()).unwrap_err().0.len(), 2);
    let twice =
        format!("{GOOD}{}", &GOOD[GOOD.find("[[artifact]]").unwrap()..].replace("arch = \"arm64\"\n", ""));
    let faults = parse(&twice, Rules::default()).unwrap_err();
    assert!(faults.to_string().contains("k3s v1.36.4+k3s1 is already locked above"), "{faults}");
}

#[test]
fn plain_http_and_npm_need_what_they_need() {
    let http = GOOD.replace("https:", "http:");
    parse(&http, Rules { allow_http: true }).unwrap();
    for bad in
        ["npm:@scope/package", "npm:@1", "file:", "https:", "https:///x", "ftp://x", "mise", "https://a b"]
    {
        assert!(bad.parse::<SourceUrl>().is_err(), "{bad}");
    }
    assert_eq!("file:///a/b".parse(), Ok(SourceUrl::File("/a/b".to_owned())));
    assert_eq!("npm:@s/p@1.2".parse::<SourceUrl>().unwrap().to_string(), "npm:@s/p@1.2");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        drop(parse(&text, Rules::default()));
        drop(parse(&format!("version = 1\n[[artifact]]\nname = {text}"), Rules::default()));
    }
}

#[test]
fn render_is_given_what_is_pinned_and_nothing_else() {
    let mut lock = reconcile(
        &[want("k3s", "v1.36.4+k3s1"), want("k3s-install-script", "v1.36.4+k3s1")],
        &Lock::default(),
        &Update::Nothing,
    )
    .unwrap()
    .as_lock();
    let arm = lock.pins().get("k3s", Arch::Arm64).cloned().unwrap();
    assert_eq!(arm.pinned.size().map(|size| size.0), Some(71_368_866));
    // One file for both arches is a pin of each.
    assert!(Arch::ALL.iter().all(|arch| lock.pins().get("k3s-install-script", *arch).is_some()));
    for entry in &mut lock.entries {
        entry.digest = None;
    }
    assert_eq!(lock.pins().iter().count(), 0);
}

#[test]
fn a_node_is_told_the_downloads_it_can_ask_for_where_the_file_itself_is_not_pinned() {
    let lock = reconcile(&[want("mise", "2026.9.15")], &Lock::default(), &Update::Nothing).unwrap().as_lock();
    let arm = &lock.pins().get("mise", Arch::Arm64).cloned().unwrap();
    let download = "254f60912e73c9420f03be8bab90ac80c0056db6826814b1a91cb4a0f872c1db";
    let digest: desired::Digest = format!("sha256:{download}").parse().unwrap();
    // The npm package has no pin, and a node has no npm.
    assert_eq!(arm.pinned, desired::Pinned::Downloads([digest].into()));
    let amd = lock.pins().get("mise", Arch::Amd64).cloned().unwrap();
    assert_eq!(amd.pinned.size(), Some(desired::ByteSize(150_884_912)), "its own digest is known");
}
