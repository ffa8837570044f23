//! Where things are: the bundle, the node's file system, which node it is, and what the journal tells of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use desired::NodeName;
use desired::plan::Plan;
use desired::resource::Resource;
use host::bundle::{Bundle, verify};
use host::journal::{History, JournalError};
use host::observe;
use host::root::Root;
use host::verified::Verified;

use crate::exit::{Code, Failure};

/// Verifies the bundle at `named`, or the one this program is part of.
pub fn bundle(named: Option<&Path>) -> Result<Verified<Bundle>, Failure> {
    let place = match named {
        Some(place) => place.to_owned(),
        None => own_folder()?,
    };
    verify(&place).map_err(|error| {
        let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
        let context = format!("the bundle {} is not usable", place.display());
        Failure::new(code, anyhow::Error::new(error).context(context))
    })
}

fn own_folder() -> Result<PathBuf, Failure> {
    let program =
        std::env::current_exe().context("find out where this program lies; name the bundle instead");
    let program = program.map_err(|error| Failure::new(Code::Missing, error))?;
    Ok(program.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned))
}

/// The node's file system at `path`.
pub fn root(path: &Path) -> Result<Root, Failure> {
    Root::open(path)
        .with_context(|| format!("open the root {}", path.display()))
        .map_err(|error| Failure::new(Code::Missing, error))
}

/// The node that was named, or the one of this host name, and why; never a guess.
pub fn node(
    named: Option<&NodeName>,
    root: &Root,
    bundle: &Bundle,
) -> Result<(NodeName, &'static str), Failure> {
    let refuse = |why: String| {
        let names = bundle.nodes.keys().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
        Err(Failure::new(Code::Refused, anyhow!("{why}; name the node with --node, one of: {names}")))
    };
    if let Some(node) = named {
        let is_known = bundle.nodes.contains_key(node);
        let named = (node.clone(), "named by --node");
        return if is_known { Ok(named) } else { refuse(format!("this bundle has no node {node}")) };
    }
    let Some(hostname) = observe::hostname(root) else {
        return refuse("which node this is can't be told: it has no host name".to_owned());
    };
    match bundle.nodes.keys().find(|node| node.as_str().eq_ignore_ascii_case(&hostname)) {
        Some(node) => Ok((node.clone(), "its host name")),
        None => refuse(format!(
            "which node this is can't be told: its host name is `{}`",
            hostname.escape_debug()
        )),
    }
}

/// What the journal tells; nothing to whom it is not readable, since looking needs no rights.
pub fn history(root: &Root) -> Result<History, Failure> {
    match History::read(root) {
        Err(JournalError::File { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Ok(History::default())
        }
        other => other.map_err(journal),
    }
}

/// Looks at every resource and compares.
pub fn plan(
    root: &Root,
    node: &NodeName,
    resources: &[Resource],
    history: &History,
) -> Result<Plan, Failure> {
    Plan::make(resources, &observe::all(root, resources, history))
        .with_context(|| format!("the resources of {node} have no order"))
        .map_err(|error| Failure::new(Code::VerificationFailed, error))
}

/// The failure of a journal that can't be kept.
pub fn journal(error: JournalError) -> Failure {
    let code = if matches!(error, JournalError::Held(_)) { Code::Refused } else { Code::Unexpected };
    Failure::new(code, error)
}
