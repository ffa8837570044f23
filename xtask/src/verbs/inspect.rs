//! `inspect`: what a bundle, an image or a card is, offline and without mounting anything.
//!
//! In: paths. Out: for a bundle whose it is and which nodes it joins; for a disk its partitions, what boots, for which
//! machine, and what its first boot obeys; for a card also whose it is, and which of its files drifted from its passport.
//! Exit 6 if one of them is not what it says of itself.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::table::aligned;
use anyhow::Context as _;
use clap::Args;
use desired::manifest::BundleManifest;
use host::bundle::{self, BundleError};
use host::disk::fat::Fat;
use host::disk::insight::Insight;
use host::disk::passport::{self, Fate, Passport};
use host::disk::{Part, Whole};
use host::signature::PublicKey;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Bundles (folder or tar.gz), disk images and devices
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The public key that must have signed the passports of cards, a file of minisign
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

/// What lies at a path.
enum Thing {
    Bundle(Box<BundleManifest>, desired::Digest),
    Disk(Box<Insight>, Option<Box<CardLook>>),
}

/// What a card says of itself, and what became of its files.
struct CardLook {
    passport: Passport,
    /// What its first boot reported.
    status: Option<String>,
    fates: BTreeMap<String, Fate>,
    /// Whether the key that was named has signed it.
    is_signed: bool,
}

impl CardLook {
    fn has_drifted(&self) -> bool {
        self.fates.values().any(|fate| fate.is_drift())
    }
}

/// Looks at each.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let (mut text, mut values, mut code) = (String::new(), Vec::new(), Code::Done);
    let key = arguments.public_key.as_deref().map(key).transpose()?;
    for path in &arguments.paths {
        let thing = look(path, key.as_ref())?;
        if matches!(&thing, Thing::Disk(_, Some(card)) if card.has_drifted()) {
            code = Code::VerificationFailed;
        }
        if common.json {
            values.push(json(path, &thing));
        } else {
            text.push_str(&shown(path, &thing));
        }
    }
    if common.json {
        let document = serde_json::json!({ "version": 1, "things": values });
        text = serde_json::to_string_pretty(&document).context("write JSON")? + "\n";
    }
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    Ok(code)
}

fn key(path: &Path) -> Result<PublicKey, Failure> {
    let about = || format!("read the public key {}", path.display());
    let text = std::fs::read_to_string(path).with_context(about).map_err(Failure::with(Code::Missing))?;
    PublicKey::parse(&text).map_err(|why| {
        Failure::new(Code::VerificationFailed, format!("{} is not usable: {why}", path.display()))
    })
}

fn look(path: &Path, key: Option<&PublicKey>) -> Result<Thing, Failure> {
    let about = || format!("look at {}", path.display());
    match bundle::verify(path, None) {
        Ok(bundle) => return Ok(Thing::Bundle(Box::new(bundle.manifest.clone()), bundle.digest.clone())),
        // A folder without a manifest is no disk either.
        Err(BundleError::NoBundle(_)) if !path.is_dir() => {}
        Err(error) => {
            let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
            return Err(Failure::with(code)(anyhow::Error::new(error).context(about())));
        }
    }
    let disk = Whole::open(path).with_context(about).map_err(Failure::with(Code::Missing))?;
    let insight = Insight::of(&disk).with_context(about).map_err(Failure::with(Code::VerificationFailed))?;
    let card =
        card(&disk, &insight, key).with_context(about).map_err(Failure::with(Code::VerificationFailed))?;
    if key.is_some() && card.is_none() {
        // Who takes the passport away must not get by with less than who changes it.
        let why = format!("look at {}: it has no passport that the key could have signed", path.display());
        return Err(Failure::new(Code::VerificationFailed, why));
    }
    Ok(Thing::Disk(Box::new(insight), card.map(Box::new)))
}

/// The card that a disk is, if it has a passport.
fn card(disk: &Whole, insight: &Insight, key: Option<&PublicKey>) -> anyhow::Result<Option<CardLook>> {
    let boot = insight.partitions.iter().find(|one| Some(one.number) == insight.boot);
    let Some(boot) = boot else { return Ok(None) };
    let part = Part::new(disk, boot.start, boot.size.0);
    let Some(fat) = Fat::open(&part)? else { return Ok(None) };
    let Some((passport, status)) = Passport::read(&fat)? else { return Ok(None) };
    if let Some(key) = key {
        let text = fat.read(passport::PATH)?.unwrap_or_default();
        let signature = fat.read(passport::SIGNATURE)?.context("its passport is not signed")?;
        let verified = key.verify(&text, &String::from_utf8_lossy(&signature));
        verified.map_err(|why| anyhow::anyhow!("the signature of its passport does not hold: {why}"))?;
    }
    let fates = passport.verify(&fat, status.is_some())?;
    Ok(Some(CardLook { passport, status, fates, is_signed: key.is_some() }))
}

fn json(path: &Path, thing: &Thing) -> serde_json::Value {
    match thing {
        Thing::Bundle(manifest, digest) => serde_json::json!({
            "path": path, "kind": "bundle", "digest": digest, "manifest": manifest,
        }),
        Thing::Disk(insight, None) => serde_json::json!({ "path": path, "kind": "disk", "disk": insight }),
        Thing::Disk(insight, Some(card)) => serde_json::json!({
            "path": path, "kind": "card", "disk": insight, "passport": card.passport, "status": card.status,
            "files": card.fates, "drifted": card.has_drifted(), "signed": card.is_signed,
        }),
    }
}

fn shown(path: &Path, thing: &Thing) -> String {
    match thing {
        Thing::Bundle(manifest, digest) => {
            let nodes: Vec<&str> = manifest.nodes.iter().map(desired::NodeName::as_str).collect();
            format!(
                "{}: a bundle of cluster {} for {}, {} files as its manifest says, identity {}\n  joins {}\n",
                path.display(),
                manifest.cluster,
                manifest.arch,
                manifest.files.len(),
                digest.short(),
                nodes.join(", ")
            )
        }
        Thing::Disk(insight, card) => {
            disk(path, insight) + &card.as_deref().map_or_else(String::new, card_text)
        }
    }
}

fn disk(path: &Path, insight: &Insight) -> String {
    let unknown = || "unknown".to_owned();
    let mut text = format!(
        "{}: a disk of {}, {}\n  system      {}\n  machine     {}\n  first boot  {}\n",
        path.display(),
        insight.size,
        insight.table,
        insight.system.clone().unwrap_or_else(unknown),
        insight.arch.clone().unwrap_or_else(unknown),
        insight.first_boot.map_or_else(unknown, |way| way.to_string()),
    );
    let row = |content: &host::disk::insight::Content| {
        [
            content.number.to_string(),
            content.file_system.clone().unwrap_or_else(unknown),
            content.label.clone(),
            content.size.to_string(),
            content.used.to_string(),
            if insight.boot == Some(content.number) { "boots".to_owned() } else { String::new() },
        ]
    };
    let rows: Vec<[String; 6]> = insight.partitions.iter().map(row).collect();
    text += &aligned(["partition", "holds", "label", "size", "in use", ""], &rows);
    for remark in &insight.remarks {
        text += &format!("  note: {remark}\n");
    }
    text
}

/// What a card says of itself, line by line; files that are as they were seeded are counted, others named.
fn card_text(card: &CardLook) -> String {
    let CardLook { passport, status, fates, is_signed } = card;
    let signed = if *is_signed { ", its passport signed" } else { "" };
    let mut text = format!(
        "  a card of {}, node {}{signed}\n  made by     rootstock {} from {}\n  bundle      {}{}\n",
        passport.cluster,
        passport.node,
        passport.tool_version,
        passport.base.name,
        passport.bundle.name,
        passport.fetched_from.as_ref().map_or_else(String::new, |from| format!(", fetched from {from}")),
    );
    if !passport.carries.is_empty() {
        let until =
            passport.token_expires.as_ref().map_or_else(String::new, |time| format!(", until {time}"));
        text += &format!("  carries     {}{until}\n", passport.carries.join(", "));
    }
    let status = status.as_deref().and_then(|status| status.lines().next());
    text += &format!("  first boot  {}\n", status.unwrap_or("has not been"));
    let same = fates.values().filter(|fate| **fate == Fate::AsSeeded).count();
    text += &format!("  files       {same} of {} as seeded\n", fates.len());
    for (path, fate) in fates.iter().filter(|(_, fate)| **fate != Fate::AsSeeded) {
        text += &format!("    {path}: {fate}\n");
    }
    text
}
