//! One server, and every way it fails.

use super::*;

#[test]
fn an_honest_server_is_asked_once_and_the_cache_answers_afterwards() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    let requests = bench.assert_next_run_continues(&want(&[&url]), "/tool");
    assert_eq!(requests, ["GET /tool"]);
    assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests().len(), 1, "the second run asked nobody");
    let finished = |event: &Event| matches!(event, Event::Finished { note, .. } if note == "verified");
    assert!(bench.report.recorded().iter().any(finished));
}

#[test]
fn a_missing_file_is_exit_5_and_not_deferred() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Status("404 Not Found"));
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    assert_eq!(
        told(&error, &url, "answered 404 Not Found", "correct the version of tool in cluster.toml"),
        5
    );
    bench.assert_clean();
    bench.assert_next_run_continues(&want(&[&url]), "/tool");
}

#[test]
fn a_busy_server_is_asked_again_and_then_the_file_is_deferred() {
    let mut bench = Bench::new();
    bench.options.retries = 2;
    let url = bench.server.set("/tool", Behaviour::Status("503 Service Unavailable"));
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert_eq!(why, format!("{url}: answered 503 Service Unavailable"));
    assert_eq!(bench.server.requests().len(), 3, "once and two repetitions");
    bench.assert_clean();
    bench.options.air_gap = true;
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    assert_eq!(told(&error, &url, "answered 503", "--air-gap leaves nothing to the node"), 5);
    bench.server.set("/tool", Behaviour::Busy("503 Service Unavailable", 2, file()));
    assert!(
        matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)),
        "the third answer was the file"
    );
}

#[test]
fn a_redirect_to_plain_http_elsewhere_is_refused() {
    let bench = Bench::new();
    let elsewhere = LyingServer::start();
    let target = elsewhere.set("/tool", Behaviour::Honest(file()));
    let url = bench.server.set("/tool", Behaviour::Redirect(target.clone()));
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    assert_eq!(
        told(&error, &url, &format!("redirects to {target}, which is not https"), "name another source"),
        5
    );
    assert_eq!(elsewhere.requests(), Vec::<String>::new(), "nobody asked there");
    bench.assert_clean();
    bench.assert_next_run_continues(&want(&[&url]), "/tool");
}

#[test]
fn redirects_on_the_same_server_are_followed_but_not_for_ever() {
    let bench = Bench::new();
    bench.server.set("/file", Behaviour::Honest(file()));
    let url = bench.server.set("/tool", Behaviour::Redirect("/file".to_owned()));
    assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)));
    let round = bench.server.set("/round", Behaviour::Redirect("/round".to_owned()));
    let other = Want { digest: Some(Digest::sha256_of(b"x")), size: None, ..want(&[&round]) };
    let error = bench.fetch(&other).unwrap_err();
    assert_eq!(told(&error, &round, "redirected more than 8 times", "name another source"), 5);
}

#[test]
fn plain_http_needs_the_specs_word() {
    let mut bench = Bench::new();
    bench.options.allow_http = false;
    let url = bench.server.set("/tool", Behaviour::Honest(file()));
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    assert_eq!(told(&error, &url, "set `allow-http = true`", "name another source"), 5);
    assert_eq!(bench.server.requests(), Vec::<String>::new());
}

#[test]
fn a_wrong_length_is_exit_6_before_anything_is_downloaded() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Honest(file()[..1000].to_vec()));
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    let help = "cargo xtask lock --update tool";
    assert_eq!(told(&error, &url, "has 1000 bytes, pinned are 800000", help), 6);
    bench.assert_clean();
    bench.assert_next_run_continues(&want(&[&url]), "/tool");
}

#[test]
fn wrong_bytes_of_the_right_length_are_exit_6() {
    let bench = Bench::new();
    let mut wrong = file();
    wrong[700_000] ^= 1;
    let url = bench.server.set("/tool", Behaviour::Honest(wrong.clone()));
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    let (pinned, got) = (Digest::sha256_of(&file()), Digest::sha256_of(&wrong));
    assert_eq!(told(&error, &url, &format!("pinned {pinned}, got {got}"), "nothing of it was kept"), 6);
    bench.assert_clean();
    bench.assert_next_run_continues(&want(&[&url]), "/tool");
}

#[test]
fn a_cut_download_is_deferred_and_the_next_run_asks_only_for_the_rest() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Cut(file(), 400_000));
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert!(why.contains("was cut off after 400000 of 800000 bytes; what came so far is kept"), "{why}");
    let hex = Digest::sha256_of(&file()).hex().to_owned();
    assert_eq!(bench.names("sha256"), Vec::<String>::new());
    assert_eq!(bench.names("partial"), [format!("{hex}.etag"), format!("{hex}.part")]);
    let requests = bench.assert_next_run_continues(&want(&[&url]), "/tool");
    assert_eq!(requests, ["GET /tool 400000-"]);
}

#[test]
fn a_cut_is_continued_within_the_run_too() {
    let mut bench = Bench::new();
    bench.options.retries = 1;
    let url = bench.server.set("/tool", Behaviour::CutOnce(file(), 400_000));
    assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests(), ["GET /tool", "GET /tool 400000-"]);
}

#[test]
fn a_stalled_download_is_deferred_in_time_and_continued() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Stall(file()));
    let start = std::time::Instant::now();
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert!(why.contains("stalled after 400000 of 800000 bytes"), "{why}");
    // The server says nothing more for 90 seconds.
    assert!(start.elapsed() < Duration::from_secs(30));
    let requests = bench.assert_next_run_continues(&want(&[&url]), "/tool");
    assert_eq!(requests, ["GET /tool 400000-"]);
}

#[test]
fn a_server_that_stays_silent_is_not_asked_a_third_time() {
    let mut bench = Bench::new();
    bench.options.retries = 3;
    let url = bench.server.set("/tool", Behaviour::Stall(file()));
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert!(why.contains("stalled"), "{why}");
    assert_eq!(bench.server.requests(), ["GET /tool", "GET /tool 400000-"]);
}

#[test]
fn a_server_that_ignores_ranges_gives_everything_again() {
    let bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Cut(file(), 400_000));
    bench.fetch(&want(&[&url])).unwrap();
    bench.server.set("/tool", Behaviour::NoRanges(file()));
    let Fetched::Ready(got) = bench.fetch(&want(&[&url])).unwrap() else { panic!("not there") };
    assert_eq!(fs::read(&got.path).unwrap(), file());
    assert_eq!(bench.server.requests()[1], "GET /tool 400000-");
}

#[test]
fn an_answer_to_another_range_starts_over() {
    let mut bench = Bench::new();
    let url = bench.server.set("/tool", Behaviour::Cut(file(), 400_000));
    bench.fetch(&want(&[&url])).unwrap();
    bench.options.retries = 1;
    bench.server.set("/tool", Behaviour::OtherRange(file()));
    assert!(matches!(bench.fetch(&want(&[&url])).unwrap(), Fetched::Ready(_)));
    assert_eq!(bench.server.requests()[1..], ["GET /tool 400000-", "GET /tool"]);
}

#[test]
fn a_beginning_of_another_version_is_thrown_away_once() {
    let bench = Bench::new();
    let mut other = file();
    other[0] ^= 1;
    let url = bench.server.set("/tool", Behaviour::Cut(other, 400_000));
    bench.fetch(&want(&[&url])).unwrap();
    // The version's name is gone, as if another mirror had given the beginning: only the digest can tell.
    fs::remove_file(bench.options.cache.partial(&format!("{}.etag", Digest::sha256_of(&file()).hex())))
        .unwrap();
    let requests = bench.assert_next_run_continues(&want(&[&url]), "/tool");
    assert_eq!(requests, ["GET /tool 400000-", "GET /tool"]);
}

#[test]
fn a_server_nobody_listens_at_is_deferred_or_exit_5() {
    let mut bench = Bench::new();
    // Of a protocol that nobody speaks; what the system gives out lies far above.
    let url = "http://127.0.0.1:9/tool".to_owned();
    let Fetched::Deferred { why } = bench.fetch(&want(&[&url])).unwrap() else { panic!("not deferred") };
    assert!(why.contains("no connection (") && why.contains("refused"), "{why}");
    bench.options.air_gap = true;
    let error = bench.fetch(&want(&[&url])).unwrap_err();
    assert_eq!(told(&error, &url, "no connection", "`file:` source for tool in cluster.toml"), 5);
    bench.assert_clean();
}
