//! What a registry can do to a push, in words that help.

use crate::oci::layout::LayoutError;

use super::Reference;

/// Why a push stopped.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The registry, or the way to it.
    #[error("cannot push {what} to {registry}/{repository}: {refusal}; the layout on disk is as it was")]
    Registry {
        /// Host and port.
        registry: String,
        /// Repository.
        repository: String,
        /// What was being sent or asked for.
        what: String,
        /// What happened and what to do.
        refusal: Box<Refusal>,
    },
    /// The layout can't be read.
    #[error("cannot push to {registry}/{repository}: {source}")]
    Layout {
        /// Host and port.
        registry: String,
        /// Repository.
        repository: String,
        /// What is wrong with it.
        source: LayoutError,
    },
}

/// A registry's answer that ends a push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 401 or 403 after all we have was tried.
    #[error(
        "it refused the login ({status}{codes}); run `docker login {registry}` as somebody who may push there"
    )]
    Login {
        /// The status.
        status: u16,
        /// The registry's own codes, with a separator, or nothing.
        codes: String,
        /// Where to log in.
        registry: String,
    },
    /// 404.
    #[error("it knows no such place (404{codes}); create the repository, or check its name")]
    NotFound {
        /// The registry's own codes, with a separator, or nothing.
        codes: String,
    },
    /// 5xx.
    #[error(
        "it failed by itself ({status}{codes}); try again later, what is there already is not sent twice"
    )]
    Server {
        /// The status.
        status: u16,
        /// The registry's own codes, with a separator, or nothing.
        codes: String,
    },
    /// Any other status.
    #[error("it answered {status}{codes}, which the protocol does not have here; is it an OCI registry?")]
    Unexpected {
        /// The status.
        status: u16,
        /// The registry's own codes, with a separator, or nothing.
        codes: String,
    },
    /// No answer.
    #[error("{why}; see that it runs and is reached{hint}, then push again")]
    Connection {
        /// What the client met.
        why: String,
        /// More to try, or nothing.
        hint: &'static str,
    },
    /// An answer that contradicts what was sent.
    #[error("{why}; don't trust that registry before somebody has looked at it")]
    Contradiction {
        /// What it claims.
        why: String,
    },
}

impl PushError {
    pub(super) fn layout(reference: &Reference, source: LayoutError) -> Self {
        Self::Layout {
            registry: reference.registry.clone(),
            repository: reference.repository.clone(),
            source,
        }
    }

    pub(super) fn registry(reference: &Reference, what: &str, refusal: Refusal) -> Self {
        Self::Registry {
            registry: reference.registry.clone(),
            repository: reference.repository.clone(),
            what: what.to_owned(),
            refusal: Box::new(refusal),
        }
    }
}
