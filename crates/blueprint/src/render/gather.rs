//! Gathering: the resources of all families into one list that contradicts nothing and can be made in its order.
//!
//! In: resources with the family that wants each. Out: the same, packages of one manager merged, equal folders and
//! kernel modules folded, every `after` satisfied by what stands before, families' own order kept where it can be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use desired::NodeName;
use desired::resource::{Resource, ResourceId, Want};

use super::RenderError;

/// A resource and the family that wants it.
type Wanted = (&'static str, Resource);

/// One list from the lists of all families.
///
/// # Errors
/// If two families want one resource or path differently, a named resource is missing, or some wait in a circle.
pub fn gather(node: &NodeName, wanted: Vec<Wanted>) -> Result<Vec<Resource>, RenderError> {
    let merged = merge(node, wanted)?;
    check_paths(node, &merged)?;
    order(node, merged)
}

/// One resource an id.
fn merge(node: &NodeName, wanted: Vec<Wanted>) -> Result<Vec<Wanted>, RenderError> {
    let mut places: HashMap<ResourceId, usize> = HashMap::with_capacity(wanted.len());
    let mut merged: Vec<Wanted> = Vec::with_capacity(wanted.len());
    for (family, resource) in wanted {
        let Some(place) = places.get(&resource.id).copied() else {
            places.insert(resource.id.clone(), merged.len());
            merged.push((family, resource));
            continue;
        };
        let (first, standing) = &mut merged[place];
        if !fold(&mut standing.want, &resource.want) {
            return Err(RenderError::DuplicateResource {
                node: node.clone(),
                id: resource.id,
                first,
                second: family,
            });
        }
        standing.after.extend(resource.after);
    }
    Ok(merged)
}

/// Puts `other` into `standing` if both can be had as one.
fn fold(standing: &mut Want, other: &Want) -> bool {
    match (standing, other) {
        (Want::Packages { names, .. }, Want::Packages { names: more, .. }) => {
            names.extend(more.iter().cloned());
            true
        }
        // Several families may need the same folder or module; they must agree on all of it.
        (standing @ (Want::Directory { .. } | Want::KernelModule { .. } | Want::Sysctl { .. }), other) => {
            standing == other
        }
        _ => false,
    }
}

/// Refuses two resources on one path; blocks share a file with other blocks.
fn check_paths(node: &NodeName, wanted: &[Wanted]) -> Result<(), RenderError> {
    let mut owners: BTreeMap<&str, (&'static str, &ResourceId, bool)> = BTreeMap::new();
    for (family, resource) in wanted {
        let (path, is_block) = match &resource.want {
            Want::Directory { path, .. }
            | Want::File { path, .. }
            | Want::SecretFile { path, .. }
            | Want::Artifact { path, .. } => (path.as_str(), false),
            Want::ManagedBlock { path, .. } => (path.as_str(), true),
            _ => continue,
        };
        match owners.insert(path, (family, &resource.id, is_block)) {
            Some((first, first_id, was_block)) if !(is_block && was_block) => {
                return Err(RenderError::PathTaken {
                    node: node.clone(),
                    first,
                    first_id: first_id.clone(),
                    second: family,
                    second_id: resource.id.clone(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// What must exist for `resource`: what it comes after, and what it is restarted by.
fn named(resource: &Resource) -> impl Iterator<Item = &ResourceId> {
    let restart_on = match &resource.want {
        Want::Unit { restart_on, .. } => Some(restart_on),
        _ => None,
    };
    resource.after.iter().chain(restart_on.into_iter().flatten())
}

/// Sorts so that everything stands after what it names; the earliest possible in the given order comes first.
fn order(node: &NodeName, wanted: Vec<Wanted>) -> Result<Vec<Resource>, RenderError> {
    let places: HashMap<&ResourceId, usize> =
        wanted.iter().enumerate().map(|(place, (_, resource))| (&resource.id, place)).collect();
    let mut waiting = vec![0_usize; wanted.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); wanted.len()];
    for (place, (family, resource)) in wanted.iter().enumerate() {
        for earlier in named(resource) {
            let Some(earlier) = places.get(earlier) else {
                return Err(RenderError::MissingDependency {
                    node: node.clone(),
                    id: resource.id.clone(),
                    family,
                    missing: earlier.clone(),
                });
            };
            followers[*earlier].push(place);
            waiting[place] += 1;
        }
    }
    let mut ready: BTreeSet<usize> = (0..wanted.len()).filter(|place| waiting[*place] == 0).collect();
    let mut sequence = Vec::with_capacity(wanted.len());
    while let Some(place) = ready.pop_first() {
        sequence.push(place);
        for follower in &followers[place] {
            waiting[*follower] -= 1;
            if waiting[*follower] == 0 {
                ready.insert(*follower);
            }
        }
    }
    if let Some(stuck) = waiting.iter().position(|count| *count > 0) {
        let circle = circle(&wanted, &places, &waiting, stuck);
        return Err(RenderError::Cycle { node: node.clone(), circle });
    }
    let mut wanted: Vec<Option<Resource>> = wanted.into_iter().map(|(_, resource)| Some(resource)).collect();
    Ok(sequence.into_iter().filter_map(|place| wanted[place].take()).collect())
}

/// A circle reached from `stuck` by going to what each resource still waits for.
fn circle(
    wanted: &[Wanted],
    places: &HashMap<&ResourceId, usize>,
    waiting: &[usize],
    stuck: usize,
) -> Vec<ResourceId> {
    let mut walk = vec![stuck];
    loop {
        let here = walk[walk.len() - 1];
        let next = named(&wanted[here].1)
            .filter_map(|earlier| places.get(earlier).copied())
            .find(|earlier| waiting[*earlier] > 0)
            .unwrap_or(here);
        if let Some(start) = walk.iter().position(|place| *place == next) {
            walk.push(next);
            return walk[start..].iter().rev().map(|place| wanted[*place].1.id.clone()).collect();
        }
        walk.push(next);
    }
}

#[cfg(test)]
mod tests {
    use desired::Mode;
    use desired::resource::{Owner, PackageManager};

    use super::*;

    fn file(path: &str) -> Resource {
        Resource::new(Want::File {
            path: path.parse().unwrap(),
            mode: Mode::PUBLIC,
            owner: Owner::root(),
            content: String::new(),
        })
    }

    fn packages(names: &[&str]) -> Resource {
        Resource::new(Want::Packages {
            manager: PackageManager::Apt,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    fn gathered(wanted: Vec<Wanted>) -> Result<Vec<String>, String> {
        gather(&"pc".parse().unwrap(), wanted)
            .map(|all| all.iter().map(|resource| resource.id.to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn packages_of_all_families_become_one() {
        let all = gather(&"pc".parse().unwrap(), vec![("a", packages(&["x"])), ("b", packages(&["y", "x"]))])
            .unwrap();
        assert_eq!(all, [packages(&["x", "y"])]);
    }

    #[test]
    fn what_is_named_comes_first_and_the_rest_keeps_its_order() {
        let (a, b, c) = (file("/a"), file("/b"), file("/c"));
        let a = a.after(&c.id);
        assert_eq!(gathered(vec![("f", a), ("f", b), ("f", c)]).unwrap(), ["file:/b", "file:/c", "file:/a"]);
    }

    #[test]
    fn one_thing_wanted_twice_names_both_families() {
        let error = gathered(vec![("docker", file("/a")), ("k3s", file("/a"))]).unwrap_err();
        assert!(error.contains("`docker` and `k3s`") && error.contains("file:/a"), "{error}");
        let block = Resource::new(Want::ManagedBlock {
            path: "/a".parse().unwrap(),
            name: "x".to_owned(),
            comment: "#".to_owned(),
            content: String::new(),
        });
        let error = gathered(vec![("docker", file("/a")), ("mounts", block)]).unwrap_err();
        assert!(error.contains("`docker`") && error.contains("`mounts`") && error.contains("/a"), "{error}");
    }

    #[test]
    fn missing_and_circular_dependencies_are_said() {
        let (a, b) = (file("/a"), file("/b"));
        let error = gathered(vec![("f", file("/a").after(&b.id))]).unwrap_err();
        assert!(error.contains("file:/b, which nothing wants"), "{error}");
        let error =
            gathered(vec![("f", file("/a").after(&b.id)), ("f", file("/b").after(&a.id))]).unwrap_err();
        assert!(error.contains("file:/a -> file:/b -> file:/a"), "{error}");
    }
}
