//! References to secrets. A value never enters this crate.

use serde::{Deserialize, Serialize};

use super::{AbsPath, Invalid};

/// Where a secret is read from at the last moment. Written `env:NAME`, `file:/path`, `infisical:/path/KEY` or
/// `stdin`; the value itself is never part of a spec, a plan or a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretReference {
    /// An environment variable of the process that needs it.
    Environment(String),
    /// A file on the machine that needs it, whole content less one trailing newline.
    File(AbsPath),
    /// A key of an Infisical project, by folder path and name.
    Infisical {
        /// The folder, `/samba`.
        folder: AbsPath,
        /// The key in it, `COLAB_NAS_SAMBA_PASSWORD`.
        key: String,
    },
    /// Asked for, or piped in.
    Stdin,
}

/// Whether `text` is a portable variable name: `[A-Za-z_][A-Za-z0-9_]*`.
fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl std::fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{path}"),
            Self::Infisical { folder, key } if folder.as_str() == "/" => {
                write!(formatter, "infisical:/{key}")
            }
            Self::Infisical { folder, key } => write!(formatter, "infisical:{folder}/{key}"),
            Self::Stdin => formatter.write_str("stdin"),
        }
    }
}

impl std::str::FromStr for SecretReference {
    type Err = Invalid;
    /// The text is not repeated in the error: what is no reference may be the secret itself.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("secret reference", "…", why);
        if text == "stdin" {
            return Ok(Self::Stdin);
        }
        match text.split_once(':') {
            Some(("env", name)) if is_variable_name(name) => Ok(Self::Environment(name.to_owned())),
            Some(("env", _)) => Err(invalid("after env: stands the name of a variable")),
            Some(("file", path)) => {
                path.parse().map(Self::File).map_err(|_| invalid("after file: stands an absolute path"))
            }
            Some(("infisical", path)) => {
                let (folder, key) = path.rsplit_once('/').unwrap_or(("", ""));
                let folder = if folder.is_empty() { "/" } else { folder };
                match folder.parse() {
                    Ok(folder) if is_variable_name(key) && path.starts_with('/') => {
                        Ok(Self::Infisical { folder, key: key.to_owned() })
                    }
                    _ => Err(invalid("after infisical: stand a folder and a key, as in /samba/PASSWORD")),
                }
            }
            _ => Err(invalid("write env:NAME, file:/path, infisical:/folder/KEY or stdin, never the value")),
        }
    }
}

impl TryFrom<String> for SecretReference {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<SecretReference> for String {
    fn from(reference: SecretReference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_and_print_the_same() {
        for text in [
            "env:TOKEN",
            "file:/etc/rancher/k3s/token",
            "infisical:/samba/PASSWORD",
            "infisical:/KEY",
            "stdin",
        ] {
            assert_eq!(text.parse::<SecretReference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_value_is_refused_and_not_repeated() {
        for text in [
            "hunter2",
            "env:",
            "env:9A",
            "file:relative",
            "infisical:samba/KEY",
            "infisical:/samba/",
            "K10abc::server:pw",
        ] {
            let error = text.parse::<SecretReference>().unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("K10abc"), "{error}");
        }
    }
}
