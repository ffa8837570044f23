//! Names: of nodes, clusters, artifacts and systemd units.

use serde::{Deserialize, Serialize};

use super::{Invalid, text_type};

/// A node's host name: one lower-case RFC 1123 label of at most 63 characters, and no default that every
/// fresh card carries (FIELD K8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);
text_type!(NodeName);

/// A cluster's name: the folder under `profiles/`, an RFC 1123 label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);
text_type!(ClusterName);

/// An artifact's name in the lock (`k3s`, `mise`), an RFC 1123 label; also its folder in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName(String);
text_type!(ArtifactName);

/// A systemd unit's full name with its suffix; systemd.unit(5) gives the alphabet and the 255-byte limit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(String);
text_type!(UnitName);

/// RFC 1123 section 2.1 with the usual lower-case reading; gives the reason when `text` is no label.
fn label_fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.len() > 63 {
        return Some(format!("it has {} characters, a label has at most 63", text.len()));
    }
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        let hint = if bad.is_ascii_uppercase() { ", write it in lower case" } else { "" };
        return Some(format!("`{}` is not one of a-z, 0-9 and `-`{hint}", bad.escape_debug()));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some("a label neither starts nor ends with `-`".to_owned());
    }
    None
}

impl std::str::FromStr for NodeName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match label_fault(text) {
            Some(why) => Err(Invalid::new("node name", text, why)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl std::str::FromStr for ClusterName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match label_fault(text) {
            Some(why) => Err(Invalid::new("cluster name", text, why)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl std::str::FromStr for ArtifactName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match label_fault(text) {
            Some(why) => Err(Invalid::new("artifact name", text, why)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl std::str::FromStr for UnitName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const SUFFIXES: [&str; 8] =
            ["service", "socket", "mount", "automount", "target", "timer", "path", "swap"];
        let fault = if text.len() > 255 {
            Some(format!("it has {} bytes, a unit name has at most 255", text.len()))
        } else if let Some(bad) =
            text.chars().find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c)))
        {
            Some(format!("`{}` must be escaped as systemd-escape does", bad.escape_debug()))
        } else {
            match text.rsplit_once('.') {
                Some((stem, suffix)) if !stem.is_empty() && SUFFIXES.contains(&suffix) => None,
                _ => Some(format!("it must end in one of .{}", SUFFIXES.join(" ."))),
            }
        };
        match fault {
            Some(why) => Err(Invalid::new("unit name", text, why)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_rfc_1123_labels() {
        for good in ["pc", "rpi-01", "k3s-w1", "9lives", &"a".repeat(63)] {
            assert!(good.parse::<NodeName>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("Rpi", "lower case"),
            ("rpi_01", "`_`"),
            ("rpi.local", "`.`"),
            ("-a", "neither starts"),
            ("a-", "neither starts"),
            ("mäuse", "`ä`"),
            (&"a".repeat(64), "64 characters"),
        ] {
            let error = bad.parse::<NodeName>().unwrap_err();
            assert!(error.why.contains(why), "{bad}: {}", error.why);
        }
    }

    #[test]
    fn unit_names_keep_systemds_alphabet() {
        assert!(r"mnt-media\x2ddata.automount".parse::<UnitName>().is_ok());
        assert!("k3s".parse::<UnitName>().is_err());
        assert!("a b.mount".parse::<UnitName>().is_err());
        assert!(".mount".parse::<UnitName>().is_err());
    }
}
