//! What a person names for cards, the same for every verb that makes some.

use clap::Args;
use desired::SecretReference;
use std::path::PathBuf;

/// What cards are made with beside the profile.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// The bootstrap token that agents join with, from this file: made for a short time by `k3s token create --ttl 24h`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// When that token ends, written down in the passport (2026-11-22T10:00:00Z)
    #[arg(long, value_name = "TIME", requires = "token_file")]
    pub token_expires: Option<String>,
    /// Also carry this secret until the node has joined, by its reference in the profile (env:NAME, file:/path)
    #[arg(long, value_name = "REFERENCE")]
    pub carry: Vec<SecretReference>,
    /// Let a card of a server carry the servers' own secret, which opens the cluster to whoever finds the card
    #[arg(long)]
    pub dangerously_carry_server_token: bool,
    /// Where `cargo xtask serve` will answer, for bundles that don't fit on the card (http://192.168.1.2:8742)
    #[arg(long, value_name = "URL")]
    pub serve: Option<String>,
    /// The public key that must have signed the bundle, pinned on the card
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Sign the passports with this secret key of minisign, which has no password
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
}
