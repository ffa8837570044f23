//! The containers of a service, typed: what its own table says is the main one's.
//!
//! In: a service as written. Out: a container for each image. What is wrong in a value is told where the whole service is
//! judged; here it is left out.

use std::collections::BTreeMap;

use desired::ByteSize;

use super::service::read_volume;
use crate::model::{Container, Setting};
use crate::spec::{At, ContainerSpec, ServiceSpec};

/// A container for each image, by name.
pub(super) fn containers(name: &At<String>, spec: &ServiceSpec) -> BTreeMap<String, Container> {
    let main = spec.main_container(&name.value);
    let of = |(key, image): (&At<String>, &At<String>)| {
        let beside = spec.containers.get(key.value.as_str());
        let mut container = if main == Some(key.value.as_str()) {
            Container { host_network: spec.host_network, ..container(&of_service(spec)) }
        } else {
            beside.map(container).unwrap_or_default()
        };
        container.image.clone_from(&image.value);
        (key.value.clone(), container)
    };
    spec.images.iter().map(of).collect()
}

/// What the service's own table says of one container.
fn of_service(spec: &ServiceSpec) -> ContainerSpec {
    ContainerSpec {
        ports: spec.ports.clone(),
        volumes: spec.volumes.clone(),
        secrets: spec.secrets.clone(),
        environment: spec.environment.clone(),
        health_check: spec.health_check.clone(),
        command: spec.command.clone(),
        user: spec.user.clone(),
        networks: spec.networks.clone(),
        gpu: spec.gpu,
        memory_limit: spec.memory_limit.clone(),
        cpu_limit: spec.cpu_limit.clone(),
    }
}

fn container(spec: &ContainerSpec) -> Container {
    let list = |list: &[At<String>]| list.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let mut environment: BTreeMap<String, Setting> =
        spec.environment.iter().map(|(key, at)| (key.value.clone(), Setting::read(&at.value))).collect();
    // One that stands in a setting has its name there.
    let named: Vec<String> = environment.values().flat_map(Setting::secrets).map(str::to_owned).collect();
    for secret in spec.secrets.iter().filter(|at| !named.contains(&at.value)) {
        environment.insert(secret.value.clone(), Setting::secret(&secret.value));
    }
    Container {
        image: String::new(),
        ports: list(&spec.ports),
        volumes: spec.volumes.iter().filter_map(|at| read_volume(&at.value).ok()).collect(),
        environment,
        health_check: list(&spec.health_check),
        command: list(&spec.command),
        user: spec.user.as_ref().map(|at| at.value.clone()),
        networks: spec.networks.iter().map(|at| at.value.clone()).collect(),
        host_network: false,
        gpu: spec.gpu,
        memory_limit: spec.memory_limit.as_ref().and_then(|at| bytes(&at.value)),
        cpu_limit_millis: spec.cpu_limit.as_ref().and_then(|at| thousandths(&at.value)),
    }
}

/// A Kubernetes quantity of memory.
fn bytes(text: &str) -> Option<ByteSize> {
    const UNITS: [(&str, u64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("", 1),
    ];
    let (suffix, unit) = UNITS.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let millis = decimal(text.strip_suffix(suffix)?)?;
    Some(ByteSize(u64::try_from(u128::from(millis) * u128::from(*unit) / 1000).ok()?))
}

/// A Kubernetes quantity of CPU, in thousandths of a core.
fn thousandths(text: &str) -> Option<u64> {
    match text.strip_suffix('m') {
        Some(millis) => millis.parse().ok(),
        None => decimal(text),
    }
}

/// A decimal number in thousandths; what is finer is cut off.
fn decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        assert_eq!(bytes("512Mi"), Some(ByteSize(512 << 20)));
        assert_eq!(bytes("1.5Gi"), Some(ByteSize(3 << 29)));
        assert_eq!(bytes("1G"), Some(ByteSize(1_000_000_000)));
        assert_eq!(bytes("x"), None);
        assert_eq!(
            (thousandths("250m"), thousandths("1.5"), thousandths("2")),
            (Some(250), Some(1500), Some(2000))
        );
    }
}
