//! Absolute, clean paths.

use serde::{Deserialize, Serialize};

use super::{Invalid, text_type};

/// An absolute path without `.`, `..`, doubled or trailing slashes and control characters, so that two equal
/// places are equal texts and nothing can climb out of a root it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsPath(String);
text_type!(AbsPath);

impl AbsPath {
    /// The path relative to `/`, for joining to a root; empty for `/` itself.
    #[must_use]
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }
    /// Whether `other` is this path or lies below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.0 == "/"
            || other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
    /// The path of `name` below this one.
    ///
    /// # Errors
    /// If `name` is empty, climbs (`..`) or holds control characters.
    pub fn join(&self, name: &str) -> Result<Self, Invalid> {
        if self.0 == "/" { format!("/{name}").parse() } else { format!("{}/{name}", self.0).parse() }
    }
    /// The folder this path lies in; none for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self.0.rfind('/') {
            _ if self.0 == "/" => None,
            Some(0) => Some(Self("/".to_owned())),
            Some(at) => Some(Self(self.0[..at].to_owned())),
            None => None,
        }
    }
}

impl std::str::FromStr for AbsPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Err(Invalid::new("absolute path", text, why));
        let Some(rest) = text.strip_prefix('/') else {
            return invalid("it must start with `/`");
        };
        if text.chars().any(char::is_control) {
            return invalid("it holds a control character");
        }
        if text.len() > 4095 {
            return invalid("it is longer than 4095 bytes");
        }
        if rest.is_empty() {
            return Ok(Self(text.to_owned()));
        }
        for part in rest.split('/') {
            match part {
                "" => return invalid("it holds `//` or ends in `/`"),
                "." | ".." => return invalid("it holds `.` or `..`"),
                _ if part.len() > 255 => return invalid("a part is longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_absolute_paths_only() {
        for good in ["/", "/mnt", "/mnt/my share", "/mnt/é", "/a/..b"] {
            assert!(good.parse::<AbsPath>().is_ok(), "{good}");
        }
        for bad in ["", "mnt", "./mnt", "/mnt/", "//mnt", "/mnt/../etc", "/mnt/.", "/a\nb", "/a\0b"] {
            assert!(bad.parse::<AbsPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn containment_is_by_part() {
        let mnt: AbsPath = "/mnt".parse().unwrap();
        assert!(mnt.contains(&"/mnt/a".parse().unwrap()));
        assert!(mnt.contains(&mnt));
        assert!(!mnt.contains(&"/mnt2".parse().unwrap()));
        assert_eq!(mnt.join("a").unwrap().parent(), Some(mnt));
    }
}
