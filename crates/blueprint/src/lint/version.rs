//! Versions, registries, mirrors, image names.

use super::Context;
use crate::finding::rules::{trust, version as rule};
use crate::lock::is_version;
use crate::model::Orchestrator;
use crate::resolve::place::{Findings, Place};
use crate::spec::{At, RegistrySpec};

pub(crate) fn lint(context: &Context<'_>, findings: &mut Findings) {
    for (name, at) in &context.spec.versions {
        version(&name.value, at, findings);
        if name.value == "k3s" && context.model.orchestrator == Orchestrator::Compose {
            findings.at(
                &rule::UNUSED_K3S_VERSION,
                Place::of(name),
                "a cluster run by Compose has no use for k3s",
            );
        }
    }
    package_files(context, findings);
    registries(context, findings);
    for mirror in &context.spec.mirrors {
        for at in [&mirror.from, &mirror.to] {
            let url = at.value.starts_with("https://") || at.value.starts_with("http://");
            if !url || !at.value.ends_with('/') {
                findings.at(
                    &rule::DOWNLOAD_MIRROR,
                    Place::of(at),
                    "this is not a URL prefix that ends in a slash",
                );
            }
            login(at, findings);
        }
    }
    if let Some(at) = &context.spec.images.repository {
        let fits = at.value.contains('/')
            && !at.value.ends_with('/')
            && !at.value.contains("//")
            && at
                .value
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"./-_:".contains(&byte));
        if !fits {
            findings.at(&rule::REPOSITORY, Place::of(at), format!("`{}` is not host/path", at.value));
        }
    }
}

fn version(name: &str, at: &At<String>, findings: &mut Findings) {
    let text = at.value.strip_prefix('v').unwrap_or(&at.value);
    let core = text.split(['-', '+', '~']).next().unwrap_or_default();
    let numbers =
        core.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let clean = at.value.chars().all(|c| c.is_ascii_alphanumeric() || ".+-~_".contains(c));
    let whole = core.split('.').count() >= 2;
    if !numbers || !clean || !whole {
        findings.at(&rule::VERSION_FORM, Place::of(at), format!("`{}` is not one exact version", at.value));
    } else if name == "k3s" && !(at.value.starts_with('v') && at.value.contains("+k3s")) {
        findings
            .at(&rule::VERSION_FORM, Place::of(at), format!("`{}` is not a release of k3s", at.value))
            .help("k3s versions look like v1.36.4+k3s1");
    }
}

fn package_files(context: &Context<'_>, findings: &mut Findings) {
    for file in context.spec.package_files.values() {
        if !is_version(&file.version.value) {
            let message = format!("`{}` is no version as file names have it", file.version.value);
            findings.at(&rule::PACKAGE_FILE, Place::of(&file.version), message);
        }
        let source = &file.source.value;
        let is_somewhere = ["file:", "https://", "http://"].iter().any(|scheme| source.starts_with(scheme));
        if !is_somewhere || !source.ends_with(".deb") {
            let message = format!("`{source}` names no .deb by file: or https:");
            findings.at(&rule::PACKAGE_FILE, Place::of(&file.source), message);
        }
        login(&file.source, findings);
        let is_for = |os: &At<String>| {
            let nodes = context.model.nodes.values();
            nodes.into_iter().any(|node| node.os.family.has_apt() && node.os.name() == os.value)
        };
        if let Some(os) = file.os.as_ref().filter(|os| !is_for(os)) {
            let message = format!("no node with apt has the system `{}`", os.value);
            findings.at(&rule::UNUSED_PACKAGE_FILE, Place::of(os), message);
        }
    }
}

fn registries(context: &Context<'_>, findings: &mut Findings) {
    let hosts: Vec<&str> = context.spec.registries.keys().map(|host| host.value.as_str()).collect();
    for (host, registry) in &context.spec.registries {
        let fits = host.value == "*"
            || !host.value.is_empty()
                && host.value.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c))
                && !host.value.contains("::");
        if !fits {
            findings.at(
                &rule::REGISTRY_HOST,
                Place::of(host),
                format!("`{}` is not host or host:port", host.value),
            );
        }
        for at in &registry.mirrors {
            let bare = at.value.strip_prefix("https://").or_else(|| at.value.strip_prefix("http://"));
            let Some(bare) = bare else {
                findings.at(
                    &rule::MIRROR_SCHEME,
                    Place::of(at),
                    format!("`{}` has no http:// or https://", at.value),
                );
                continue;
            };
            let bare = bare.split('/').next().unwrap_or_default();
            if host.value == "docker.io" && hosts.contains(&bare) {
                let message = format!("`{bare}` is a registry of its own here, no cache of Docker Hub");
                findings.at(&rule::MIRROR_SELF, Place::of(at), message);
            }
            login(at, findings);
        }
        login_halves(host, registry, findings);
    }
}

/// A user of no letters is none; what stands for a password is judged as a reference.
fn login_halves(host: &At<String>, registry: &RegistrySpec, findings: &mut Findings) {
    let user = registry.user.as_ref().filter(|at| !at.value.is_empty() || at.span.is_empty());
    let (there, lacking) = match (user, &registry.password) {
        (Some(user), None) => (Place::of(user), "password"),
        (None, Some(password)) => (Place::of(password), "user"),
        (None, None) if registry.user.is_some() => (Place::of(host), "user"),
        _ => return,
    };
    let message = format!("the login of `{}` has no {lacking}", host.value);
    findings
        .at(&rule::REGISTRY_PASSWORD, there, message)
        .help(format!("add `{lacking}` to [registries.\"{}\"], or take the login out", host.value));
}

fn login(at: &At<String>, findings: &mut Findings) {
    let authority = at.value.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':')) {
        findings.at(&trust::URL_PASSWORD, Place::of(at), "a password stands in this URL");
    }
}
