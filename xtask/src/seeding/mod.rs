//! A node's card at the desk: everything it holds gathered, fitted onto its base, and checked, before anything is written.
//!
//! In: what was built for the cluster, a base that was looked at, what the person named on the command line. Out: a [`Card`]
//! a node, which is a patch of the base and a passport; or why there is none. No device is touched here.

mod bundle;
mod options;
mod secrets;
#[cfg(test)]
mod tests;
mod volume;

pub use options::Options;

use crate::exit::{Code, Failure};
use crate::verbs::build_images::TOOL_VERSION;
use crate::verbs::build_images::current::Built;
use anyhow::Context as _;
use blueprint::model::{Model, Node};
use blueprint::render::seed::{self, Request};
use desired::ByteSize;
use desired::card::FirstBoot;
use host::disk::insight::Insight;
use host::disk::overlay::Patch;
use host::disk::passport::{FORMAT, Origin, Passport};
use host::disk::{Part, ReadAt};
use secrets::Found;
use std::collections::BTreeMap;

/// A base as far as seeding looks at it: its start with the boot partition, and what it tells.
#[derive(Debug)]
pub struct Ground<'a, R: ?Sized> {
    /// Can be read up to the end of the boot partition.
    pub head: &'a R,
    /// What it is.
    pub insight: &'a Insight,
    /// Its name and pin, for the passport.
    pub origin: Origin,
}

/// What a card is.
#[derive(Debug)]
pub struct Card {
    /// How it differs from its base.
    pub patch: Patch,
    /// What it says of itself.
    pub passport: Passport,
    /// What the person should know, as sentences.
    pub remarks: Vec<String>,
}

/// Makes cards of one cluster.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The cluster.
    pub model: &'a Model,
    /// What was built for it.
    pub built: &'a Built,
    /// What the person named.
    pub options: &'a Options,
}

impl Maker<'_> {
    /// The card of `node` on that base.
    ///
    /// # Errors
    /// Code 5 if something is missing or does not fit, 7 if base and node don't belong together or a secret must not be
    /// carried, 6 if what was put there can't be read back.
    pub fn card<R: ReadAt + ?Sized>(&self, node: &Node, ground: &Ground<'_, R>) -> Result<Card, Failure> {
        let about = || format!("make the card of {}", node.name);
        let method = suits(node, ground.insight)?;
        let boot = boot(ground)?;
        let resources = self.built.resources(&node.name).map_err(Failure::with(Code::Missing))?;
        let found = Found::read(self.model, node, &resources, self.options)?;
        let bundle = bundle::place(self.built, node, self.options, &boot)?;
        let request = Request {
            model: self.model,
            node,
            resources: &resources,
            method,
            supplies: &found.supplies,
            bundle: &bundle.place,
            public_key: found.public_key.as_deref(),
        };
        let seed = seed::seed(&request).with_context(about).map_err(Failure::with(Code::InvalidProfile))?;
        found.refuse_leaks(&seed)?;
        let passport = self.passport(node, method, ground, &bundle, &found);
        let laid = volume::lay(ground.head, &boot, &seed, &bundle, &found, passport)?;
        Ok(Card { patch: laid.patch, passport: laid.passport, remarks: found.remarks })
    }

    fn passport<R: ?Sized>(
        &self,
        node: &Node,
        method: FirstBoot,
        ground: &Ground<'_, R>,
        bundle: &bundle::Bundle,
        found: &Found,
    ) -> Passport {
        Passport {
            format: FORMAT,
            cluster: self.model.name.clone(),
            node: node.name.clone(),
            arch: node.arch,
            tool_version: TOOL_VERSION.to_owned(),
            first_boot: method,
            base: ground.origin.clone(),
            bundle: Origin {
                name: bundle.place.file.clone(),
                digest: Some(bundle.place.digest.clone()),
                size: Some(bundle.size),
            },
            fetched_from: bundle.place.address.clone(),
            carries: found.handed.keys().map(ToString::to_string).collect(),
            token_expires: self.options.token_expires.clone(),
            files: BTreeMap::new(),
        }
    }
}

/// Whether the base is one that the node can start from and whose first boot obeys what its system should (FIELD P1).
fn suits(node: &Node, insight: &Insight) -> Result<FirstBoot, Failure> {
    let refuse = |why: String| Err(Failure::new(Code::Refused, why));
    let name = &node.name;
    if let Some(arch) = insight.arch.as_deref().filter(|arch| *arch != node.arch.as_str()) {
        return refuse(format!(
            "the base is for {arch}, and {name} is {}: take a base for {}",
            node.arch, node.arch
        ));
    }
    let wanted = seed::first_boot(node);
    let system = insight.system.as_deref().unwrap_or("an unknown system");
    let Some(found) = insight.first_boot else {
        let seen: String = insight.remarks.iter().map(|remark| format!("; {remark}")).collect();
        return refuse(format!(
            "nothing in the base ({system}) tells what its first boot obeys, so no setting of {name} would be applied{seen}; take a base whose first boot obeys {wanted}"
        ));
    };
    if insight.arch.is_none() {
        return refuse(format!(
            "no program of the base ({system}) tells which machine it is for, and {name} is {}: take a base for {}",
            node.arch, node.arch
        ));
    }
    if found != wanted {
        let release = format!("{} {}", node.os.family.as_str(), node.os.release);
        return refuse(format!(
            "the base ({system}) obeys {found}, and {name} is described as {release}, which obeys {wanted}: take another base, or correct os.release"
        ));
    }
    Ok(found)
}

/// Where the boot partition lies.
#[derive(Debug, Clone, Copy)]
struct Boot {
    start: u64,
    size: u64,
    free: ByteSize,
}

fn boot<R: ReadAt + ?Sized>(ground: &Ground<'_, R>) -> Result<Boot, Failure> {
    let insight = ground.insight;
    let Some(partition) = insight.partitions.iter().find(|one| Some(one.number) == insight.boot) else {
        let why = format!(
            "no card can be made of the base: {}; take the vendor's image as it was published",
            insight.remarks.join("; ")
        );
        return Err(Failure::new(Code::Refused, why));
    };
    let part = Part::new(ground.head, partition.start, partition.size.0);
    let (free, _) = host::disk::volume::room(&part)
        .context("look at the boot partition of the base")
        .map_err(Failure::with(Code::VerificationFailed))?;
    Ok(Boot { start: partition.start, size: partition.size.0, free })
}
