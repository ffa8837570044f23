//! Files with secrets: the references are resolved here and nowhere earlier, and nothing of them is journaled but a
//! digest that only this node's key can make.

use std::io::{IsTerminal as _, Read as _, Write as _};

use desired::resource::{Owner, ResourceId, SecretPart};
use desired::{AbsPath, Mode, SecretReference};

use super::{PerformError, Performer, place};
use crate::journal::{After, Before, Key, PlaceBefore, Sealed, State};
use crate::observe::secret_file::parts_digest;
use crate::secret::{self, Secret};

/// A token has some hundred bytes; whoever pipes more has mistaken something.
const LONGEST: u64 = 1 << 20;

impl Performer<'_> {
    pub(super) fn secret_file(
        &mut self,
        id: &ResourceId,
        path: &AbsPath,
        mode: Mode,
        owner: &Owner,
        parts: &[SecretPart],
    ) -> Result<(), PerformError> {
        // Nothing wider than 0600, whatever was asked for.
        let mode = Mode::from_bits(mode.bits() & Mode::PRIVATE.bits()).unwrap_or(Mode::PRIVATE);
        let ownership = self.accounts.ownership(mode, owner)?;
        let content = self.resolve(parts)?;
        let key = Key::read_or_make(self.root).map_err(PerformError::file("make", "this node's key"))?;
        let before = self.secret_before(id, path, &key)?;
        let after = After {
            state: Some(State::File { ownership, size: content.len() as u64, digest: None, saved: None }),
            secret: Some(Sealed { content: key.seal(&content), parts: parts_digest(parts) }),
            ..After::default()
        };
        let journaled = Before { place: Some(before.clone()), more: None };
        self.change(id, journaled, Some(after.clone()), |this| {
            place::write(this.root, &before, ownership, |file| Ok(file.write_all(&content)?))?;
            Ok(after)
        })
    }

    /// The content with its secrets.
    fn resolve(&mut self, parts: &[SecretPart]) -> Result<Vec<u8>, PerformError> {
        let mut content = Vec::new();
        for part in parts {
            match part {
                SecretPart::Text(text) => content.extend_from_slice(text.as_bytes()),
                SecretPart::Secret(reference) => {
                    let value = self.value(reference);
                    let value =
                        value.map_err(|why| PerformError::Secret { reference: reference.clone(), why })?;
                    content.extend_from_slice(value.expose().as_bytes());
                }
            }
        }
        Ok(content)
    }

    fn value(&mut self, reference: &SecretReference) -> Result<Secret, String> {
        if let Some(secret) = secret::handed(reference) {
            return Ok(secret);
        }
        match reference {
            SecretReference::Stdin => {
                if self.stdin.is_none() {
                    self.stdin = Some(piped()?);
                }
                self.stdin.clone().ok_or_else(|| "which was not read".to_owned())
            }
            SecretReference::Infisical { key, .. } => secret::read(self.root, reference)
                .map_err(|why| format!("{why} (sudo keeps it with --preserve-env={key})")),
            SecretReference::Environment(name) => secret::read(self.root, reference).map_err(|why| {
                format!("{why}; run join with {name} set (sudo keeps it with --preserve-env={name})")
            }),
            SecretReference::File(_) => secret::read(self.root, reference)
                .map_err(|why| format!("{why}; put it there for the time of the join")),
        }
    }

    /// What was there; its digest would tell something of a secret, so it stays out of the journal.
    fn secret_before(&self, id: &ResourceId, path: &AbsPath, key: &Key) -> Result<PlaceBefore, PerformError> {
        let there = self.root.read(path.as_str()).ok().flatten().map(|content| key.seal(&content));
        let story = self.journal.history().of(id);
        let sealed =
            story.into_iter().flat_map(|story| &story.afters).filter_map(|after| after.secret.as_ref());
        let is_ours = sealed.into_iter().any(|sealed| Some(&sealed.content) == there.as_ref());
        let mut before = place::before(self.root, &self.journal, path, |_| is_ours)?;
        if let State::File { digest, .. } = &mut before.state {
            *digest = None;
        }
        Ok(before)
    }
}

/// Standard input to its end.
fn piped() -> Result<Secret, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err("since it would be shown while it is typed; pipe it in and add --yes".to_owned());
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("which can't be read: {error}"))?;
    match bytes.len() as u64 {
        0 => Err("which is empty; pipe the secret in".to_owned()),
        length if length > LONGEST => Err(format!("which is longer than {LONGEST} bytes")),
        _ => Secret::from_bytes(bytes),
    }
}
