//! `docker-bake.json`: the same images for `docker buildx bake -f docker-bake.json`, by us or by hand.
//!
//! In: [`Target`]s. Out: JSON for the output folder, all paths relative to it. JSON and not HCL, so a serializer
//! escapes and nobody trips over block syntax (FIELD B9). Attestations are off, so an index holds the wanted platforms
//! and nothing else (B7); every target has an output (B3), an OCI archive, since the docker exporter knows no index (B2);
//! times come from `SOURCE_DATE_EPOCH` with `rewrite-timestamp` (B8).

use std::collections::BTreeMap;

use desired::Arch;
use serde::Serialize;

use super::spec::Annotations;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name, also its folder `docker/<name>` and its layout `images/<name>`.
    pub name: String,
    /// Platforms.
    pub arches: Vec<Arch>,
    /// What it is called, `repository:tag`.
    pub reference: String,
    /// Labels, also annotations of index and manifests.
    pub labels: Annotations,
    /// Time of the image and all files, seconds since 1970.
    pub epoch: u64,
}

#[derive(Serialize)]
struct File<'a> {
    group: BTreeMap<&'static str, Group<'a>>,
    target: BTreeMap<&'a str, BakeTarget>,
}

#[derive(Serialize)]
struct Group<'a> {
    targets: Vec<&'a str>,
}

#[derive(Serialize)]
struct BakeTarget {
    context: &'static str,
    contexts: BTreeMap<&'static str, String>,
    dockerfile: String,
    platforms: Vec<String>,
    tags: [String; 1],
    labels: Annotations,
    annotations: Vec<String>,
    args: BTreeMap<&'static str, String>,
    attest: [&'static str; 2],
    output: [String; 1],
}

/// The Dockerfile of image `name`, relative to the output folder.
#[must_use]
pub fn dockerfile(name: &str) -> String {
    format!("docker/{name}/Dockerfile")
}

/// The text of `docker-bake.json`, ending in a newline.
#[must_use]
pub fn render(targets: &[Target]) -> String {
    let names = targets.iter().map(|target| target.name.as_str()).collect();
    let file = File {
        group: BTreeMap::from([("default", Group { targets: names })]),
        target: targets.iter().map(|target| (target.name.as_str(), bake_target(target))).collect(),
    };
    let mut text = serde_json::to_string_pretty(&file).expect("maps with text keys always serialize");
    text.push('\n');
    text
}

fn bake_target(target: &Target) -> BakeTarget {
    let annotation = |(key, value): (&String, &String)| literal(&format!("index,manifest:{key}={value}"));
    BakeTarget {
        context: ".",
        contexts: BTreeMap::from([("image", format!("docker/{}", target.name))]),
        dockerfile: dockerfile(&target.name),
        platforms: target.arches.iter().map(|arch| format!("linux/{arch}")).collect(),
        tags: [literal(&target.reference)],
        labels: target.labels.iter().map(|(key, value)| (literal(key), literal(value))).collect(),
        annotations: target.labels.iter().map(annotation).collect(),
        args: BTreeMap::from([("SOURCE_DATE_EPOCH", target.epoch.to_string())]),
        attest: ["type=provenance,disabled=true", "type=sbom,disabled=true"],
        output: [output(&format!("images/{}.oci.tar", target.name))],
    }
}

/// Text that stays as it is: buildx reads every JSON string as an HCL template.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// The output of a target as an OCI archive at `destination`.
pub(super) fn output(destination: &str) -> String {
    // The field is read as CSV: a value with a comma or quote needs quotes.
    let destination = if destination.contains([',', '"']) {
        format!("\"dest={}\"", destination.replace('"', "\"\""))
    } else {
        format!("dest={destination}")
    };
    format!("type=oci,{destination},rewrite-timestamp=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Vec<Target> {
        let target = |name: &str| Target {
            name: name.to_owned(),
            arches: Arch::ALL.to_vec(),
            reference: format!("vnext/{name}:0.1.0"),
            labels: Annotations::from([(
                "org.opencontainers.image.description".to_owned(),
                "quotes \" and ${braces}, too".to_owned(),
            )]),
            epoch: 1_704_067_200,
        };
        vec![target("bundle"), target("node-tools")]
    }

    #[test]
    fn every_target_is_multi_platform_without_attestations_and_has_an_output() {
        let file: serde_json::Value = serde_json::from_str(&render(&targets())).unwrap();
        assert_eq!(file["group"]["default"]["targets"], serde_json::json!(["bundle", "node-tools"]));
        let bundle = &file["target"]["bundle"];
        assert_eq!(bundle["platforms"], serde_json::json!(["linux/amd64", "linux/arm64"]));
        assert_eq!(bundle["dockerfile"], "docker/bundle/Dockerfile");
        assert_eq!(bundle["contexts"]["image"], "docker/bundle");
        assert_eq!(bundle["attest"][0], "type=provenance,disabled=true");
        assert_eq!(bundle["output"][0], "type=oci,dest=images/bundle.oci.tar,rewrite-timestamp=true");
        assert_eq!(bundle["args"]["SOURCE_DATE_EPOCH"], "1704067200");
        let label = &bundle["labels"]["org.opencontainers.image.description"];
        assert_eq!(label, "quotes \" and $${braces}, too");
    }
}
