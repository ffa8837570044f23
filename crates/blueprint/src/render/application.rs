//! A service as containers beside each other, for every form that it is written in.
//!
//! In: a service. Out: its parts by name, with each folder by the variable that stands for it. A variable stands for a
//! folder if its value is that folder; it is then no setting of the container.

use std::collections::BTreeMap;

use crate::model::{Service, Volume};

/// One container.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its name, by which the others find it.
    pub name: &'a str,
    /// Its image.
    pub image: &'a str,
    /// Published ports, `host:container`.
    pub ports: &'a [String],
    /// Its folders.
    pub folders: Vec<Folder<'a>>,
    /// Its settings, without variables that stand for folders.
    pub environment: BTreeMap<&'a str, &'a str>,
    /// Names of its secrets.
    pub secrets: &'a [String],
    /// Memory it is held to.
    pub memory_limit: Option<&'a str>,
    /// Whether it is the service's main one.
    pub is_main: bool,
}

/// A folder of a container.
#[derive(Debug)]
pub struct Folder<'a> {
    /// Where it is and where the container sees it.
    pub volume: &'a Volume,
    /// The variable that stands for it.
    pub variable: Option<&'a str>,
}

/// Variables that stand for folders, with those.
pub fn paths(service: &Service) -> BTreeMap<&str, &str> {
    let others = service.containers.values().flat_map(|container| &container.environment);
    let all = service.environment.iter().chain(others);
    all.filter(|(_, value)| service.all_volumes().any(|volume| volume.source.as_str() == value.as_str()))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// Its containers that have an image, by name.
pub fn parts(service: &Service) -> Vec<Part<'_>> {
    let paths = paths(service);
    service
        .images
        .iter()
        .filter_map(|(name, image)| {
            let own = service.containers.get(name);
            // Of several images that nothing is said of, only the one called as the service is a container for sure.
            if own.is_none() && *name != service.name && service.images.len() > 1 {
                return None;
            }
            Some(match own {
                Some(own) => Part {
                    name,
                    image,
                    ports: &own.ports,
                    folders: folders(&own.volumes, &paths),
                    environment: settings(&own.environment, &paths),
                    secrets: &own.secrets,
                    memory_limit: own.memory_limit.as_deref(),
                    is_main: false,
                },
                None => Part {
                    name,
                    image,
                    ports: &service.ports,
                    folders: folders(&service.volumes, &paths),
                    environment: settings(&service.environment, &paths),
                    secrets: &service.secrets,
                    memory_limit: service.memory_limit.as_deref(),
                    is_main: true,
                },
            })
        })
        .collect()
}

fn folders<'a>(volumes: &'a [Volume], paths: &BTreeMap<&'a str, &'a str>) -> Vec<Folder<'a>> {
    let variable = |volume: &Volume| {
        paths.iter().find(|(_, path)| **path == volume.source.as_str()).map(|(variable, _)| *variable)
    };
    volumes.iter().map(|volume| Folder { volume, variable: variable(volume) }).collect()
}

fn settings<'a>(
    all: &'a BTreeMap<String, String>,
    paths: &BTreeMap<&'a str, &'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let own = all.iter().filter(|(key, _)| !paths.contains_key(key.as_str()));
    own.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}
