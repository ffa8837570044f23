//! What was built for a cluster, for verbs that work with it: only if it still is what the profile would make.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blueprint::model::Model;
use desired::NodeName;
use desired::cluster_manifest::ClusterManifest;
use desired::resource::Resource;
use host::freshness::Record;

use super::freshness;
use super::summary::ClusterAnswer;
use crate::common::Common;
use crate::exit::{Code, Failure};
use crate::{load, repository};

/// The output of a cluster.
#[derive(Debug)]
pub struct Built {
    /// `dist/<cluster>`.
    pub folder: PathBuf,
    /// What is in it.
    pub manifest: ClusterManifest,
}

impl Built {
    /// What a node shall be, as it was built.
    ///
    /// # Errors
    /// If its file can't be read; the sentence says how it is made again.
    pub fn resources(&self, node: &NodeName) -> anyhow::Result<Vec<Resource>> {
        let path = self.folder.join("nodes").join(node.as_str()).join("resources.json");
        let read =
            || -> anyhow::Result<Vec<Resource>> { Ok(serde_json::from_slice(&std::fs::read(&path)?)?) };
        let cluster = &self.manifest.cluster;
        read().with_context(|| {
            format!("read {}; make it again: cargo xtask build-images {cluster}", path.display())
        })
    }
}

/// What `build-images` made of `model` in `out`.
///
/// # Errors
/// With code 5 if there is nothing, or it is not what would be made now.
pub fn built(common: &Common, out: &Path, model: &Model) -> Result<Built, Failure> {
    let folder = out.join(model.name.as_str());
    let refuse = |why: &str| {
        let sentence =
            format!("{} {why}; make it: cargo xtask build-images {}", folder.display(), model.name);
        Failure::new(Code::Missing, sentence)
    };
    let record =
        Record::read(&folder).ok_or_else(|| refuse("holds no bundles that were built to their end"))?;
    let answer: ClusterAnswer = serde_json::from_value(record.summary)
        .map_err(|_| refuse("was built by another version of this tool"))?;
    let (workspace, profiles) = (repository::root()?, load::profiles_folder(common)?);
    let inputs = freshness::Common::read(&workspace, &profiles, answer.made_with)?;
    let inputs = inputs.of_cluster(&profiles, model.name.as_str())?;
    match Record::fresh(&folder, &inputs) {
        Some(_) => Ok(Built { folder, manifest: answer.manifest }),
        None => Err(refuse("is not what the profile, the images or this tool would make now")),
    }
}
