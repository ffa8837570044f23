//! The class of volumes on an NFS share.
//!
//! In: the service that installs csi-driver-nfs, and the share its settings name. Out: a `StorageClass`. Parameters:
//! csi-driver-nfs, docs/driver-parameters.md.

use serde::Serialize;

use super::object::{Metadata, Table};
use crate::escape::yaml;
use crate::model::{Model, Service};
use crate::render::RenderError;

/// The driver's own name.
const DRIVER: &str = "nfs.csi.k8s.io";
const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StorageClass {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    provisioner: &'static str,
    parameters: Table,
    reclaim_policy: &'static str,
    volume_binding_mode: &'static str,
    allow_volume_expansion: bool,
    mount_options: Vec<String>,
}

/// The class that `service` describes, as YAML; nothing where its settings name no share.
///
/// # Errors
/// If a value has no form in YAML.
pub fn document(model: &Model, service: &Service) -> Result<Option<String>, RenderError> {
    let setting = |name: &str| service.settings.get(name);
    let (Some(name), Some(share)) = (setting("storage-class"), setting("share")) else { return Ok(None) };
    let Some(share) = model.shares.get(share) else { return Ok(None) };
    let Some(server) = model.server_address(share) else { return Ok(None) };
    let folder = setting("folder").map_or_else(String::new, |folder| format!("/{folder}"));
    let mut metadata = Metadata::named(name);
    if setting("default-storage-class").is_some_and(|value| value == "true") {
        metadata.annotations.insert(IS_DEFAULT.to_owned(), "true".to_owned());
    }
    let class = StorageClass {
        api_version: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata,
        provisioner: DRIVER,
        parameters: Table::from([
            // By address: pods of the driver ask the cluster's name server, which does not know the LAN's names.
            ("server".to_owned(), server.to_string()),
            ("share".to_owned(), format!("{}{folder}", share.path)),
            // Folders that a person can tell apart, instead of random names.
            (
                "subDir".to_owned(),
                "${pvc.metadata.namespace}-${pvc.metadata.name}-${pv.metadata.name}".to_owned(),
            ),
        ]),
        // A claim that is deleted by mistake takes no data with it (000, Invariants: reversible before deletion).
        reclaim_policy: "Retain",
        volume_binding_mode: "Immediate",
        allow_volume_expansion: true,
        mount_options: setting("mount-options")
            .map(|options| options.split(',').map(|option| option.trim().to_owned()).collect())
            .unwrap_or_default(),
    };
    let text = yaml::document(&class).map_err(RenderError::inexpressible(format!("the class {name}")))?;
    Ok(Some(text))
}
