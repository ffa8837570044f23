//! The real kustomize and kubeconform over a Flux repository of ours.
//!
//! In: a folder of the repository. Out: its objects as kustomize builds them, and what the API's own schemas say of each. Schemas of
//! built-in objects are taken from Kubernetes's OpenAPI document, those of Flux, MetalLB and VolSync from their definitions.

use crate::lab::Lab;
use crate::programs::scratch;
use anyhow::{Context as _, ensure};
use blueprint::escape::yaml;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The objects of a folder, as `kustomize build` gives them.
///
/// # Errors
/// With kustomize's own message.
pub fn build(lab: &Lab, folder: &Path) -> anyhow::Result<Vec<Value>> {
    let built = lab.tool("kustomize").arg("build").arg(folder).run();
    let text = built.with_context(|| format!("kustomize build {}", folder.display()))?.text();
    documents(&text)
}

/// The documents of a text, each an object.
///
/// # Errors
/// If one of them is no YAML.
pub fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let texts = text.split("\n---\n").filter(|text| !text.trim().is_empty());
    texts.map(|text| yaml::read(text).with_context(|| text.to_owned())).collect()
}

/// Every object against the schema of its kind, in which a key that nobody knows is a fault. An object of a kind without a schema
/// is one too.
///
/// # Errors
/// With what kubeconform says.
pub fn conform(lab: &Lab, objects: &[Value]) -> anyhow::Result<()> {
    let folder = scratch()?;
    let mut schemas = built_in(lab.path("kubernetes-openapi"))?;
    for source in
        ["flux-kustomize-crds", "flux-source-crds", "flux-helm-crds", "metallb-crds", "volsync-crds"]
    {
        for file in host::tree::files(lab.path(source))? {
            for document in documents(&std::fs::read_to_string(&file)?)? {
                schemas.extend(custom(&document));
            }
        }
    }
    for (name, schema) in schemas {
        std::fs::write(folder.path().join(format!("{name}.json")), schema.to_string())?;
    }
    let input = folder.path().join("objects.yaml");
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    std::fs::write(&input, texts.join("\n---\n"))?;
    let location = format!("{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", folder.path().display());
    let call = lab.tool("kubeconform").args(["-strict", "-summary", "-schema-location", &location]);
    let output = crate::programs::answering(call.arg(&input)).run()?;
    ensure!(output.code == 0, "{}", crate::programs::said(&output));
    let summary = output.text();
    ensure!(summary.contains(&format!("Valid: {}", objects.len())), "{summary}");
    Ok(())
}

/// The name kubeconform asks for: kind, first word of the group, version.
fn name(group: &str, version: &str, kind: &str) -> String {
    let group = group.split('.').next().unwrap_or_default();
    let middle = if group.is_empty() { String::new() } else { format!("-{group}") };
    format!("{}{middle}-{version}", kind.to_lowercase())
}

fn built_in(document: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    let mut document: Value = serde_json::from_slice(&std::fs::read(document)?)?;
    let definitions = document["definitions"].as_object_mut().context("definitions of objects")?;
    for (name, schema) in definitions.iter_mut() {
        // What the API reads from both, and the document calls text.
        match name.rsplit('.').next() {
            Some("Quantity" | "IntOrString") => *schema = json!({ "type": ["string", "integer"] }),
            _ => close(schema),
        }
    }
    let kinds: Vec<(String, Value)> = definitions
        .iter()
        .flat_map(|(definition, schema)| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array().cloned().unwrap_or_default();
            let reference = json!({ "$ref": format!("all.json#/definitions/{definition}") });
            kinds.into_iter().map(move |kind| {
                let text = |key: &str| kind[key].as_str().unwrap_or_default().to_owned();
                (name(&text("group"), &text("version"), &text("kind")), reference.clone())
            })
        })
        .collect();
    let all = json!({ "definitions": definitions });
    Ok(kinds.into_iter().chain([("all".to_owned(), all)]).collect())
}

fn custom(definition: &Value) -> Vec<(String, Value)> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    let schema = |version: Value| {
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        close(&mut schema);
        // The API adds what a definition leaves out.
        schema["properties"]["metadata"] = json!({ "type": "object" });
        (name(&text(&spec["group"]), &text(&version["name"]), &text(&spec["names"]["kind"])), schema)
    };
    versions.into_iter().map(schema).collect()
}

/// Forbids keys that a schema does not name, in it and all schemas below.
fn close(schema: &mut Value) {
    let Some(table) = schema.as_object_mut() else { return };
    let keeps = table.contains_key("x-kubernetes-preserve-unknown-fields");
    if table.contains_key("properties") && !table.contains_key("additionalProperties") && !keeps {
        table.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for key in ["properties", "patternProperties"] {
        let below = table.get_mut(key).and_then(Value::as_object_mut);
        below.into_iter().flat_map(Map::values_mut).for_each(close);
    }
    for key in ["items", "additionalProperties"] {
        table.get_mut(key).into_iter().for_each(close);
    }
}
