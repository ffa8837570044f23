use super::lines::{json, plain, sentence};
use super::*;

fn plain_lines(events: &[Event]) -> Vec<String> {
    let mut out = Vec::new();
    events.iter().for_each(|event| plain(event, &mut out));
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_tasks_life_reads_well() {
    let report = Report::recording();
    let task = report.task(Kind::Download, "k3s v1.36.4+k3s1 arm64", Some(71_368_866));
    task.inc(35_684_433);
    task.finish("verified");
    report.say("2 artifacts deferred");
    let lines = plain_lines(&report.recorded());
    assert_eq!(lines[0], "download k3s v1.36.4+k3s1 arm64, 68.1 MiB");
    assert_eq!(lines[1], "download k3s v1.36.4+k3s1 arm64: 34.0 MiB of 68.1 MiB (50 %)");
    assert!(lines[2].starts_with("download k3s v1.36.4+k3s1 arm64: done in "), "{}", lines[2]);
    assert!(lines[2].ends_with(", verified"), "{}", lines[2]);
    assert_eq!(lines[3], "2 artifacts deferred");
}

#[test]
fn steps_are_not_bytes_and_totals_may_be_unknown() {
    let report = Report::recording();
    let task = report.task(Kind::Compile, "bootstrap", None);
    task.set(2048);
    task.fail("no linker");
    let lines = plain_lines(&report.recorded());
    assert_eq!(
        lines,
        ["compile bootstrap", "compile bootstrap: 2048", "compile bootstrap: failed, no linker"]
    );
}

#[test]
fn steps_are_lines_and_what_is_only_shown_is_none() {
    let report = Report::recording();
    let task = report.task(Kind::Node, "rpi-01", None);
    task.step("is reached");
    task.show("12 %");
    task.finish("converged");
    let lines = plain_lines(&report.recorded());
    assert_eq!(lines[..2], ["node rpi-01", "node rpi-01: is reached"]);
    assert!(lines.len() == 3 && lines[2].ends_with("converged"), "{lines:?}");
}

#[test]
fn a_dropped_task_counts_as_failed_and_a_finished_one_does_not() {
    let report = Report::recording();
    drop(report.task(Kind::Pack, "bundle", None));
    report.task(Kind::Pack, "bundle", Some(0)).finish("");
    let events = report.recorded();
    assert!(matches!(&events[1], Event::Failed { why, .. } if why == "given up"));
    assert!(matches!(events[3], Event::Finished { .. }) && events.len() == 4);
}

#[test]
fn json_lines_are_versioned_objects() {
    let mut out = Vec::new();
    let event =
        Event::Advanced { task: 3, kind: Kind::Push, label: "a\n\"b\"".to_owned(), done: 1, total: None };
    json(&event, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["event"], "advanced");
    assert_eq!(value["kind"], "push");
    assert_eq!(value["label"], "a\n\"b\"");
}

#[test]
fn progress_without_a_terminal_is_at_most_one_line_a_second() {
    // The throttle looks at the consumer's interval, so a plain report is watched through its own clock.
    let report = Report::with(Consumer::Plain);
    let task = report.task(Kind::Download, "throttled", Some(1000));
    let first = *lock(&task.told);
    (0..1000).for_each(|_| task.inc(1));
    assert_eq!(*lock(&task.told), first, "a second has not passed, so nothing was told");
    assert_eq!(task.done.load(Ordering::Relaxed), 1000);
    *lock(&task.told) = first.checked_sub(Duration::from_secs(2)).unwrap();
    task.inc(1);
    assert!(*lock(&task.told) >= first, "told again after a second");
    task.finish("");
}

#[test]
fn threads_share_one_report() {
    let report = Report::recording();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let report = report.clone();
            scope.spawn(move || {
                let task = report.task(Kind::Pack, format!("layer {number}"), Some(100));
                (0..100).for_each(|_| task.inc(1));
                task.finish("");
            });
        }
    });
    let finished = report.recorded();
    let finished = finished.iter().filter(|event| matches!(event, Event::Finished { done: 100, .. }));
    assert_eq!(finished.count(), 8);
}

#[test]
fn long_work_is_timed_in_minutes() {
    let event = Event::Finished {
        task: 1,
        kind: Kind::Image,
        label: "node-tools".to_owned(),
        done: 4,
        millis: 61_500,
        note: String::new(),
    };
    assert_eq!(sentence(&event), "image node-tools: done in 1 min 1 s");
}
