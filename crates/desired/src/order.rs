//! In which order a node's resources come into being.
//!
//! In: resources with what they declare to come `after`. Out: the same resources in one order that depends on
//! nothing but them, or [`OrderError`] with the cycle spelled out. Beyond what is declared, kinds imply: a folder
//! before what lies in it, packages before units, a file before the unit it is or belongs to, secrets before who
//! reads them.

mod index;

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{Resource, ResourceId, Want};
use index::Index;

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Two resources of one name.
    #[error("{0} is wanted twice on one node")]
    Twice(ResourceId),
    /// A name that isn't its own.
    #[error("{id} is named wrongly, what it wants is {want}")]
    Misnamed {
        /// The name it has.
        id: ResourceId,
        /// The name it should have.
        want: ResourceId,
    },
    /// Two kinds of thing at one path.
    #[error("{one} and {other} contend for one path")]
    Contested {
        /// The first by name.
        one: ResourceId,
        /// The second.
        other: ResourceId,
    },
    /// After something that isn't wanted on this node.
    #[error("{id} comes after {missing}, which this node does not have")]
    Missing {
        /// Who says so.
        id: ResourceId,
        /// What isn't there.
        missing: ResourceId,
    },
    /// Each waits for the next.
    #[error("these wait for one another, each for the next: {}", circle(.0))]
    Cycle(Vec<ResourceId>),
}

fn circle(ids: &[ResourceId]) -> String {
    let names: Vec<&str> = ids.iter().chain(ids.first()).map(ResourceId::as_str).collect();
    names.join(" → ")
}

/// The resources, each after all it needs; otherwise by kind, then by name.
///
/// # Errors
/// [`OrderError`].
pub fn order(resources: &[Resource]) -> Result<Vec<&Resource>, OrderError> {
    Ok(places(resources)?.into_iter().map(|place| &resources[place]).collect())
}

/// As [`order`], of resources nobody else needs.
///
/// # Errors
/// [`OrderError`].
pub fn into_order(resources: Vec<Resource>) -> Result<Vec<Resource>, OrderError> {
    let places = places(&resources)?;
    let mut resources: Vec<Option<Resource>> = resources.into_iter().map(Some).collect();
    Ok(places.into_iter().filter_map(|place| resources[place].take()).collect())
}

/// Which resource comes first, second…
fn places(resources: &[Resource]) -> Result<Vec<usize>, OrderError> {
    let needs = indices(resources)?;
    let mut left = needs.iter().map(|needs| needs.len()).collect::<Vec<_>>();
    let mut dependents = vec![Vec::new(); resources.len()];
    for (index, needs) in needs.iter().enumerate() {
        for need in needs {
            dependents[*need].push(index);
        }
    }
    let key = |index: usize| (rank(&resources[index].want), &resources[index].id, index);
    let mut ready: BTreeSet<_> = (0..resources.len()).filter(|index| left[*index] == 0).map(key).collect();
    let mut ordered = Vec::with_capacity(resources.len());
    while let Some((_, _, index)) = ready.pop_first() {
        ordered.push(index);
        for dependent in &dependents[index] {
            left[*dependent] -= 1;
            if left[*dependent] == 0 {
                ready.insert(key(*dependent));
            }
        }
    }
    if ordered.len() == resources.len() { Ok(ordered) } else { Err(cycle(resources, &needs, &left)) }
}

/// What each resource comes after, declared or implied; whoever skips one skips what needs it.
///
/// # Errors
/// [`OrderError`], but for cycles.
pub fn needs(resources: &[Resource]) -> Result<BTreeMap<&ResourceId, BTreeSet<&ResourceId>>, OrderError> {
    let ids = |needs: BTreeSet<usize>| needs.into_iter().map(|at| &resources[at].id).collect();
    let all = indices(resources)?.into_iter().map(ids);
    Ok(resources.iter().map(|resource| &resource.id).zip(all).collect())
}

/// Where a kind stands when nothing else decides: what can fail for outside reasons first, what only works on a
/// finished node last.
const fn rank(want: &Want) -> u8 {
    match want {
        Want::Hostname { .. } => 0,
        Want::Packages { .. } => 1,
        Want::KernelModule { .. } => 2,
        Want::Sysctl { .. } => 3,
        Want::Directory { .. } => 4,
        Want::SecretFile { .. } => 5,
        Want::File { .. } => 6,
        Want::ManagedBlock { .. } | Want::ManagedLine { .. } => 7,
        Want::Artifact { .. } => 8,
        Want::Run { .. } => 9,
        Want::Unit { .. } => 10,
        Want::Chezmoi { .. } => 11,
        Want::Mise { .. } => 12,
        Want::Mesh { .. } => 13,
        Want::Compose { .. } => 14,
        Want::NodeMetadata { .. } => 15,
    }
}

/// For each resource the indices of those it comes after.
fn indices(resources: &[Resource]) -> Result<Vec<BTreeSet<usize>>, OrderError> {
    let index = Index::of(resources)?;
    let mut all = Vec::with_capacity(resources.len());
    for (own, resource) in resources.iter().enumerate() {
        let mut needs = BTreeSet::new();
        let restart_on = match &resource.want {
            Want::Unit { restart_on, .. } | Want::Compose { restart_on, .. } => Some(restart_on),
            _ => None,
        };
        for earlier in resource.after.iter().chain(restart_on.into_iter().flatten()) {
            let Some(at) = index.by_id.get(earlier) else {
                return Err(OrderError::Missing { id: resource.id.clone(), missing: earlier.clone() });
            };
            needs.insert(*at);
        }
        index.implied(&resource.want, &mut needs);
        if needs.remove(&own) && resource.after.contains(&resource.id) {
            return Err(OrderError::Cycle(vec![resource.id.clone()]));
        }
        all.push(needs);
    }
    Ok(all)
}

/// One circle among those that never became ready.
fn cycle(resources: &[Resource], needs: &[BTreeSet<usize>], left: &[usize]) -> OrderError {
    let blocked = |index: &usize| left[*index] > 0;
    let mut path: Vec<usize> = Vec::new();
    // Everything blocked needs something blocked, so walking on must come back to where it was.
    let mut at = (0..resources.len()).filter(blocked).min_by_key(|index| &resources[*index].id);
    while let Some(index) = at {
        if let Some(start) = path.iter().position(|earlier| *earlier == index) {
            path.drain(..start);
            break;
        }
        path.push(index);
        at = needs[index].iter().copied().filter(blocked).min_by_key(|index| &resources[*index].id);
    }
    OrderError::Cycle(path.into_iter().map(|index| resources[index].id.clone()).collect())
}

#[cfg(test)]
mod tests;
