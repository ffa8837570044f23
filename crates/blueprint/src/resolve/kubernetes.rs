//! How Kubernetes runs a service, typed.
//!
//! In: a service's claims and those of its settings that say what its objects are like. Out: [`Kubernetes`], and findings on
//! values that mean nothing. Settings with other names are its program's or chart's own and are passed over.

use super::place::{Findings, Place};
use crate::finding::rules::service as rule;
use crate::lint::service::is_quantity;
use crate::model::{AccessMode, Chart, Claim, Crds, Kubernetes, Propagation, Workload};
use crate::spec::{At, ServiceSpec};

/// What the spec says of a service of kind `kubernetes`.
pub(crate) fn kubernetes(name: &At<String>, spec: &ServiceSpec, findings: &mut Findings) -> Kubernetes {
    let mut settings = Settings { spec, findings };
    Kubernetes {
        workload: settings
            .word("workload", &[("Deployment", Workload::Deployment), ("StatefulSet", Workload::StatefulSet)])
            .unwrap_or(Workload::Deployment),
        category: settings.text("category").unwrap_or_else(|| "default".to_owned()),
        propagation: settings.word(
            "mount-propagation",
            &[
                ("HostToContainer", Propagation::HostToContainer),
                ("Bidirectional", Propagation::Bidirectional),
            ],
        ),
        privileged: settings.flag("privileged", false),
        service_links: settings.flag("enableServiceLinks", true),
        probes: settings.flag("health-probes", true),
        apart_from: settings
            .text("anti-affinity")
            .map(|list| list.split(',').map(|name| name.trim().to_owned()).collect())
            .unwrap_or_default(),
        chart: settings.chart(name),
        claims: spec.claims.iter().filter_map(|(name, at)| claim(name, at, findings)).collect(),
    }
}

struct Settings<'a> {
    spec: &'a ServiceSpec,
    findings: &'a mut Findings,
}

impl Settings<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.spec.settings.get(key).map(|at| at.value.clone())
    }

    /// One of some words; another is a finding.
    fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let at = self.spec.settings.get(key)?;
        let found = words.iter().find(|(word, _)| *word == at.value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{key}` is one of {}, not `{}`", known.join(", "), at.value);
            self.findings.at(&rule::KUBERNETES_SETTING, Place::of(at), message);
        }
        found
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        self.word(key, &[("true", true), ("false", false)]).unwrap_or(default)
    }

    fn chart(&mut self, service: &At<String>) -> Option<Chart> {
        let name = self.text("chart")?;
        let (repository, version) = (self.text("chart-repository"), self.text("chart-version"));
        let crds = ["crds-repository", "crds-tag", "crds-path"].map(|key| self.text(key));
        let half = crds.iter().any(Option::is_some) && crds.iter().any(Option::is_none);
        let (Some(repository), Some(version), false) = (repository, version, half) else {
            let message = format!("`{}` does not say all of where its chart comes from", service.value);
            self.findings.at(&rule::HALF_A_CHART, Place::of(service), message);
            return None;
        };
        let crds = match crds {
            [Some(repository), Some(tag), Some(path)] => Some(Crds { repository, tag, path }),
            _ => None,
        };
        let namespace = self.text("namespace").unwrap_or_else(|| service.value.clone());
        Some(Chart { name, repository, version, namespace, crds })
    }
}

fn claim(name: &At<String>, at: &At<String>, findings: &mut Findings) -> Option<Claim> {
    read_claim(&name.value, &at.value)
        .map_err(|why| {
            findings.at(&rule::CLAIM, Place::of(at), format!("`{}` is not a claim: {why}", at.value));
        })
        .ok()
}

fn read_claim(name: &str, text: &str) -> Result<Claim, String> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let each = words.len() == 5 && words.pop_if(|last| *last == "each").is_some();
    let &[path, class, mode, size] = words.as_slice() else {
        return Err("it wants a path, a class, an access mode and a size".to_owned());
    };
    let mode = match mode {
        "ReadWriteOnce" => AccessMode::ReadWriteOnce,
        "ReadWriteMany" => AccessMode::ReadWriteMany,
        other => return Err(format!("`{other}` is neither ReadWriteOnce nor ReadWriteMany")),
    };
    if !is_quantity(size) {
        return Err(format!("`{size}` is not a Kubernetes quantity"));
    }
    Ok(Claim {
        name: name.to_owned(),
        path: path.parse().map_err(|invalid: desired::Invalid| invalid.to_string())?,
        class: class.to_owned(),
        mode,
        size: size.to_owned(),
        each,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_word_by_word() {
        let claim = read_claim("codecs", "/codecs longhorn ReadWriteOnce 10Gi each").unwrap();
        assert!(claim.each && claim.mode == AccessMode::ReadWriteOnce && claim.size == "10Gi");
        assert!(!read_claim("config", "/config  longhorn ReadWriteOnce 1Gi").unwrap().each);
        for bad in [
            "",
            "/a longhorn ReadWriteOnce",
            "a longhorn ReadWriteOnce 1Gi",
            "/a longhorn shared 1Gi",
            "/a longhorn ReadWriteMany 1GB",
            "/a longhorn ReadWriteMany 1Gi all",
        ] {
            assert!(read_claim("a", bad).is_err(), "{bad}");
        }
    }
}
