//! Values that must not be seen.
//!
//! In: a secret reference. Out: its value, but only through [`Secret::expose`], whose few callers are easy to review.
//! A secret has no `Display`, prints as `[secret]` and can't become an argument of a process, because it converts to
//! no string type. Errors name the reference, never what was found there.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::sync::OnceLock;

use desired::SecretReference;

use crate::root::Root;

/// What this process was handed over, by reference; one for the whole process, as the environment is.
static HANDED: OnceLock<BTreeMap<SecretReference, Secret>> = OnceLock::new();
/// Some tokens and passwords; whoever pipes more has mistaken something.
const LONGEST: u64 = 1 << 20;

/// A secret's value for the short time it is needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value as it was read.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }
    /// The value itself; for an environment variable, standard input or a request header, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// The value of a text file or of piped input: all of it less one newline at its end.
    ///
    /// # Errors
    /// If it is not UTF-8, as a clause.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        let text = String::from_utf8(bytes).map_err(|_| "which is not UTF-8".to_owned())?;
        Ok(Self::new(text.strip_suffix('\n').unwrap_or(&text)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// Takes secrets from standard input for the rest of this process: one JSON object, from reference to value. They win over
/// what the references lead to on this machine, and lie in no file, argument or environment.
///
/// # Errors
/// If it can't be read or is no such object, as a sentence that repeats nothing of it.
pub fn hand_over_from_stdin() -> Result<(), String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err("secrets would be shown while they are typed; pipe them in".to_owned());
    }
    let mut bytes = Vec::new();
    let read = stdin.lock().take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("standard input can't be read: {error}"))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("standard input is longer than {LONGEST} bytes"));
    }
    // Its own error may repeat a part of the text.
    let values: BTreeMap<SecretReference, String> = serde_json::from_slice(&bytes)
        .map_err(|_| "standard input is no JSON object from secret reference to value".to_owned())?;
    let values = values.into_iter().map(|(reference, value)| (reference, Secret(value))).collect();
    HANDED.set(values).map_err(|_| "secrets were handed over twice".to_owned())
}

/// The text that [`hand_over_from_stdin`] takes; for a pipe, nothing else.
#[must_use]
pub fn to_hand_over(values: &BTreeMap<SecretReference, Secret>) -> Vec<u8> {
    let values: BTreeMap<String, &str> =
        values.iter().map(|(reference, value)| (reference.to_string(), value.expose())).collect();
    // Text always has a JSON form.
    serde_json::to_vec(&values).unwrap_or_default()
}

/// What was handed over for `reference`.
pub(crate) fn handed(reference: &SecretReference) -> Option<Secret> {
    HANDED.get()?.get(reference).cloned()
}

/// The value of `reference` at the desk, where only what lies on this machine can be read.
///
/// # Errors
/// Why it can't be read, as a clause.
#[cfg(feature = "net")]
pub fn at_the_desk(reference: &SecretReference) -> Result<Secret, String> {
    let root =
        Root::open(std::path::Path::new("/")).map_err(|error| format!("since / can't be opened: {error}"))?;
    read(&root, reference)
}

/// The value of `reference` as far as it can be read on the node without asking anybody; else why not, as a clause.
pub(crate) fn read(root: &Root, reference: &SecretReference) -> Result<Secret, String> {
    if let Some(secret) = handed(reference) {
        return Ok(secret);
    }
    match reference {
        SecretReference::Environment(name) => {
            std::env::var(name).map(Secret::new).map_err(|_| "which is not set here".to_owned())
        }
        SecretReference::File(path) => match root.read(path.as_str()) {
            Ok(Some(bytes)) => Secret::from_bytes(bytes),
            Ok(None) => Err("which is not there".to_owned()),
            Err(error) => Err(format!("which can't be read: {error}")),
        },
        // `infisical run` puts the values of a folder into the environment under their keys; no vault is asked from here.
        SecretReference::Infisical { folder, key } => std::env::var(key).map(Secret::new).map_err(|_| {
            format!(
                "which is not set here; run this under `infisical run --path={folder} --`, which sets {key}"
            )
        }),
        SecretReference::Stdin => Err("which is read at join".to_owned()),
    }
}
