//! What a kind comes after without a word: a folder before what lies in it, packages before units, a file before the unit
//! it is or belongs to, secrets before who reads them.

use std::collections::{BTreeMap, BTreeSet};

use super::OrderError;
use crate::resource::{Resource, ResourceId, Want};
use crate::types::AbsPath;

/// The resources by what others know of them.
pub(super) struct Index<'a> {
    pub(super) by_id: BTreeMap<&'a ResourceId, usize>,
    folders: BTreeMap<&'a AbsPath, usize>,
    files: BTreeMap<&'a AbsPath, usize>,
    packages: Vec<usize>,
    secrets: Vec<(&'a str, usize)>,
    /// Homes that chezmoi fills, by user.
    homes: BTreeMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    pub(super) fn of(resources: &'a [Resource]) -> Result<Self, OrderError> {
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

    /// Adds to `needs` what `want` comes after without a word.
    pub(super) fn implied(&self, want: &Want, needs: &mut BTreeSet<usize>) {
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
            Want::Compose { file, secrets, .. } => {
                let read = std::iter::once(file).chain(secrets.values());
                needs.extend(read.filter_map(|path| self.files.get(path)));
                // Its programs: Docker's own come in packages, Compose where Docker looks for plugins.
                needs.extend(&self.packages);
                needs.extend(self.named("/docker-compose"));
            }
            Want::Mesh { key: Some(key), .. } => needs.extend(self.files.get(key)),
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
        self.named(&format!("/usr/local/bin/{program}"))
    }

    /// The file whose path ends so.
    fn named(&self, end: &str) -> Option<&usize> {
        self.files.iter().find(|(path, _)| path.as_str().ends_with(end)).map(|(_, at)| at)
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
