//! Amounts of memory as Compose and Podman write them.
//!
//! In: Kubernetes' form (`512Mi`, `1G`). Out: bytes, which every program reads alike: in theirs `512m` means `512Mi`.

use desired::Invalid;

use crate::render::RenderError;

/// `amount` in bytes.
///
/// # Errors
/// If it is no amount.
pub fn bytes(amount: &str) -> Result<String, RenderError> {
    const UNITS: [(&str, u64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("", 1),
    ];
    let number =
        |(suffix, factor): (&str, u64)| amount.strip_suffix(suffix)?.parse::<u64>().ok()?.checked_mul(factor);
    UNITS.into_iter().find_map(number).map(|bytes| bytes.to_string()).ok_or_else(|| {
        let why = "write a whole number with Ki, Mi, Gi, k, M or G".to_owned();
        RenderError::invalid("a limit of memory")(Invalid { what: "amount", value: amount.to_owned(), why })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_bytes() {
        for (amount, wanted) in
            [("512Mi", "536870912"), ("1Gi", "1073741824"), ("1G", "1000000000"), ("7", "7")]
        {
            assert_eq!(bytes(amount).unwrap(), wanted);
        }
        for wrong in ["", "Mi", "1.5Gi", "99999999999Ti", "1 Gi"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
