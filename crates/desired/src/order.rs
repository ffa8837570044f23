//! In which order a node's resources come into being.
//!
//! In: resources with what they declare to come `after`. Out: the same resources in one order that depends on
//! nothing but them, or [`OrderError`] with the cycle spelled out. Beyond what is declared, kinds imply: a folder
//! before what lies in it, packages before units, a file before the unit it is or belongs to, secrets before who
//! reads them.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{Resource, ResourceId, Want};
use crate::types::AbsPath;

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
        Want::NodeMetadata { .. } => 13,
    }
}

/// For each resource the indices of those it comes after.
fn indices(resources: &[Resource]) -> Result<Vec<BTreeSet<usize>>, OrderError> {
    let index = Index::of(resources)?;
    let mut all = Vec::with_capacity(resources.len());
    for (own, resource) in resources.iter().enumerate() {
        let mut needs = BTreeSet::new();
        let restart_on = match &resource.want {
            Want::Unit { restart_on, .. } => Some(restart_on),
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

/// The resources by what others know of them.
struct Index<'a> {
    by_id: BTreeMap<&'a ResourceId, usize>,
    folders: BTreeMap<&'a AbsPath, usize>,
    files: BTreeMap<&'a AbsPath, usize>,
    packages: Vec<usize>,
    secrets: Vec<(&'a str, usize)>,
    /// Homes that chezmoi fills, by user.
    homes: BTreeMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    fn of(resources: &'a [Resource]) -> Result<Self, OrderError> {
        let (mut by_id, mut folders, mut files) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut packages, mut secrets, mut homes) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut places: BTreeMap<&AbsPath, &Resource> = BTreeMap::new();
        for (at, resource) in resources.iter().enumerate() {
            let id = &resource.id;
            if *id != resource.want.id() {
                return Err(OrderError::Misnamed { id: id.clone(), want: resource.want.id() });
            }
            if by_id.insert(id, at).is_some() {
                return Err(OrderError::Twice(id.clone()));
            }
            match &resource.want {
                Want::Directory { path, .. } => drop(folders.insert(path, at)),
                Want::SecretFile { path, .. } => {
                    secrets.push((path.as_str(), at));
                    files.insert(path, at);
                }
                Want::File { path, .. } | Want::Artifact { path, .. } => drop(files.insert(path, at)),
                Want::Packages { .. } => packages.push(at),
                Want::Chezmoi { user, .. } => drop(homes.insert(user.as_str(), at)),
                _ => {}
            }
            let Some(path) = path_of(&resource.want) else { continue };
            if let Some(other) = places.insert(path, resource) {
                let (one, other) = (other.id.clone().min(id.clone()), other.id.clone().max(id.clone()));
                // Two blocks share a file, which is what blocks are for.
                if !(one.as_str().starts_with("managed-block:")
                    && other.as_str().starts_with("managed-block:"))
                {
                    return Err(OrderError::Contested { one, other });
                }
            }
        }
        Ok(Self { by_id, folders, files, packages, secrets, homes })
    }

    fn implied(&self, want: &Want, needs: &mut BTreeSet<usize>) {
        if let Some(path) = path_of(want) {
            let ancestors = std::iter::successors(path.parent(), AbsPath::parent);
            needs.extend(ancestors.filter_map(|folder| self.folders.get(&folder)));
        }
        match want {
            Want::Unit { name, .. } => {
                needs.extend(&self.packages);
                needs.extend(self.unit_files(name.as_str()));
                if name.as_str().ends_with("mount") {
                    needs.extend(self.secrets.iter().map(|(_, at)| at));
                }
            }
            Want::File { content, .. } | Want::ManagedBlock { content, .. } => {
                let read = self.secrets.iter().filter(|(path, _)| content.contains(path));
                needs.extend(read.map(|(_, at)| at));
            }
            Want::Run { command, .. } => {
                let paths = command.iter().filter_map(|word| word.parse::<AbsPath>().ok());
                needs.extend(paths.filter_map(|path| self.files.get(&path)));
            }
            Want::Chezmoi { source, .. } => {
                needs.extend(self.program("chezmoi"));
                let inside = format!("{source}/");
                let files = self.files.iter().filter(|(path, _)| path.as_str().starts_with(&inside));
                needs.extend(files.map(|(_, at)| at));
            }
            Want::Mise { user, .. } => {
                needs.extend(self.program("mise"));
                // What mise installs stands in a file of that home.
                needs.extend(self.homes.get(user.as_str()));
            }
            _ => {}
        }
    }

    /// The resource that installs `program`.
    fn program(&self, program: &str) -> Option<&usize> {
        self.files
            .iter()
            .find(|(path, _)| path.as_str() == format!("/usr/local/bin/{program}"))
            .map(|(_, at)| at)
    }

    /// The file a unit is and its drop-ins.
    fn unit_files(&self, unit: &str) -> impl Iterator<Item = &usize> {
        let own = format!("/etc/systemd/system/{unit}");
        let drop_ins = format!("{own}.d/");
        let belongs = move |path: &str| path == own || path.starts_with(&drop_ins);
        self.files.iter().filter(move |(path, _)| belongs(path.as_str())).map(|(_, at)| at)
    }
}

/// Where a resource writes, for those that write at one place.
const fn path_of(want: &Want) -> Option<&AbsPath> {
    match want {
        Want::Directory { path, .. }
        | Want::File { path, .. }
        | Want::SecretFile { path, .. }
        | Want::ManagedBlock { path, .. }
        | Want::ManagedLine { path, .. }
        | Want::Artifact { path, .. } => Some(path),
        _ => None,
    }
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
mod tests {
    use super::*;
    use crate::resource::{Owner, PackageManager, SecretPart};
    use crate::types::Mode;

    fn file(path: &str, content: &str) -> Resource {
        Resource::new(Want::File {
            path: path.parse().unwrap(),
            mode: Mode::PUBLIC,
            owner: Owner::root(),
            content: content.to_owned(),
        })
    }
    fn folder(path: &str) -> Resource {
        Resource::new(Want::Directory {
            path: path.parse().unwrap(),
            mode: Mode::EXECUTABLE,
            owner: Owner::root(),
        })
    }
    fn unit(name: &str, restart_on: &[&Resource]) -> Resource {
        Resource::new(Want::Unit {
            name: name.parse().unwrap(),
            enabled: true,
            active: true,
            restart_on: restart_on.iter().map(|resource| resource.id.clone()).collect(),
        })
    }
    fn names(resources: &[Resource]) -> Vec<String> {
        order(resources).unwrap().iter().map(|resource| resource.id.to_string()).collect()
    }

    #[test]
    fn kinds_imply_an_order_whatever_came_first() {
        let secret = Resource::new(Want::SecretFile {
            path: "/etc/samba/credentials/nas".parse().unwrap(),
            mode: Mode::PRIVATE,
            owner: Owner::root(),
            parts: vec![SecretPart::Secret("env:NAS".parse().unwrap())],
        });
        let packages = Resource::new(Want::Packages {
            manager: PackageManager::Apt,
            names: ["cifs-utils".to_owned()].into(),
        });
        let fstab = Resource::new(Want::ManagedBlock {
            path: "/etc/fstab".parse().unwrap(),
            name: "mounts".to_owned(),
            comment: "#".to_owned(),
            content: "//nas/a /mnt cifs credentials=/etc/samba/credentials/nas\n".to_owned(),
        });
        let mut all = vec![
            unit("mnt.automount", &[&fstab]),
            fstab,
            file("/etc/systemd/system/a.service.d/10-mounts.conf", ""),
            unit("a.service", &[]),
            secret,
            folder("/etc/samba/credentials"),
            packages,
            folder("/etc/samba"),
        ];
        let needed = needs(&all).unwrap();
        let of = |id: &str| {
            let (_, needed) = needed.iter().find(|(one, _)| one.as_str() == id).unwrap();
            needed.iter().map(|id| id.as_str()).collect::<Vec<_>>()
        };
        let credentials = "secret-file:/etc/samba/credentials/nas";
        assert_eq!(of(credentials), ["directory:/etc/samba", "directory:/etc/samba/credentials"]);
        assert_eq!(
            of("unit:mnt.automount"),
            ["managed-block:/etc/fstab#mounts", "packages:apt", credentials]
        );
        let wanted = [
            "packages:apt",
            "directory:/etc/samba",
            "directory:/etc/samba/credentials",
            "secret-file:/etc/samba/credentials/nas",
            "file:/etc/systemd/system/a.service.d/10-mounts.conf",
            "managed-block:/etc/fstab#mounts",
            "unit:a.service",
            "unit:mnt.automount",
        ];
        for turn in 0..all.len() {
            assert_eq!(names(&all), wanted, "turned {turn}");
            all.rotate_left(1);
        }
    }

    #[test]
    fn what_is_declared_beats_the_kinds() {
        let mounted = unit("mnt.mount", &[]);
        let inside = file("/mnt/readme", "").after(&mounted.id);
        assert_eq!(names(&[inside, mounted]), ["unit:mnt.mount", "file:/mnt/readme"]);
    }

    #[test]
    fn a_cycle_is_spelled_out() {
        let a = file("/a", "");
        let service = unit("s.service", &[&a]);
        let b = file("/b", "").after(&service.id);
        let a = a.after(&b.id);
        let error = order(&[a, b, service, file("/free", "")]).unwrap_err().to_string();
        assert!(error.ends_with("file:/a → file:/b → unit:s.service → file:/a"), "{error}");
        let own = file("/a", "");
        let id = own.id.clone();
        let error = order(&[own.after(&id)]).unwrap_err().to_string();
        assert!(error.ends_with("file:/a → file:/a"), "{error}");
    }

    #[test]
    fn contradictions_are_refused() {
        let twice = [file("/a", "1"), file("/a", "2")];
        assert_eq!(order(&twice).unwrap_err().to_string(), "file:/a is wanted twice on one node");
        let contested = [file("/a", ""), folder("/a")];
        let error = order(&contested).unwrap_err().to_string();
        assert_eq!(error, "directory:/a and file:/a contend for one path");
        let lost = unit("a.service", &[&file("/gone", "")]);
        assert!(
            order(&[lost]).unwrap_err().to_string().contains("file:/gone, which this node does not have")
        );
        let mut misnamed = file("/a", "");
        misnamed.id = folder("/a").id;
        assert!(order(&[misnamed]).unwrap_err().to_string().contains("named wrongly"));
    }
}
