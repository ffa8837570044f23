//! Seed, bundle, secrets and passport laid over the boot partition, and read back from what was laid.

use super::Boot;
use super::bundle::Bundle;
use super::secrets::Found;
use crate::exit::{Code, Failure};
use anyhow::Context as _;
use blueprint::render::seed::{SECRETS, Seed};
use desired::Digest;
use desired::card::Lasts;
use host::disk::fat::Fat;
use host::disk::overlay::{Overlay, Patch, Patched};
use host::disk::passport::{self, Passport, Seeded};
use host::disk::volume::{Content, VolumeError, put};
use host::disk::{Part, ReadAt};
use host::secret;
use std::collections::BTreeMap;

/// What was laid.
#[derive(Debug)]
pub struct Laid {
    /// How the card differs from its base.
    pub patch: Patch,
    /// With every file's digest.
    pub passport: Passport,
}

/// Lays all of it.
pub(super) fn lay<R: ReadAt + ?Sized>(
    head: &R,
    boot: &Boot,
    seed: &Seed,
    bundle: &Bundle,
    found: &Found,
    mut passport: Passport,
) -> Result<Laid, Failure> {
    let mut files: BTreeMap<String, (Vec<u8>, Lasts)> =
        seed.files.iter().map(|(path, file)| (path.clone(), (file.content.clone(), file.lasts))).collect();
    files.extend(edited(head, boot, seed)?);
    if !found.handed.is_empty() {
        files.insert(SECRETS.to_owned(), (secret::to_hand_over(&found.handed), Lasts::UntilJoined));
    }
    for (path, (content, lasts)) in &files {
        passport.files.insert(path.clone(), Seeded { digest: Digest::sha256_of(content), lasts: *lasts });
    }
    let on_card = format!("rootstock/{}", bundle.place.file);
    if bundle.place.address.is_none() {
        let row = Seeded { digest: bundle.place.digest.clone(), lasts: Lasts::UntilJoined };
        passport.files.insert(on_card.clone(), row);
    }
    let text = passport.text();
    if let Some(signer) = &found.signer {
        let signature = signer.sign(text.as_bytes(), &format!("card of {}", passport.node));
        let signature = signature.context("sign the passport").map_err(Failure::with(Code::Unexpected))?;
        files.insert(passport::SIGNATURE.to_owned(), (signature.into_bytes(), Lasts::Always));
    }
    files.insert(passport::PATH.to_owned(), (text.into_bytes(), Lasts::Always));
    let mut contents: Vec<(&str, Content<'_>)> = Vec::new();
    if bundle.place.address.is_none() {
        // First, so that cards of one cluster have it in the same place.
        contents.push((&on_card, Content::File(&bundle.path)));
    }
    contents.extend(files.iter().map(|(path, (content, _))| (path.as_str(), Content::Bytes(content))));
    let overlay = put(Overlay::new(head, boot.start, boot.size), &contents, seed.label).map_err(refused)?;
    let patch = overlay
        .into_patch()
        .context("read the base again")
        .map_err(Failure::with(Code::VerificationFailed))?;
    read_back(head, boot, &patch, &passport)?;
    Ok(Laid { patch, passport })
}

fn refused(error: VolumeError) -> Failure {
    let code = match &error {
        VolumeError::Full { .. } | VolumeError::Unreadable { .. } => Code::Missing,
        VolumeError::NoFat | VolumeError::Label(_) => Code::Refused,
        VolumeError::Damaged(_) | VolumeError::Refused { .. } => Code::VerificationFailed,
    };
    Failure { code, error: error.into() }
}

/// Files of the base that are changed; the first boot goes on with the kernel's line itself (FIELD P13).
fn edited<R: ReadAt + ?Sized>(
    head: &R,
    boot: &Boot,
    seed: &Seed,
) -> Result<BTreeMap<String, (Vec<u8>, Lasts)>, Failure> {
    let part = Part::new(head, boot.start, boot.size);
    let damaged = || "read the boot partition of the base";
    let fat = Fat::open(&part).with_context(damaged).map_err(Failure::with(Code::VerificationFailed))?;
    let fat = fat.ok_or(VolumeError::NoFat).map_err(refused)?;
    let mut files = BTreeMap::new();
    for path in seed.edits.paths() {
        let old = fat.read(path).with_context(damaged).map_err(Failure::with(Code::VerificationFailed))?;
        let Some(old) = old else {
            let why = format!(
                "the base has no {path}, which this node's board starts by: is it for another board?"
            );
            return Err(Failure::new(Code::Refused, why));
        };
        let new = seed.edits.apply(path, &old).context("change a file of the base");
        let new = new.map_err(Failure::with(Code::Refused))?;
        let lasts = if path.ends_with("cmdline.txt") { Lasts::UntilJoined } else { Lasts::Always };
        files.insert(path.to_owned(), (new, lasts));
    }
    Ok(files)
}

/// Every file as the card will have it, by digest (FIELD F5, P9).
fn read_back<R: ReadAt + ?Sized>(
    head: &R,
    boot: &Boot,
    patch: &Patch,
    passport: &Passport,
) -> Result<(), Failure> {
    let card = Patched::new(head, patch);
    let part = Part::new(&card, boot.start, boot.size);
    let failed =
        || Failure::new(Code::VerificationFailed, "what was put on the boot partition can't be read back");
    let fat = Fat::open(&part).ok().flatten().ok_or_else(failed)?;
    let fates = passport.verify(&fat, false).map_err(Failure::with(Code::VerificationFailed))?;
    match fates.iter().find(|(_, fate)| fate.is_drift()) {
        None => Ok(()),
        Some((path, _)) => Err(Failure::new(
            Code::VerificationFailed,
            format!(
                "{path} is not on the boot partition as it was put there; nothing was written to any medium"
            ),
        )),
    }
}
