//! Where things are: the node's file system, the bundle or what is remembered of it, which node it is, and what the
//! journal tells of it.

use std::fs::File;
use std::os::fd::IntoRawFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use desired::identity::{Unrecognised, recognise};
use desired::plan::Plan;
use desired::resource::Resource;
use desired::{Arch, ClusterName, Digest, NodeName};
use host::bundle::{AtHand, Bundle, BundleError, verify};
use host::journal::{FORMAT, History, Journal, JournalError, Remembered};
use host::observe;
use host::report::Report;
use host::root::Root;
use host::running_system::{Standing, enter, standing};
use host::signature::PublicKey;
use host::verified::Verified;

use crate::ask;
use crate::exit::{Code, Failure};

/// Where a card, or a person, pins the key whose owner is believed.
const PINNED: &str = "/etc/rootstock/key.pub";

/// What a node shall be, from a bundle or from what was remembered of one.
pub struct Subject {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Which node.
    pub node: NodeName,
    /// What says so.
    pub why: String,
    /// The bundle's architecture.
    pub arch: Arch,
    /// The bundle's identity.
    pub digest: Digest,
    /// What it shall be, this program on it included.
    pub resources: Vec<Resource>,
    /// The bundle's files, as far as they can be compared with.
    pub at_hand: AtHand,
}

impl Subject {
    /// The node of a bundle that this machine is.
    pub fn of(named: Option<&NodeName>, root: &Root, bundle: &Verified<Bundle>) -> Result<Self, Failure> {
        let (node, why) = node(named, root, bundle)?;
        let manifest = &bundle.manifest;
        let mut resources: Vec<Resource> = manifest.program().into_iter().collect();
        resources.extend(bundle.nodes[&node].iter().cloned());
        let (cluster, digest) = (manifest.cluster.clone(), bundle.digest.clone());
        let at_hand = AtHand::of(bundle);
        Ok(Self { cluster, node, why, arch: manifest.arch, digest, resources, at_hand })
    }
    /// The form in which the node remembers it.
    pub fn to_remember(&self) -> Remembered {
        Remembered {
            format: FORMAT,
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            arch: self.arch,
            bundle: self.digest.clone(),
            resources: self.resources.clone(),
        }
    }
}

/// The node's file system at `root`, and where its bundle is then: what is named, or the folder this program lies in.
/// The running system around a container is entered.
pub fn open(root: &Path, bundle: Option<&Path>) -> Result<(Root, PathBuf), Failure> {
    let missing = |error: anyhow::Error| Failure::new(Code::Missing, error);
    let what = || format!("open the root {}", root.display());
    let bundle = bundle.map_or_else(own_folder, |bundle| Ok(bundle.to_owned()))?;
    let standing = standing(root).map_err(|error| {
        let is_denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let hint = if is_denied { "; a container needs --privileged and --pid host for that" } else { "" };
        missing(anyhow::Error::new(error).context(format!("open the root {}{hint}", root.display())))
    });
    match standing? {
        Standing::Around => {
            // What is open stays open in the other system, which has another file of that name or none.
            let bundle = File::open(&bundle).with_context(|| format!("open the bundle {}", bundle.display()));
            let bundle = bundle.map_err(missing)?.into_raw_fd();
            enter()
                .context("enter the system around this container; it needs --privileged")
                .map_err(missing)?;
            listen();
            let root = Root::open(Path::new("/")).with_context(what).map_err(missing)?;
            Ok((root, PathBuf::from(format!("/proc/self/fd/{bundle}"))))
        }
        Standing::OutOfReach => Err(missing(anyhow!(
            "{} is a running system seen from a container that does not see its processes; start the container with --pid host",
            root.display()
        ))),
        Standing::Ours | Standing::Folder => {
            listen();
            Ok((Root::open(root).with_context(what).map_err(missing)?, bundle))
        }
    }
}

/// The key whose signature a bundle must have: the one that is named, or the one pinned on the node; without either a
/// bundle need not be signed.
pub fn key(named: Option<&Path>, root: &Root) -> Result<Option<PublicKey>, Failure> {
    let (path, text) = match named {
        Some(path) => (path.display().to_string(), std::fs::read_to_string(path).map(Some)),
        None => (PINNED.to_owned(), root.read_text(PINNED)),
    };
    // A key that can't be read is no reason to believe everybody.
    let text = text.with_context(|| format!("read the public key {path}"));
    let text = text.map_err(|error| Failure::new(Code::Missing, error))?;
    let key = text.map(|text| PublicKey::parse(&text)).transpose();
    key.map_err(|why| {
        Failure::new(Code::VerificationFailed, anyhow!("the public key {path} is not usable: {why}"))
    })
}

/// From here on ^C ends children too; without it, it would end this program alone. Not earlier: it takes a thread, and
/// setns(2) lets no process with several threads enter a mount namespace.
fn listen() {
    let _ = host::interrupt::listen();
}

/// Stops a verb that was asked to end; what is not done is seen by the next run.
pub fn go_on() -> Result<(), Failure> {
    if host::interrupt::came() {
        return Err(Failure::new(Code::Interrupted, anyhow!("interrupted")));
    }
    Ok(())
}

/// Verifies the bundle at `place`.
pub fn bundle(place: &Path, key: Option<&PublicKey>) -> Result<Verified<Bundle>, Failure> {
    verify(place, key).map_err(|error| unusable(place, error))
}

/// Why a bundle can't be used, with the exit code for it.
pub fn unusable(place: &Path, error: BundleError) -> Failure {
    let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
    let context = format!("the bundle {} is not usable", place.display());
    Failure::new(code, anyhow::Error::new(error).context(context))
}

/// The folder this program lies in, where a bundle is named by nobody.
pub fn own_folder() -> Result<PathBuf, Failure> {
    let program =
        std::env::current_exe().context("find out where this program lies; name the bundle instead");
    let program = program.map_err(|error| Failure::new(Code::Missing, error))?;
    Ok(program.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned))
}

/// The node that was named, or the one that every trace of this machine leads to, or what is answered on the terminal;
/// and why. Never a guess.
fn node(named: Option<&NodeName>, root: &Root, bundle: &Bundle) -> Result<(NodeName, String), Failure> {
    let refuse = |why: String| {
        let names = bundle.nodes.keys().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
        Err(Failure::new(Code::Refused, anyhow!("{why}; name the node with --node, one of: {names}")))
    };
    let known = |node: &NodeName, why: String| {
        let is_known = bundle.nodes.contains_key(node);
        if is_known { Ok((node.clone(), why)) } else { refuse(format!("this bundle has no node {node}")) }
    };
    let found = recognise(bundle.nodes.keys(), &bundle.manifest.identities, &observe::traces(root));
    match (named, found) {
        (None, Ok((node, trace))) => known(&node, format!("by {trace}")),
        // Whoever names a node knows more than the machine, and is told what it says.
        (Some(node), Ok((other, trace))) if *node != other => {
            known(node, format!("named by --node, although {trace} says {other}"))
        }
        (Some(node), Ok(_) | Err(Unrecognised::Nothing(_))) => known(node, "named by --node".to_owned()),
        (Some(node), Err(doubt)) => known(node, format!("named by --node, although {doubt}")),
        (None, Err(doubt @ Unrecognised::Nothing(_))) => {
            match ask::which(&doubt.to_string(), bundle.nodes.keys())? {
                Some(node) => Ok((node, "answered on the terminal".to_owned())),
                None => refuse(doubt.to_string()),
            }
        }
        (None, Err(doubt)) => refuse(doubt.to_string()),
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

/// Looks at these resources of it and compares.
pub fn plan(
    root: &Root,
    subject: &Subject,
    resources: &[Resource],
    history: &History,
) -> Result<Plan, Failure> {
    Plan::make(resources, &observe::all(root, resources, history, &subject.at_hand))
        .with_context(|| format!("the resources of {} have no order", subject.node))
        .map_err(|error| Failure::new(Code::VerificationFailed, error))
}

/// How long what a cut-off run left at work is waited for: packages on a slow card.
const ORPHANS: Duration = Duration::from_secs(900);

/// Opens the journal for `verb`, once nothing works any more that a cut-off run has started. What begins here goes to its
/// end, also when the connection of who began it breaks.
pub fn begin<'a>(
    root: &'a Root,
    verb: &str,
    bundle: Option<&Digest>,
    report: &Report,
) -> Result<Journal<'a>, Failure> {
    host::interrupt::outlive_hangup();
    let (deadline, mut is_said) = (Instant::now() + ORPHANS, false);
    loop {
        match Journal::open(root, verb, env!("CARGO_PKG_VERSION"), bundle) {
            Err(error @ JournalError::Orphans(_)) if Instant::now() < deadline => {
                if !is_said {
                    report.say(format!("waiting: {error}"));
                }
                is_said = true;
                std::thread::sleep(Duration::from_millis(250));
            }
            other => return other.map_err(journal),
        }
    }
}

/// The failure of a journal that can't be kept.
pub fn journal(error: JournalError) -> Failure {
    let code = if matches!(error, JournalError::Held(_) | JournalError::Orphans(_)) {
        Code::Refused
    } else {
        Code::Unexpected
    };
    Failure::new(code, error)
}
