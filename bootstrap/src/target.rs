//! What most verbs are told: which bundle, signed by whom, which node, and whose file system. Given nothing, all of it is
//! found out. Out: the node's root, and what it shall be.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use desired::NodeName;
use host::bundle::{AtHand, Bundle, BundleError, verify};
use host::journal::Remembered;
use host::root::Root;
use host::verified::Verified;

use crate::exit::{Code, Failure};
use crate::place::{self, Subject};

/// Arguments of every verb that compares a node with what it shall be.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Target {
    /// The bundle, a folder or a tar.gz [default: the folder this program lies in, else, just to look, what the last join left]
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// The public key that must have signed the bundle, a file of minisign [default: /etc/rootstock/key.pub, if it is there]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Which node this is [default: the one of this host name, hardware address or serial number]
    #[arg(long)]
    node: Option<NodeName>,
    /// The folder that holds the node's file system; the system around a container is entered
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

impl Target {
    /// The node's file system, and where its bundle is then. The system around a container is entered.
    pub fn open(&self) -> Result<(Root, PathBuf), Failure> {
        place::open(&self.root, self.bundle.as_deref())
    }

    /// Whether neither bundle nor node is named.
    pub const fn names_nothing(&self) -> bool {
        self.bundle.is_none() && self.node.is_none()
    }

    /// The verified bundle at `place`, and what this machine shall be by it.
    pub fn bundle(&self, place: &Path, root: &Root) -> Result<(Verified<Bundle>, Subject), Failure> {
        let key = place::key(self.public_key.as_deref(), root)?;
        let bundle = place::bundle(place, key.as_ref())?;
        let subject = Subject::of(self.node.as_ref(), root, &bundle)?;
        Ok((bundle, subject))
    }

    /// What this machine shall be: by the bundle at `place`; where none lies there and none was named, by what is
    /// remembered of the last join.
    pub fn subject(&self, place: &Path, root: &Root) -> Result<Subject, Failure> {
        let key = place::key(self.public_key.as_deref(), root)?;
        let none = match verify(place, key.as_ref()) {
            Ok(bundle) => return Subject::of(self.node.as_ref(), root, &bundle),
            Err(none @ BundleError::NoBundle(_)) if self.bundle.is_none() => none,
            Err(error) => return Err(place::unusable(place, error)),
        };
        let Some(Remembered { cluster, node: joined, arch, bundle, resources, .. }) =
            Remembered::read(root).map_err(place::journal)?
        else {
            return Err(place::unusable(place, none));
        };
        if let Some(node) = self.node.as_ref().filter(|node| **node != joined) {
            let why =
                anyhow!("this machine was joined as {joined}, not as {node}; name the bundle with --bundle");
            return Err(Failure::new(Code::Refused, why));
        }
        let why = "as it was joined".to_owned();
        Ok(Subject {
            cluster,
            node: joined,
            why,
            arch,
            digest: bundle,
            resources,
            at_hand: AtHand::default(),
        })
    }
}
