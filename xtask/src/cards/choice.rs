//! Of which image the cards of some nodes are made.
//!
//! In: nodes, and `--base` where the person named a file. Out: [`Chosen`] images, each with its nodes, looked for in the
//! order of their names; then opened. All of it before anything is written.

use super::bases::{self, Catalogue, Chosen};
use crate::common::Common;
use crate::exit::{Code, Failure};
use crate::fleet::desk::Desk;
use crate::load;
use crate::seeding::Ground;
use desired::NodeName;
use host::disk::base::{Base, Spool};
use host::disk::passport::Origin;
use host::report::{Kind, Report};
use std::collections::BTreeMap;
use std::path::Path;

/// The one image of all these nodes, for verbs that unpack it once.
///
/// # Errors
/// Code 2 if they need several, and as [`each`].
pub fn one(common: &Common, file: Option<&Path>, desk: &Desk, nodes: &[NodeName]) -> Result<Chosen, Failure> {
    let catalogue = Catalogue::read()?;
    if let Some(path) = file {
        return bases::own_file(&catalogue, path);
    }
    let groups = groups(&catalogue, desk, nodes)?;
    if groups.len() > 1 {
        let parts = groups.iter().map(|(base, nodes)| format!("{base} for {}", names(nodes)));
        let parts = parts.collect::<Vec<_>>().join("; ");
        return Err(Failure::new(
            Code::Usage,
            format!("these nodes have several bases ({parts}): one command a base"),
        ));
    }
    let name = groups.into_keys().next().ok_or_else(|| Failure::new(Code::Usage, "no node is named"))?;
    fetched(common, &catalogue, &name, desk)
}

/// Every image that is needed, with its nodes.
///
/// # Errors
/// Code 4 if none or several suit a node, 5 if one can't be had, 6 if what is had is something else.
pub fn each(
    common: &Common,
    file: Option<&Path>,
    desk: &Desk,
    nodes: &[NodeName],
) -> Result<Vec<(Chosen, Vec<NodeName>)>, Failure> {
    let catalogue = Catalogue::read()?;
    if let Some(path) = file {
        return Ok(vec![(bases::own_file(&catalogue, path)?, nodes.to_vec())]);
    }
    let groups = groups(&catalogue, desk, nodes)?;
    let chosen =
        |(name, nodes): (String, Vec<NodeName>)| Ok((fetched(common, &catalogue, &name, desk)?, nodes));
    groups.into_iter().map(chosen).collect()
}

/// Opens it; all of it is unpacked, so that it is known to be what was pinned before anything is written.
///
/// # Errors
/// Code 6 if it is something else or damaged, 5 if it can't be read.
pub fn open(chosen: &Chosen, report: &Report) -> Result<Base, Failure> {
    // A vendor's image takes half a minute.
    let mut task = None;
    let mut watch = |done, total| {
        task.get_or_insert_with(|| report.task(Kind::Unpack, &chosen.name, total)).set(done);
    };
    let opened = Base::open_whole(&chosen.path, Some(&chosen.pin), &mut watch);
    if let (Some(task), true) = (task, opened.is_ok()) {
        task.finish("nothing is written before it is known");
    }
    opened.map_err(|error| {
        let code = if error.is_verification_failure() { Code::VerificationFailed } else { Code::Missing };
        let error = anyhow::Error::new(error).context(format!("open the base {}", chosen.path.display()));
        Failure { code, error }
    })
}

/// What cards are laid out on: the opened base, and where it is from.
pub fn ground<'a>(chosen: &Chosen, base: &'a Base) -> Ground<'a, Spool> {
    let origin = Origin { name: chosen.name.clone(), digest: chosen.pin.file.clone(), size: base.size() };
    Ground { head: base.head(), insight: base.insight(), origin }
}

fn groups(
    catalogue: &Catalogue,
    desk: &Desk,
    nodes: &[NodeName],
) -> Result<BTreeMap<String, Vec<NodeName>>, Failure> {
    let mut groups: BTreeMap<String, Vec<NodeName>> = BTreeMap::new();
    for name in nodes {
        let node = desk.node(name);
        let named = node.card.as_ref().and_then(|card| card.base.as_deref());
        let (base, _) = catalogue.of(node, named).map_err(|why| Failure::new(Code::InvalidProfile, why))?;
        groups.entry(base.to_owned()).or_default().push(name.clone());
    }
    Ok(groups)
}

fn fetched(common: &Common, catalogue: &Catalogue, name: &str, desk: &Desk) -> Result<Chosen, Failure> {
    let folder = load::profiles_folder(common)?.join(desk.model.name.as_str());
    bases::fetched(common, (name, catalogue.entry(name)), (&desk.model, &folder), &desk.report)
}

fn names(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}
