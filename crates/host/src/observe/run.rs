//! Commands: whether their probe says that they have to run.

use desired::observed::{Answer, Observed};

use crate::process::Invocation;
use crate::root::Root;

/// Runs the probe, which changes nothing by its definition.
pub(crate) fn observe(root: &Root, unless: &[String]) -> Observed {
    if !root.is_live() {
        return Observed::Run { needed: Answer::later("commands run on the running node alone") };
    }
    let needed = match call(unless).map(|call| call.accept((0..=255).collect::<Vec<i32>>()).run()) {
        Some(Ok(output)) => Answer::Known(output.code != 0),
        Some(Err(error)) if error.is_missing() => {
            Answer::unknown(format!("the program of its probe is not here yet: {}", unless.join(" ")))
        }
        Some(Err(error)) => Answer::unknown(format!("its probe gave no answer: {error}")),
        None => Answer::unknown("it has no probe"),
    };
    Observed::Run { needed }
}

/// The words of a command as a call; none where there are no words.
pub(crate) fn call(words: &[String]) -> Option<Invocation> {
    let (program, arguments) = words.split_first()?;
    Some(Invocation::new(program).args(arguments))
}
