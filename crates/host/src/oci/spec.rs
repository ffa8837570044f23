//! The JSON documents of the OCI image specification that we write and read, field by field in its order.

use std::collections::BTreeMap;

use desired::{Arch, Digest};
use serde::{Deserialize, Serialize};

use crate::archive::Sum;

/// Media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a gzipped layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Annotation under which `index.json` names an image.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation BuildKit marks attestation manifests with; they belong to no platform (FIELD B7).
pub const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// Annotations and labels.
pub type Annotations = BTreeMap<String, String>;

/// What a document is and where to find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest, which is also its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What it runs on; only inside an index.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<Platform>,
    /// Remarks about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: Annotations,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    #[must_use]
    pub fn new(media_type: &str, sum: Sum) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: sum.digest,
            size: sum.size,
            platform: None,
            annotations: Annotations::new(),
        }
    }
}

/// A platform an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`, or what others build for.
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// `v8` for arm64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
}

impl From<Arch> for Platform {
    fn from(arch: Arch) -> Self {
        Self {
            architecture: arch.as_str().to_owned(),
            os: "linux".to_owned(),
            variant: arch.oci_variant().map(str::to_owned),
        }
    }
}

/// An image index, or the `index.json` of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// [`INDEX`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// The images.
    pub manifests: Vec<Descriptor>,
    /// Remarks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: Annotations,
}

/// An image of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// [`MANIFEST`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Remarks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: Annotations,
}

/// The configuration of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// As in [`Platform`].
    pub architecture: String,
    /// As in [`Platform`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
    /// As in [`Platform`].
    pub os: String,
    /// What a container starts with.
    #[serde(default)]
    pub config: RunConfig,
    /// Its layers uncompressed.
    pub rootfs: RootFs,
    /// How it came about.
    #[serde(default)]
    pub history: Vec<History>,
}

/// What a container starts with; the keys are Docker's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// User, and group behind a colon.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub user: String,
    /// Ports that something listens on, `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub exposed_ports: BTreeMap<String, Nothing>,
    /// `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub entrypoint: Vec<String>,
    /// Arguments that the caller may replace.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cmd: Vec<String>,
    /// Paths that hold data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub volumes: BTreeMap<String, Nothing>,
    /// Where the program starts.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub working_dir: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: Annotations,
    /// The signal that asks it to stop.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub stop_signal: String,
}

/// Docker writes sets as objects whose values are empty objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// The layers of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// One instruction of the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
    /// The instruction.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created_by: Option<String>,
    /// Who read it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
    /// Whether it made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub empty_layer: bool,
}

/// Seconds since 1970 as RFC 3339 in UTC (`2024-01-01T00:00:00Z`); the calendar is the proleptic Gregorian one.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut left) = (1970, days);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_dates() {
        // Each checked with date -u -d @N +%FT%TZ.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_795_229_045, "2026-11-21T02:44:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
