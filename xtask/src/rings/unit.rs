//! The unit ring: cargo's own test programs, libraries and binaries first, then the examples in the documentation.

use super::tally::{Note, Tally};
use super::{LIMIT, Ring, Settings, say};
use host::process::Invocation;
use std::time::Instant;

pub(super) fn run(settings: &Settings) -> Tally {
    let started = Instant::now();
    let mut tally = Tally::new(Ring::Unit);
    for kind in [&["--lib", "--bins"][..], &["--doc"]] {
        let call = Invocation::new("cargo")
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(kind.iter().copied());
        // 101 is "a test failed": the answer is then in the output.
        let call = call.folder(&settings.root).timeout(LIMIT).accept([0, 101]);
        match call.run_streaming(say) {
            Ok(output) => {
                let before = tally.failed.len();
                let text = output.text();
                count(&text, &mut tally);
                if output.code != 0 {
                    say(&text);
                    if tally.failed.len() == before {
                        tally.fail(
                            &call.line(),
                            "ended with an error and named no test; see what it said above",
                        );
                    }
                }
            }
            Err(error) => tally.fail("cargo test", error.to_string()),
        }
    }
    tally.seconds = started.elapsed().as_secs_f64();
    tally
}

/// Reads the standard test program's output: `test NAME ... ok`, `FAILED`, or `ignored[, reason]`.
fn count(output: &str, tally: &mut Tally) {
    for line in output.lines() {
        let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        else {
            continue;
        };
        // A test of the documentation carries its kind before the dots.
        let name = name.trim().to_owned();
        match outcome.split_once(", ").unwrap_or((outcome, "")) {
            ("ok", _) => tally.passed += 1,
            ("FAILED", _) => tally.failed.push(Note { name, why: "see its output above".to_owned() }),
            ("ignored", why) => {
                let why = if why.is_empty() { "ignored without a reason" } else { why };
                tally.skip(&name, why);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_test_program_prints() {
        // From a run of cargo 1.95.
        let output = "running 4 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest a::d ... ignored, needs a disk\n\
                      test src/process/mod.rs - process::Invocation (line 35) - compile fail ... ok\n\nfailures:\n    a::c\n\n\
                      test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let mut tally = Tally::new(Ring::Unit);
        count(output, &mut tally);
        assert_eq!(tally.passed, 2);
        assert_eq!(tally.failed[0].name, "a::c");
        assert_eq!(tally.skipped[0].why, "needs a disk");
    }
}
