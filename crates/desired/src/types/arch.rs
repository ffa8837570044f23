//! The two processor architectures Rootstock builds for.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A processor architecture, named as OCI and Debian name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM, version 8 or later.
    Arm64,
}

impl Arch {
    /// Both, in the order every output lists them.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The name OCI, Debian and Go use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The `variant` of an OCI platform: containerd normalises arm64 to `v8`.
    #[must_use]
    pub const fn oci_variant(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some("v8"),
        }
    }

    /// What `uname -m` prints.
    #[must_use]
    pub const fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The Rust target whose binaries are static and need no C.
    #[must_use]
    pub const fn rust_target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The architecture this program was compiled for, if it is one of ours.
    #[must_use]
    pub const fn of_this_program() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::Amd64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Arm64)
        } else {
            None
        }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl std::str::FromStr for Arch {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|arch| arch.as_str() == text)
            .ok_or_else(|| Invalid::new("architecture", text, "write amd64 or arm64"))
    }
}
