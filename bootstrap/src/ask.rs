//! The questions before something is changed: which node this is, where nothing tells, and whether to go on.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::anyhow;
use desired::NodeName;

use crate::exit::{Code, Failure};

/// Asks which of `nodes` this is, after `doubt`; without a terminal there is no answer.
pub fn which<'a>(
    doubt: &str,
    nodes: impl IntoIterator<Item = &'a NodeName>,
) -> Result<Option<NodeName>, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let nodes: Vec<&NodeName> = nodes.into_iter().collect();
    let names: Vec<&str> = nodes.iter().map(|node| node.as_str()).collect();
    // A terminal that takes no question gives no answer either.
    let _ = write!(std::io::stderr().lock(), "{doubt}\nwhich one is it, {}? ", names.join(", "));
    let mut answer = String::new();
    let _ = stdin.lock().read_line(&mut answer);
    match nodes.into_iter().find(|node| node.as_str() == answer.trim()) {
        Some(node) => Ok(Some(node.clone())),
        None => Err(Failure::new(Code::Refused, anyhow!("that is none of them, so nothing was changed"))),
    }
}

/// Asks `question` on the terminal; without one nobody can answer, so nothing is done.
pub fn confirm(question: &str) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::new(Code::Refused, anyhow!("{why}")));
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return refuse(
            "there is no terminal to ask on, so nothing was changed; add --yes to go on without asking",
        );
    }
    // A terminal that takes no question gives no answer either.
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    match stdin.lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => refuse("not confirmed, so nothing was changed"),
    }
}
