//! Tokens of k3s by their form alone (FIELD K10–K14).
//!
//! In: a token. Out: its kind and the hash of the certificates it belongs to; never anything that could be used.

/// What a token's form tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFact {
    /// Its kind.
    pub kind: TokenKind,
    /// SHA-256 of the cluster's certificates in hexadecimal, for tokens that begin with `K10`.
    pub authority: Option<String>,
}

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare secret.
    Secret,
    /// `server`: rights over the whole cluster.
    Server,
    /// `node`: agents only, without an end.
    Node,
    /// Six and sixteen characters: agents only, for a time.
    Bootstrap,
    /// It begins like a full token and does not go on like one.
    Broken,
}

impl TokenFact {
    /// Reads the form of `token`.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let token = token.trim();
        let bare = |kind| Self { kind, authority: None };
        if token.is_empty() {
            return bare(TokenKind::Broken);
        }
        let Some(rest) = token.strip_prefix("K10") else {
            return bare(credentials(token).unwrap_or(TokenKind::Secret));
        };
        let Some((hash, rest)) = rest.split_once("::") else { return bare(TokenKind::Broken) };
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match credentials(rest) {
            Some(kind) if is_hash => Self { kind, authority: Some(hash.to_ascii_lowercase()) },
            _ => bare(TokenKind::Broken),
        }
    }
    /// Its kind in words.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match (self.kind, self.authority.is_some()) {
            (TokenKind::Secret, _) => "a bare secret",
            (TokenKind::Server, true) => "a full server token",
            (TokenKind::Server, false) => "a server token without the hash of the certificates",
            (TokenKind::Node, true) => "a full agent token",
            (TokenKind::Node, false) => "an agent token without the hash of the certificates",
            (TokenKind::Bootstrap, true) => "a full bootstrap token",
            (TokenKind::Bootstrap, false) => "a bootstrap token without the hash of the certificates",
            (TokenKind::Broken, _) => "no whole token",
        }
    }
}

/// The kind of what stands behind the hash, or alone.
fn credentials(text: &str) -> Option<TokenKind> {
    let of = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match (text.split_once(':'), text.split_once('.')) {
        (Some(("server", secret)), _) if !secret.is_empty() => Some(TokenKind::Server),
        (Some((_, secret)), _) if !secret.is_empty() => Some(TokenKind::Node),
        (None, Some((id, secret))) if of(id, 6) && of(secret, 16) => Some(TokenKind::Bootstrap),
        _ => None,
    }
}
