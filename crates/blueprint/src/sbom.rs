//! The bill of materials of a cluster's output, as SPDX 2.3 JSON.
//!
//! In: our crates and the artifacts, as components. Out: one document, the same bytes for the same components:
//! its namespace is made from its content and its date is the fixed date of all our output.
//! Source of the form: the SPDX specification 2.3, clauses 6 (document), 7 (package), 11 (relationships).

use desired::Digest;
use serde::Serialize;

/// One thing the output is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Package URL (`pkg:cargo/serde@1.0.229`).
    pub purl: String,
    /// Where it is downloaded from, if that is known.
    pub download: Option<String>,
    /// SPDX licence expression as its maker declares it.
    pub license: Option<String>,
    /// Digest of the file.
    pub digest: Option<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    spdx_id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: CreationInfo<'a>,
    packages: Vec<Package<'a>>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct CreationInfo<'a> {
    created: &'a str,
    creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(rename = "SPDXID")]
    spdx_id: String,
    name: &'a str,
    version_info: &'a str,
    download_location: &'a str,
    files_analyzed: bool,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum<'a>>,
    external_refs: Vec<ExternalReference<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum<'a> {
    algorithm: String,
    checksum_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalReference<'a> {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The document for `name`, dated `created` (RFC 3339, UTC).
///
/// # Panics
/// Never: the types are plain data.
#[must_use]
pub fn spdx(name: &str, tool_version: &str, created: &str, components: &[Component]) -> String {
    let mut components: Vec<&Component> = components.iter().collect();
    components.sort();
    components.dedup();
    let packages: Vec<Package<'_>> =
        components.iter().enumerate().map(|(at, component)| package(at, component)).collect();
    let relationships = packages
        .iter()
        .map(|package| Relationship {
            spdx_element_id: "SPDXRef-DOCUMENT".to_owned(),
            relationship_type: "DESCRIBES",
            related_spdx_element: package.spdx_id.clone(),
        })
        .collect();
    let identity = serde_json::to_vec(&packages).expect("plain data serializes");
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        spdx_id: "SPDXRef-DOCUMENT",
        name,
        document_namespace: format!("urn:rootstock:spdx:{name}:{}", Digest::sha256_of(&identity).hex()),
        creation_info: CreationInfo { created, creators: vec![format!("Tool: rootstock-{tool_version}")] },
        packages,
        relationships,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("plain data serializes");
    text.push('\n');
    text
}

fn package(at: usize, component: &Component) -> Package<'_> {
    let checksums = component.digest.iter().map(|digest| Checksum {
        algorithm: digest.algorithm().as_str().to_ascii_uppercase(),
        checksum_value: digest.hex(),
    });
    Package {
        spdx_id: format!("SPDXRef-Package-{}-{at}", identifier(&component.name)),
        name: &component.name,
        version_info: &component.version,
        download_location: component.download.as_deref().unwrap_or("NOASSERTION"),
        files_analyzed: false,
        license_concluded: "NOASSERTION",
        // Cargo once allowed `MIT/Apache-2.0` for what SPDX writes with OR.
        license_declared: component
            .license
            .as_deref()
            .map_or("NOASSERTION".to_owned(), |text| text.replace('/', " OR ")),
        copyright_text: "NOASSERTION",
        checksums: checksums.collect(),
        external_refs: vec![ExternalReference {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: &component.purl,
        }],
    }
}

/// SPDX identifiers hold letters, digits, `.` and `-` (clause 3.2 of the specification's annex).
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str) -> Component {
        Component {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            purl: format!("pkg:cargo/{name}@1.0.0"),
            download: None,
            license: Some("MIT/Apache-2.0".to_owned()),
            digest: Some(Digest::sha256_of(b"x")),
        }
    }

    #[test]
    fn order_and_repetition_do_not_change_the_document() {
        let (a, b) = (component("a_b"), component("c"));
        let one = spdx("lab", "0.1.0", "2026-01-01T00:00:00Z", &[a.clone(), b.clone()]);
        let two = spdx("lab", "0.1.0", "2026-01-01T00:00:00Z", &[b.clone(), a, b]);
        assert_eq!(one, two);
    }

    #[test]
    fn every_package_is_described_and_identified() {
        let text = spdx("lab", "0.1.0", "2026-01-01T00:00:00Z", &[component("a_b"), component("c")]);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["spdxVersion"], "SPDX-2.3");
        assert_eq!(document["packages"][0]["SPDXID"], "SPDXRef-Package-a-b-0");
        assert_eq!(document["packages"][0]["licenseDeclared"], "MIT OR Apache-2.0");
        assert_eq!(document["packages"][0]["checksums"][0]["algorithm"], "SHA256");
        assert_eq!(document["relationships"].as_array().unwrap().len(), 2);
    }
}
