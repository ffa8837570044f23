//! What a file with secrets should hold, as far as the secrets can be read now, or the file is remembered as what was
//! made of them; only a digest leaves this module.

use desired::observed::{Answer, Entry};
use desired::resource::{ResourceId, SecretPart};
use desired::types::DigestAlgorithm;
use desired::{AbsPath, Digest};

use crate::digest::Hasher;
use crate::journal::{History, Key};
use crate::root::Root;
use crate::secret;

/// The digest the file should have. A secret that was used once, a join token say, need not be there again: a file that
/// still is what was made of the same references is as desired.
pub(super) fn wanted(
    root: &Root,
    history: &History,
    id: &ResourceId,
    (path, parts): (&AbsPath, &[SecretPart]),
    entry: &Entry,
) -> Answer<Digest> {
    let wanted = from_secrets(root, parts);
    match (&wanted, entry) {
        (Answer::Unknown { .. }, Entry::File { digest: Answer::Known(seen), .. })
            if is_remembered(root, history, id, path, parts) =>
        {
            Answer::Known(seen.clone())
        }
        _ => wanted,
    }
}

/// The digest of the file, its secrets put in; unknown when one can't be read without asking anybody.
fn from_secrets(root: &Root, parts: &[SecretPart]) -> Answer<Digest> {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    for part in parts {
        match part {
            SecretPart::Text(text) => hasher.update(text.as_bytes()),
            SecretPart::Secret(reference) => match secret::read(root, reference) {
                Ok(secret) => hasher.update(secret.expose().as_bytes()),
                Err(why) => return Answer::unknown(format!("its content depends on {reference}, {why}")),
            },
        }
    }
    Answer::Known(hasher.finish())
}

fn is_remembered(
    root: &Root,
    history: &History,
    id: &ResourceId,
    path: &AbsPath,
    parts: &[SecretPart],
) -> bool {
    let (Some(story), Some(key)) = (history.of(id), Key::read(root)) else { return false };
    let Ok(Some(content)) = root.read(path.as_str()) else { return false };
    let (content, parts) = (key.seal(&content), parts_digest(parts));
    let sealed = story.afters.iter().filter_map(|after| after.secret.as_ref());
    sealed.into_iter().any(|sealed| sealed.content == content && sealed.parts == parts)
}

/// The digest of a text with its references in place of the secrets.
pub(crate) fn parts_digest(parts: &[SecretPart]) -> Digest {
    // References and text around them always have a JSON form.
    Digest::sha256_of(&serde_json::to_vec(parts).unwrap_or_default())
}
