//! What can go wrong while rendering: what was rendered, for which node, and what to do.

use desired::order::OrderError;
use desired::resource::ResourceId;
use desired::{Arch, ArtifactName, Invalid, NodeName};

use crate::escape::Inexpressible;

/// Why a node or a cluster could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// An artifact a family needs has no pin.
    #[error("render {node}: {artifact} has no pin for {arch}; run `cargo xtask lock` to fill lock.toml")]
    Unpinned {
        /// The artifact.
        artifact: ArtifactName,
        /// For which architecture.
        arch: Arch,
        /// The node that needs it.
        node: NodeName,
    },
    /// The lock pins another version than the profile wants.
    #[error(
        "render {node}: {artifact} is pinned at {pinned} but the profile says {wanted}; run `cargo xtask lock --update {artifact}`"
    )]
    StalePin {
        /// The artifact.
        artifact: ArtifactName,
        /// What the lock has.
        pinned: String,
        /// What the profile has.
        wanted: String,
        /// The node that needs it.
        node: NodeName,
    },
    /// A script would compare a file with its digest, but only the download it comes in is pinned.
    #[error(
        "render {what} of {node}: only the download that holds {artifact} is pinned, and the script needs the digest of the \
         program itself; run `cargo xtask lock --update {artifact}` where a source can be reached"
    )]
    PinnedByDownload {
        /// The script.
        what: &'static str,
        /// The artifact.
        artifact: &'static str,
        /// The node.
        node: NodeName,
    },
    /// A template failed; its message never shows values.
    #[error("render template {template}: {source}")]
    Template {
        /// The template's name.
        template: &'static str,
        /// What the engine says.
        source: Box<minijinja::Error>,
    },
    /// A template's text breaks a rule every generated file keeps.
    #[error("render template {template}: the result {why}")]
    BadText {
        /// The template's name.
        template: &'static str,
        /// Which rule.
        why: &'static str,
    },
    /// A value has no form in the language of a file.
    #[error("render {what}: {source}")]
    Inexpressible {
        /// The file or key.
        what: String,
        /// The value and the language.
        source: Inexpressible,
    },
    /// A path, unit name or mode that a family computed is not one.
    #[error("render {what}: {source}")]
    Invalid {
        /// Where it was to be used.
        what: String,
        /// What is wrong with it.
        source: Invalid,
    },
    /// JSON could not be written.
    #[error("render {what} as JSON: {source}")]
    Json {
        /// The file.
        what: String,
        /// What the serializer says.
        source: serde_json::Error,
    },
    /// Two families want the same resource, differently.
    #[error("render {node}: families `{first}` and `{second}` both want {id}; one of them must own it")]
    DuplicateResource {
        /// The node.
        node: NodeName,
        /// The resource.
        id: ResourceId,
        /// The family that came first.
        first: &'static str,
        /// The family that came second.
        second: &'static str,
    },
    /// Two resources want one path.
    #[error(
        "render {node}: family `{first}` wants {first_id} and family `{second}` {second_id} on one path; one of them must own it"
    )]
    PathTaken {
        /// The node.
        node: NodeName,
        /// The family that came first.
        first: &'static str,
        /// Its resource.
        first_id: ResourceId,
        /// The family that came second.
        second: &'static str,
        /// Its resource.
        second_id: ResourceId,
    },
    /// The resources have no order.
    #[error("render {node}: {source}")]
    Order {
        /// The node.
        node: NodeName,
        /// What stands against it.
        source: OrderError,
    },
}

impl RenderError {
    /// For `map_err`: an invalid value, with where it was to be used.
    pub fn invalid(what: impl Into<String>) -> impl FnOnce(Invalid) -> Self {
        move |source| Self::Invalid { what: what.into(), source }
    }
    /// For `map_err`: an inexpressible value, with the file or key it was for.
    pub fn inexpressible(what: impl Into<String>) -> impl FnOnce(Inexpressible) -> Self {
        move |source| Self::Inexpressible { what: what.into(), source }
    }
    /// For `map_err`: JSON that could not be written, with its file.
    pub fn json(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { what: what.into(), source }
    }
}
