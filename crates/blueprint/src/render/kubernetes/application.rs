//! A Compose service as a Kustomize tree: a base that says what it is, an overlay that says where it is.
//!
//! In: a service with the variant `kustomize`. Out: `kubernetes/<service>/base`, and `overlays/<cluster>` whose `paths.env`
//! holds the variables of the Compose file under their own names; replacements put them where the base has folders.

use desired::{FileSet, Mode};
use serde::Serialize;
use serde_json::{Value, json};

use super::kustomize::Folder;
use super::object::{Metadata, Object, Table};
use super::workload;
use crate::escape::{sh, yaml};
use crate::model::{Model, Service};
use crate::render::RenderError;
use crate::render::application::{self, Part};

/// The map that `paths.env` becomes.
fn map_name(service: &Service) -> String {
    format!("{}-paths", service.name)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overlay {
    api_version: &'static str,
    kind: &'static str,
    namespace: String,
    resources: Vec<String>,
    config_map_generator: Vec<Generator>,
    replacements: Vec<Replacement>,
}

#[derive(Debug, Serialize)]
struct Generator {
    name: String,
    envs: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Replacement {
    source: Value,
    targets: Vec<Target>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    select: Value,
    field_paths: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Namespace {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
}

/// Puts the tree of `service` into `files`, and answers with the folder to apply.
///
/// # Errors
/// If a value has no form in YAML, or a name none as a path.
pub fn pour(model: &Model, service: &Service, files: &mut FileSet) -> Result<String, RenderError> {
    let parts = application::parts(service);
    let unfit = || RenderError::inexpressible(format!("the Kustomize tree of {}", service.name));
    let mut base = Folder::new(format!("kubernetes/{}/base", service.name));
    for part in &parts {
        let deployment = workload::deployment(model, service, part);
        base.add(format!("{}-deployment.yaml", part.name), yaml::document(&deployment).map_err(unfit())?);
        if let Some(object) = workload::service(part) {
            base.add(format!("{}-service.yaml", part.name), yaml::document(&object).map_err(unfit())?);
        }
    }
    base.pour(files)?;
    let below = format!("{}/overlays/{}", service.name, model.name);
    let mut put = |name: &str, text: String| {
        let path = format!("kubernetes/{below}/{name}");
        files.insert(&path, Mode::PUBLIC, text).map_err(RenderError::invalid(path.clone()))
    };
    let namespace =
        Namespace { api_version: "v1", kind: "Namespace", metadata: Metadata::named(&service.name) };
    put("namespace.yaml", yaml::document(&namespace).map_err(unfit())?)?;
    let mut resources = vec!["../../base".to_owned(), "namespace.yaml".to_owned()];
    if let Some(ingress) = ingress(model, service, &parts) {
        put("ingress.yaml", yaml::document(&ingress).map_err(unfit())?)?;
        resources.push("ingress.yaml".to_owned());
    }
    let lines = application::paths(service).iter().map(|(name, path)| format!("{name}={path}\n")).collect();
    put("paths.env", lines)?;
    let overlay = Overlay {
        api_version: "kustomize.config.k8s.io/v1beta1",
        kind: "Kustomization",
        namespace: service.name.clone(),
        resources,
        config_map_generator: vec![Generator { name: map_name(service), envs: vec!["paths.env"] }],
        replacements: replacements(service, &parts),
    };
    let body = yaml::document(&overlay).map_err(unfit())?;
    put("kustomization.yaml", format!("{}{body}", secrets(service)?))?;
    Ok(below)
}

/// A comment that says how its secrets come there; a name of a secret is a variable's and so harmless.
fn secrets(service: &Service) -> Result<String, RenderError> {
    let names: Vec<&str> = service.all_secrets().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(String::new());
    }
    let names = sh::message(&names.join(", ")).map_err(RenderError::inexpressible("the names of secrets"))?;
    let name = &service.name;
    Ok(format!(
        "# Once, from a file with a line NAME=value for each of {names}:\n\
         #     kubectl create namespace {name}; kubectl -n {name} create secret generic {name} --from-env-file=FILE\n"
    ))
}

/// Each variable into every folder that it stands for.
fn replacements(service: &Service, parts: &[Part<'_>]) -> Vec<Replacement> {
    let target = |part: &Part<'_>, variable: &str| {
        let folders = part.folders.iter().filter(|folder| folder.variable == Some(variable));
        let path = |name: String| format!("spec.template.spec.volumes.[name={name}].hostPath.path");
        let field_paths: Vec<String> = folders.map(workload::volume_name).map(path).collect();
        let select = json!({ "kind": "Deployment", "name": part.name });
        (!field_paths.is_empty()).then_some(Target { select, field_paths })
    };
    let replacement = |variable: &&str| Replacement {
        source: json!({ "kind": "ConfigMap", "name": map_name(service), "fieldPath": format!("data.{variable}") }),
        targets: parts.iter().filter_map(|part| target(part, variable)).collect(),
    };
    application::paths(service).keys().map(replacement).collect()
}

/// The way in from outside to the main container's first port, by the class that the cluster has as its default.
fn ingress(model: &Model, service: &Service, parts: &[Part<'_>]) -> Option<Object<Value>> {
    let main = parts.iter().find(|part| part.is_main)?;
    let port = *workload::ports(main).first()?;
    if service.domains.is_empty() {
        return None;
    }
    let backend = json!({ "service": { "name": main.name, "port": { "number": port } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let rules: Vec<Value> =
        service.domains.iter().map(|domain| json!({ "host": domain, "http": { "paths": [path] } })).collect();
    let mut metadata = Metadata::named(&service.name);
    let mut spec = json!({ "rules": rules });
    if let Some(issuer) = model.services.values().find_map(|service| service.settings.get("issuer")) {
        metadata.annotations = Table::from([("cert-manager.io/cluster-issuer".to_owned(), issuer.clone())]);
        let secret = format!("{}-tls", service.name);
        spec["tls"] = json!([{ "hosts": service.domains, "secretName": secret }]);
    }
    Some(Object { api_version: "networking.k8s.io/v1", kind: "Ingress", metadata, spec })
}
