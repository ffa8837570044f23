//! What a file with secrets should hold, as far as the secrets can be read now; only a digest leaves this module.

use desired::observed::Answer;
use desired::resource::SecretPart;
use desired::types::{DigestAlgorithm, Hasher};
use desired::{Digest, SecretReference};

use crate::root::Root;
use crate::secret::Secret;

/// The digest of the file, its secrets put in; unknown when one can't be read without asking anybody.
pub(super) fn wanted(root: &Root, parts: &[SecretPart]) -> Answer<Digest> {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    for part in parts {
        match part {
            SecretPart::Text(text) => hasher.update(text.as_bytes()),
            SecretPart::Secret(reference) => match value(root, reference) {
                Ok(secret) => hasher.update(secret.expose().as_bytes()),
                Err(why) => return Answer::unknown(format!("its content depends on {reference}, {why}")),
            },
        }
    }
    Answer::Known(hasher.finish())
}

fn value(root: &Root, reference: &SecretReference) -> Result<Secret, String> {
    match reference {
        SecretReference::Environment(name) => {
            std::env::var(name).map(Secret::new).map_err(|_| "which is not set here".to_owned())
        }
        SecretReference::File(path) => match root.read(path.as_str()) {
            Ok(Some(bytes)) => {
                let text = String::from_utf8(bytes).map_err(|_| "which is not UTF-8".to_owned())?;
                Ok(Secret::new(text.strip_suffix('\n').unwrap_or(&text)))
            }
            Ok(None) => Err("which is not there".to_owned()),
            Err(error) => Err(format!("which can't be read: {error}")),
        },
        SecretReference::Infisical { .. } | SecretReference::Stdin => Err("which is read at join".to_owned()),
    }
}
