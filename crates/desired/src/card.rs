//! What is said of a card by the desk that makes it and by whoever reads it years later.
//!
//! In: nothing but values. Out: what a first boot obeys, and how long a file of the boot partition stays.

use serde::{Deserialize, Serialize};

/// What a first boot obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstBoot {
    /// cloud-init, its seed on the boot partition (NoCloud).
    CloudInit,
    /// Raspberry Pi's older way: a script that the kernel's command line names, and `userconf.txt`.
    FirstRun,
}

impl std::fmt::Display for FirstBoot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::CloudInit => "cloud-init",
            Self::FirstRun => "Raspberry Pi's firstrun.sh",
        })
    }
}

/// How long a file stays as it was seeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lasts {
    /// For good.
    Always,
    /// Until the node has joined: taken away or emptied by it, for it may hold a secret, or gone on with by its system.
    UntilJoined,
}
