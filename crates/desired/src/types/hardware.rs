//! What a machine carries from its maker: hardware addresses and serial numbers.

use serde::{Deserialize, Serialize};

use super::{Invalid, text_type};

/// A hardware address of a network interface: six pairs of hexadecimal digits in lower case, with colons.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(String);
text_type!(MacAddress);

/// The serial number of a machine, as its firmware tells it; never one of the texts that makers leave in every machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SerialNumber(String);
text_type!(SerialNumber);

/// What firmware says whose maker wrote no serial number, in lower case without blanks and punctuation.
const PLACEHOLDERS: [&str; 11] = [
    "tobefilledbyoem",
    "defaultstring",
    "systemserialnumber",
    "serialnumber",
    "notspecified",
    "notapplicable",
    "none",
    "unknown",
    "invalid",
    "oem",
    "chassisserialnumber",
];

impl std::str::FromStr for MacAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let pairs: Vec<&str> = text.split(':').collect();
        let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        if pairs.len() != 6 || !pairs.iter().all(is_pair) {
            return Err(Invalid::new("hardware address", text, "it is not six pairs with colons"));
        }
        if pairs.iter().all(|pair| *pair == "00") {
            return Err(Invalid::new("hardware address", text, "every machine has that one"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl std::str::FromStr for SerialNumber {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fault = |why: &str| Err(Invalid::new("serial number", text, why));
        if !(4..=64).contains(&text.len()) {
            return fault("it does not have 4 to 64 characters");
        }
        if text.trim() != text || !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return fault("it holds other than printable ASCII characters, or begins or ends with a blank");
        }
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        let is_one_character = plain.chars().all(|c| plain.starts_with(c));
        if is_one_character || plain == "0123456789" || PLACEHOLDERS.contains(&plain.as_str()) {
            return fault("makers leave it in every machine, so it tells nothing");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_six_pairs() {
        let read: MacAddress = "D8:3A:dd:00:11:22".parse().unwrap();
        assert_eq!(read.as_str(), "d8:3a:dd:00:11:22");
        for bad in ["", "d8:3a:dd:00:11", "d8-3a-dd-00-11-22", "d8:3a:dd:00:11:2g", "00:00:00:00:00:00"] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_every_machine_says_is_no_serial_number() {
        for good in ["10000000abcdef12", "PF-2KX1Y", "VMware-56 4d 11 22"] {
            assert!(good.parse::<SerialNumber>().is_ok(), "{good}");
        }
        let bad = [
            "To Be Filled By O.E.M.",
            "Default string",
            "0000000000000000",
            "0123456789",
            "None",
            " x12 ",
            "a\nbc",
        ];
        for bad in bad {
            assert!(bad.parse::<SerialNumber>().is_err(), "{bad}");
        }
    }
}
