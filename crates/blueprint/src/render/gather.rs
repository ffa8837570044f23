//! Gathering: the resources of all families into one list that contradicts nothing and can be made in its order.
//!
//! In: resources with the family that wants each. Out: the same, packages of one manager merged, equal folders and
//! kernel modules folded, in the order `desired` gives them, everything after what it names.

use std::collections::{BTreeMap, HashMap};

use desired::NodeName;
use desired::order::into_order;
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
    let resources: Vec<Resource> = merged.into_iter().map(|(_, resource)| resource).collect();
    into_order(resources).map_err(|source| RenderError::Order { node: node.clone(), source })
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
        (Want::Packages { names, files, .. }, Want::Packages { names: more, files: further, .. }) => {
            names.extend(more.iter().cloned());
            files.extend(further.iter().map(|(artifact, file)| (artifact.clone(), file.clone())));
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
            files: BTreeMap::new(),
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
        assert!(error.contains("render pc") && error.contains("file:/b"), "{error}");
        let error =
            gathered(vec![("f", file("/a").after(&b.id)), ("f", file("/b").after(&a.id))]).unwrap_err();
        assert!(error.contains("render pc") && error.contains("wait for one another"), "{error}");
    }
}
