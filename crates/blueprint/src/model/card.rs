//! What a node's card is made with, resolved.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desired::{Invalid, SecretReference};

pub use crate::spec::Addressing;

/// What a card is made with.
#[derive(Debug, Clone)]
pub struct Card {
    /// The vendor image by its name in `images/bases/`, where the spec chooses one.
    pub base: Option<String>,
    /// The account made at first boot.
    pub user: String,
    /// Who may log in.
    pub ssh_keys: Vec<SshKey>,
    /// The account's password, hashed.
    pub password_hash: Option<SecretReference>,
    /// Language and character set.
    pub locale: String,
    /// The keyboard's layout.
    pub keyboard: String,
    /// How the node gets its address.
    pub addressing: Addressing,
    /// A wireless network.
    pub wifi: Option<Wifi>,
}

/// A wireless network.
#[derive(Debug, Clone)]
pub struct Wifi {
    /// Its name: 1 to 32 bytes without control characters.
    pub ssid: String,
    /// Its key; none for an open network.
    pub psk: Option<SecretReference>,
    /// Where the node stands, by ISO 3166.
    pub country: String,
    /// It does not tell its name.
    pub hidden: bool,
}

/// A key that may log in.
#[derive(Debug, Clone)]
pub enum SshKey {
    /// The key itself.
    Literal(PublicKey),
    /// Where the key is read when a card is made; public, so no secret, but told by the same references.
    Reference(SecretReference),
}

/// A public key of OpenSSH, one line: kind, body, comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(String);

/// Kinds that OpenSSH 9 takes (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

impl PublicKey {
    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for PublicKey {
    type Err = Invalid;
    /// The text is not repeated in the error: what is no public key may be the private one.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            |why: &str| Invalid { what: "public key", value: "…".to_owned(), why: why.to_owned() };
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(invalid("it is a private key; write the line of the file that ends in .pub"));
        }
        if text.starts_with("---- BEGIN SSH2") || text.starts_with("PuTTY-") {
            return Err(invalid("it is in another program's form; `ssh-keygen -i -f FILE` makes OpenSSH's"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("it has several lines or control characters; write one key an entry"));
        }
        let mut words = text.splitn(3, ' ');
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !KINDS.contains(&kind) {
            return Err(invalid("it begins with no kind of key that OpenSSH knows, as ssh-ed25519"));
        }
        // The body says its kind once more, behind the kind's length in four bytes.
        let length = u32::try_from(kind.len()).expect("a kind is a short word");
        let head = [&length.to_be_bytes(), kind.as_bytes()].concat();
        match STANDARD.decode(body) {
            Ok(bytes) if bytes.starts_with(&head) && bytes.len() > head.len() + 32 => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(invalid("its second word is not the body of such a key; it is cut off, or damaged")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5SbA";

    #[test]
    fn keys_are_lines_of_pub_files() {
        for good in [KEY.to_owned(), format!("{KEY} someone's laptop: #1\n")] {
            assert_eq!(good.parse::<PublicKey>().unwrap().as_str(), good.trim());
        }
        for (bad, why) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n", "private key"),
            ("---- BEGIN SSH2 PUBLIC KEY ----", "another program's form"),
            ("hunter2", "no kind of key"),
            ("ssh-ed25519", "cut off"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cw", "cut off"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5S!A", "damaged"),
            ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIHkT4cwkWR7M6tVcU1uTrBk5sIcM5P0uLrqGpsT5SbA", "not the body"),
            (&format!("{KEY}\n{KEY}"), "several lines"),
        ] {
            let invalid = bad.parse::<PublicKey>().unwrap_err().to_string();
            assert!(invalid.contains(why), "{invalid}");
            assert!(!invalid.contains("hunter2") && !invalid.contains("b3Bl"), "{invalid}");
        }
    }
}
