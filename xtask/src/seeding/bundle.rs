//! Where a node's bundle is: on the card if it fits with room to spare, else at the desk.

use super::{Boot, Options};
use crate::exit::{Code, Failure};
use crate::verbs::build_images::current::Built;
use blueprint::model::Node;
use blueprint::render::seed::BundlePlace;
use desired::ByteSize;
use std::path::PathBuf;

/// Of a boot partition so much stays free for kernels to come: a quarter, and never less than this.
const LEAST_SPARE: u64 = 16 << 20;

/// A node's bundle.
#[derive(Debug)]
pub struct Bundle {
    /// Its name, digest, and address where it does not lie on the card.
    pub place: BundlePlace,
    /// Its length.
    pub size: ByteSize,
    /// Its file at the desk.
    pub path: PathBuf,
}

/// The bundle of `node`, and where it will be.
pub(super) fn place(built: &Built, node: &Node, options: &Options, boot: &Boot) -> Result<Bundle, Failure> {
    let row = built.manifest.bundles.iter().find(|row| row.arch == node.arch).ok_or_else(|| {
        let why = format!(
            "there is no bundle for {}; make it: cargo xtask build-images {}",
            node.arch, built.manifest.cluster
        );
        Failure::new(Code::Missing, why)
    })?;
    let spare = (boot.size / 4).max(LEAST_SPARE);
    let fits = row.size.0.saturating_add(spare) <= boot.free.0;
    let address = match (fits, &options.serve) {
        (true, _) => None,
        (false, Some(desk)) => {
            Some(format!("{}/{}/{}", desk.trim_end_matches('/'), built.manifest.cluster, row.file))
        }
        (false, None) => {
            let why = format!(
                "{} has {}, and the boot partition {} free, of which {} stay so; let {} fetch it: --serve http://THIS-DESK:8742, and run cargo xtask serve",
                row.file,
                row.size,
                boot.free,
                ByteSize(spare),
                node.name
            );
            return Err(Failure::new(Code::Missing, why));
        }
    };
    let place = BundlePlace { file: row.file.clone(), digest: row.digest.clone(), address };
    Ok(Bundle { place, size: row.size, path: built.folder.join(&row.file) })
}
