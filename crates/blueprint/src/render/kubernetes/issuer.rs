//! Who signs certificates: a certificate authority of the cluster's own, as a home's domain (RFC 8375) is no public one's.
//!
//! In: the service that installs cert-manager; its setting `issuer` names the issuer. Out: an issuer that signs itself, the
//! authority's certificate by it, and the issuer that signs by that. Fields: cert-manager v1.20.2, deploy/crds.

use serde::Serialize;

use super::object::{Metadata, Object};
use crate::escape::yaml;
use crate::model::{Chart, Model, Service};
use crate::render::RenderError;

const API_VERSION: &str = "cert-manager.io/v1";
/// What stands between documents of one file.
const NEXT: &str = "---\n";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Issuer {
    SelfSigned {},
    #[serde(rename_all = "camelCase")]
    Ca {
        secret_name: String,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    #[serde(rename = "isCA")]
    is_ca: bool,
    common_name: String,
    secret_name: String,
    duration: &'static str,
    private_key: PrivateKey,
    issuer_ref: IssuerReference,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PrivateKey {
    algorithm: &'static str,
    size: u32,
    /// Everybody who trusts the authority would have to be told of a new key.
    rotation_policy: &'static str,
}

#[derive(Debug, Serialize)]
struct IssuerReference {
    name: String,
    kind: &'static str,
    group: &'static str,
}

/// The three objects, as one YAML file; nothing where no issuer is named.
///
/// # Errors
/// If a value has no form in YAML.
pub fn document(model: &Model, service: &Service, chart: &Chart) -> Result<Option<String>, RenderError> {
    let Some(name) = service.settings.get("issuer") else { return Ok(None) };
    let root = format!("{name}-root");
    let issuer = |name: &str, spec: Issuer| Object {
        api_version: API_VERSION,
        kind: "ClusterIssuer",
        metadata: Metadata::named(name),
        spec,
    };
    let certificate = Object {
        api_version: API_VERSION,
        kind: "Certificate",
        // A ClusterIssuer reads its secret in cert-manager's own namespace.
        metadata: Metadata::in_namespace(&root, &chart.namespace),
        spec: Certificate {
            is_ca: true,
            common_name: format!("{} cluster authority", model.name),
            secret_name: root.clone(),
            duration: "87600h", // ten years
            private_key: PrivateKey { algorithm: "ECDSA", size: 256, rotation_policy: "Never" },
            issuer_ref: IssuerReference {
                name: format!("{name}-bootstrap"),
                kind: "ClusterIssuer",
                group: "cert-manager.io",
            },
        },
    };
    let unfit = || RenderError::inexpressible(format!("the issuer {name}"));
    let parts = [
        yaml::document(&issuer(&format!("{name}-bootstrap"), Issuer::SelfSigned {})).map_err(unfit())?,
        yaml::document(&certificate).map_err(unfit())?,
        yaml::document(&issuer(name, Issuer::Ca { secret_name: root })).map_err(unfit())?,
    ];
    Ok(Some(parts.join(NEXT)))
}
