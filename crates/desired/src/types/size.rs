//! Sizes in bytes and permission bits.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A count of bytes; shows itself in binary units (`68.1 MiB`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl std::fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let (mut tenths, mut unit) = (u128::from(self.0) * 10, 0);
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths = (tenths + 512) / 1024;
            unit += 1;
        }
        let text = if unit == 0 {
            format!("{} B", self.0)
        } else {
            format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
        };
        formatter.pad(&text)
    }
}

/// Permission bits of a file, `0000`-`0777`: no setuid, setgid or sticky bit is ever made or accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(u32);

impl Mode {
    /// Readable by all: ordinary files.
    pub const PUBLIC: Self = Self(0o644);
    /// For the owner alone: anything private.
    pub const PRIVATE: Self = Self(0o600);
    /// Programs, scripts and folders.
    pub const EXECUTABLE: Self = Self(0o755);
    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
    /// The mode with these bits.
    ///
    /// # Errors
    /// If a bit outside `0777` is set.
    pub fn from_bits(bits: u32) -> Result<Self, Invalid> {
        if bits & !0o777 == 0 {
            Ok(Self(bits))
        } else {
            Err(Invalid::new("file mode", &format!("{bits:o}"), "only permission bits 0000-0777 are allowed"))
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}

impl std::str::FromStr for Mode {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.len() == 4 && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if digits => Self::from_bits(bits),
            _ => Err(Invalid::new("file mode", text, "write four octal digits, as in 0644")),
        }
    }
}

impl TryFrom<String> for Mode {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (71_368_866, "68.1 MiB"), (1 << 40, "1.0 TiB")]
        {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn modes_have_no_special_bits() {
        assert_eq!("0644".parse::<Mode>().unwrap(), Mode::PUBLIC);
        for bad in ["4755", "644", "0o644", "0888", "+644"] {
            assert!(bad.parse::<Mode>().is_err(), "{bad}");
        }
    }
}
