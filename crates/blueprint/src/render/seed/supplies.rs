//! What a card is given that no profile holds: keys, a password's hash, a network's key; read at the desk when it is made.

use desired::Invalid;

use crate::model::PublicKey;

/// What was found under the references of a card.
#[derive(Debug, Clone, Default)]
pub struct Supplies {
    /// Who may log in, literal keys and those read from references.
    pub ssh_keys: Vec<PublicKey>,
    /// The account's password.
    pub password_hash: Option<PasswordHash>,
    /// The wireless network's key.
    pub psk: Option<Psk>,
}

/// Text that never shows itself.
macro_rules! private {
    ($(#[$outer:meta])* $name:ident) => {
        $(#[$outer])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text itself, for the file it is written to.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("[secret]")
            }
        }
    };
}

private! {
    /// A password as crypt(5) writes it: `$6$salt$…`, `$y$…`.
    PasswordHash
}
private! {
    /// A key of WPA: 8 to 63 printable characters, or 64 hexadecimal digits.
    Psk
}

impl std::str::FromStr for PasswordHash {
    type Err = Invalid;
    /// The text is not repeated in the error.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.split('$').collect();
        let is_text = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$./=,".contains(&byte));
        let known = ["1", "2a", "2b", "2y", "5", "6", "7", "y", "gy"];
        if parts.len() >= 4 && parts[0].is_empty() && known.contains(&parts[1]) && is_text {
            return Ok(Self(text.to_owned()));
        }
        let why = "it is not what crypt(5) writes, `$6$…` or `$y$…`; `openssl passwd -6` makes it, and a password as it is typed stays off cards";
        Err(Invalid { what: "hashed password", value: "…".to_owned(), why: why.to_owned() })
    }
}

impl std::str::FromStr for Psk {
    type Err = Invalid;
    /// The text is not repeated in the error. A passphrase that was hashed otherwise than by WPA is neither form (FIELD P10).
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_phrase =
            (8..=63).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let is_key = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_phrase || is_key {
            return Ok(Self(text.to_owned()));
        }
        let why = format!(
            "it has {} bytes; it is 8 to 63 printable ASCII characters, or 64 hexadecimal digits",
            text.len()
        );
        Err(Invalid { what: "network key", value: "…".to_owned(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_held_and_nothing_is_shown() {
        for good in ["correct horse", "a'b\"c: #$x", &"f".repeat(64)] {
            assert_eq!(good.parse::<Psk>().unwrap().expose(), good);
        }
        for bad in ["1234567", &"z".repeat(64), "grüße aus Köln", "line\nline line", &"a".repeat(106)] {
            let error = bad.parse::<Psk>().unwrap_err().to_string();
            assert!(!error.contains(bad), "{error}");
        }
        let hash = "$6$rounds=5000$salt$abc./XYZ";
        assert_eq!(hash.parse::<PasswordHash>().unwrap().expose(), hash);
        for bad in ["hunter2", "$6$short", "$9$a$b", "$6$a$b\n", ""] {
            let error = bad.parse::<PasswordHash>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(format!("{:?}", "correct horse".parse::<Psk>().unwrap()), "[secret]");
    }
}
