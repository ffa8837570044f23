use super::*;

fn sh(script: &str) -> Invocation {
    Invocation::new("sh").args(["-c", script])
}

#[test]
fn gives_output_in_the_c_locale_with_empty_input() {
    let output = sh("echo $LC_ALL; cat; echo talk >&2").env("LANG", "de_DE.UTF-8").run().unwrap();
    assert_eq!((output.text().as_str(), output.stderr_tail.as_str(), output.code), ("C", "talk\n", 0));
}

#[test]
fn feeds_input_and_secrets_but_never_shows_them() {
    let call = sh("cat; echo $TOKEN").stdin("in-").env_secret("TOKEN", Secret::new("hush"));
    assert_eq!(call.run().unwrap().text(), "in-hush");
    assert!(!format!("{call:?} {}", call.line()).contains("hush"));
}

#[test]
fn the_last_word_on_a_variable_counts() {
    let call = sh("echo ${A-gone} ${B-gone}").env("A", "1").env_remove("A").env("B", "1").env("B", "2");
    assert_eq!(call.run().unwrap().text(), "gone 2");
}

#[test]
fn an_input_nobody_reads_is_no_error() {
    assert_eq!(sh("exit 0").stdin(vec![b'x'; 1 << 20]).run().unwrap().code, 0);
}

#[test]
fn a_file_is_read_from_where_it_stands_and_tells_how_far() {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    file.seek(std::io::SeekFrom::Start(4)).unwrap();
    let file = std::sync::Arc::new(file);
    let output = sh("cat").stdin_file(std::sync::Arc::clone(&file)).run().unwrap();
    assert_eq!(output.text(), "456789");
    assert_eq!((&*file).stream_position().unwrap(), 10);
}

#[test]
fn a_failure_shows_line_status_and_the_end_of_stderr() {
    let error = sh("i=0; while [ $i -lt 999 ]; do i=$((i+1)); echo \"line é $i\" >&2; done; exit 7")
        .run()
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("sh -c 'i=0;") && text.contains("ended with exit status 7"), "{text}");
    assert!(text.contains("line é 999") && !text.contains("line é 1\n"), "{text}");
    assert!(error.tail().len() <= Invocation::STDERR_TAIL && !text.contains('\u{FFFD}'), "{text}");
}

#[test]
fn an_answer_carries_more_of_stderr_than_an_error() {
    let output = sh("i=0; while [ $i -lt 9999 ]; do i=$((i+1)); echo \"line é $i\" >&2; done").run().unwrap();
    let kept = output.stderr_tail.len();
    assert!((Invocation::STDERR_KEPT - 4..=Invocation::STDERR_KEPT).contains(&kept), "{kept}");
    assert!(output.stderr_tail.ends_with("line é 9999\n") && output.stderr_tail.contains("line é 9000\n"));
}

#[test]
fn accepted_codes_are_answers() {
    assert_eq!(sh("exit 3").accept([0, 3]).run().unwrap().code, 3);
    assert!(sh("exit 0").accept([3]).run().is_err());
}

#[test]
fn a_signal_is_told_from_a_status() {
    let text = sh("kill -9 $$").run().unwrap_err().to_string();
    assert!(text.contains("was killed by signal 9"), "{text}");
}

#[test]
fn a_missing_program_and_a_missing_folder_are_told_apart() {
    let error = Invocation::new("no-such-program").if_missing("apt-get install -y it").run().unwrap_err();
    assert!(error.is_missing());
    assert!(error.to_string().contains("this installs it: apt-get install -y it"), "{error}");
    let error = sh("true").folder("/no/such/folder").run().unwrap_err();
    assert!(error.to_string().contains("working folder /no/such/folder"), "{error}");
}

#[test]
fn time_runs_out_and_what_was_said_is_kept() {
    let start = std::time::Instant::now();
    let call = sh("echo stuck >&2; exec sleep 90").timeout(Duration::from_secs(3));
    let text = call.run().unwrap_err().to_string();
    assert!(text.contains("did not end within 3s") && text.contains("stuck"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_silent_child_is_timed_out_too() {
    let error = sh("exec >&- 2>&-; exec sleep 30").timeout(Duration::from_millis(300)).run().unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
}

#[test]
fn a_daemon_left_behind_does_not_hold_us() {
    let start = std::time::Instant::now();
    let output = sh("sleep 60 & echo started").run().unwrap();
    assert_eq!(output.text(), "started");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_daemon_that_never_stops_to_write_does_not_hold_us() {
    let start = std::time::Instant::now();
    // It ends by itself when nobody reads any more.
    let output = sh("(while echo noise; do sleep 0.02; done) & echo started").run().unwrap();
    assert!(output.text().contains("started"), "{}", output.text());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn lines_stream_as_they_come() {
    let mut lines = Vec::new();
    let output = sh("echo one >&2; printf 'two\\rthree' >&2; echo out")
        .run_streaming(|line| lines.push(line.to_owned()));
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(output.unwrap().text(), "out");
}

#[test]
fn lines_can_be_pasted() {
    let line = Invocation::new("echo").args(["a b", "", "it's", "x=1", "$HOME"]).line();
    assert_eq!(line, r"echo 'a b' '' 'it'\''s' x=1 '$HOME'");
    let echoed = Invocation::new("sh").arg("-c").arg(&line).run().unwrap();
    assert_eq!(echoed.text(), "a b  it's x=1 $HOME");
}

#[test]
fn programs_are_found_on_path_only_when_executable() {
    assert!(find_program("sh").is_some());
    assert!(find_program("/etc/passwd").is_none() && find_program("no-such-program").is_none());
}
