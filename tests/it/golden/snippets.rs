//! The five documents' own snippets, kept with their mistakes in `tests/fixtures/documents`: `check` finds each mistake that
//! the review lists, PEERS 7.3 #1 to #33 and FIELD X1 to X38. A row that no file can show stands here with the reason.

use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;
use tests::programs;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "snippets::every_mistake_of_the_documents_is_found", |_| found()),
        Trial::new(Ring::Golden, "snippets::every_row_of_the_review_is_in_the_table", |_| complete()),
    ]
}

const PROFILES: &str = "tests/fixtures/documents/profiles";

/// The row, the rule that finds it, and the file that shows it.
const FOUND: &[(&str, &str, &str)] = &[
    ("7.3 #1", "RS1009", "colab/services/dotfiles/mise.toml"),
    ("7.3 #2", "RS1011", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #3", "RS1014", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #4", "RS1021", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #5", "RS1006", "colab/services/dotfiles/add.sh"),
    ("7.3 #6", "RS1012", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #7", "RS1005", "colab/services/docker/daemon.json"),
    ("7.3 #7", "RS1008", "colab/services/docker/room.sh"),
    ("7.3 #8", "RS611", "colab/services/gitea/compose.yaml"),
    ("7.3 #9", "RS610", "colab/services/gitea/compose.yaml"),
    ("7.3 #10", "RS1003", "colab/services/gitea/compose.yaml"),
    ("7.3 #11", "RS1004", "colab/services/gitea/compose.yaml"),
    ("7.3 #11", "RS602", "colab/services/mcp/compose.yaml"),
    ("7.3 #11", "RS1002", "colab/services/gitea/compose.yaml"),
    ("7.3 #12", "RS1019", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #12", "RS1020", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("7.3 #13", "RS805", "colab/services/docker/daemon.json"),
    ("7.3 #14", "RS1025", "vnext/services/komga/systemd/user/container-komga.service"),
    ("7.3 #15", "RS1024", "vnext/services/komga/systemd/user/container-komga.service"),
    ("7.3 #16", "RS1023", "vnext/services/komga/systemd/user/container-komga.service"),
    ("7.3 #17", "RS621", "vnext/services/komga/docker-compose.komga.yml"),
    ("7.3 #18", "RS1030", "vnext/services/ingress/release.yaml"),
    ("7.3 #19", "RS514", "homelab/services/clusterplex/host-setup.sh"),
    ("7.3 #20", "RS516", "homelab/services/clusterplex/host-setup.sh"),
    ("7.3 #21", "RS1041", "homelab/services/clusterplex/failover.sh"),
    ("7.3 #22", "RS1014", "homelab/services/clusterplex/host-setup.sh"),
    ("7.3 #23", "RS1033", "homelab/services/longhorn/values.yaml"),
    ("7.3 #24", "RS1036", "homelab/services/setup/storage-node.sh"),
    ("7.3 #25", "RS1034", "homelab/services/longhorn/values.yaml"),
    ("7.3 #27", "RS1032", "homelab/services/storage/replication.yaml"),
    ("7.3 #28", "RS1040", "homelab/services/flux/operations/volsync-failover/failover.sh"),
    ("7.3 #29", "RS1029", "homelab/services/storage/volumes.yaml"),
    ("7.3 #31", "RS517", "colab/services/node/fstab"),
    ("7.3 #33", "RS1002", "vnext/services/komga/docker-compose.komga.yml"),
    ("X1", "RS1009", "colab/services/dotfiles/mise.toml"),
    ("X2", "RS1011", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X3", "RS1013", "colab/services/dotfiles/gitea.yml.tmpl"),
    ("X3", "RS602", "colab/services/dotfiles/gitea.yml.tmpl"),
    ("X4", "RS1014", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X4", "RS1019", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X4", "RS1020", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X4", "RS1021", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X5", "RS1015", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X6", "RS1007", "colab/services/docker/install.sh"),
    ("X6", "RS1016", "colab/services/docker/install.sh"),
    ("X6", "RS1017", "colab/services/docker/install.sh"),
    ("X6", "RS1007", "colab/services/dotfiles/mise.toml"),
    ("X7", "RS1002", "colab/services/gitea/compose.yaml"),
    ("X8", "RS610", "colab/services/gitea/compose.yaml"),
    ("X9", "RS613", "colab/services/gitea/compose.yaml"),
    ("X10", "RS1003", "colab/services/gitea/compose.yaml"),
    ("X10", "RS1003", "colab/services/mcp/compose.yaml"),
    ("X11", "RS1005", "colab/services/docker/daemon.json"),
    ("X11", "RS805", "colab/services/docker/daemon.json"),
    ("X11", "RS1006", "colab/services/dotfiles/add.sh"),
    ("X12", "RS009", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X13", "RS612", "colab/services/mcp/compose.yaml"),
    ("X14", "RS1004", "colab/services/gitea/compose.yaml"),
    ("X15", "RS1021", "colab/services/dotfiles/run_once_install-docker-stack.sh.tmpl"),
    ("X16", "RS1010", "colab/services/dotfiles/deploy.sh"),
    ("X16", "RS1010", "colab/services/dotfiles/mise.toml"),
    ("X17", "RS1018", "colab/services/node/bootstrap.sh"),
    ("X18", "RS1008", "colab/services/docker/room.sh"),
    ("X20", "RS1033", "homelab/services/longhorn/values.yaml"),
    ("X21", "RS1035", "homelab/services/longhorn/values.yaml"),
    ("X22", "RS1034", "homelab/services/longhorn/values.yaml"),
    ("X23", "RS1042", "homelab/services/setup/storage-node.sh"),
    ("X23", "RS1043", "homelab/services/setup/storage-node.sh"),
    ("X24", "RS1028", "homelab/services/decypharr/streaming.yaml"),
    ("X25", "RS514", "homelab/services/clusterplex/host-setup.sh"),
    ("X25", "RS516", "homelab/services/clusterplex/host-setup.sh"),
    ("X25", "RS1014", "homelab/services/clusterplex/host-setup.sh"),
    ("X26", "RS1041", "homelab/services/clusterplex/failover.sh"),
    ("X27", "RS1022", "homelab/services/clusterplex/host-setup.sh"),
    ("X28", "RS1031", "homelab/services/traefik/ingress.yaml"),
    ("X30", "RS1036", "homelab/services/setup/storage-node.sh"),
    ("X31", "RS1023", "vnext/services/komga/systemd/user/container-komga.service"),
    ("X32", "RS1002", "vnext/services/komga/docker-compose.komga.yml"),
    ("X33", "RS621", "vnext/services/komga/docker-compose.komga.yml"),
    ("X34", "RS1043", "vnext/services/setup/labels.sh"),
    ("X35", "RS1032", "homelab/services/storage/replication.yaml"),
    ("X36", "RS1037", "homelab/services/flux/cluster/infrastructure.yaml"),
    ("X37", "RS1038", "homelab/services/flux/cluster/apps-kustomization.yaml"),
    ("X38", "RS616", "colab/services/longhorn/class.yaml"),
    ("X38", "RS520", "homelab/services/smb/volume.yaml"),
];

/// Rows that no file shows, and why.
const UNSHOWN: &[(&str, &str)] = &[
    (
        "7.3 #26",
        "no snippet sets labels by k3s's flags; that they hold at registration alone is a fact of k3s, not an error",
    ),
    (
        "7.3 #30",
        "arithmetic on sizes that stand in no file: 16 copies of what the share holds against 1.8 TB",
    ),
    ("7.3 #32", "a guarantee in prose; where the machine's own secret lies is for the documents to say"),
    ("X19", "a claim about what happens after a restart; only a restart can show it"),
    ("X29", "a claim about how long a failover takes; only a clock can show it"),
];

fn found() -> anyhow::Result<()> {
    let output = programs::xtask()?.args(["check", "--json", "--profiles", PROFILES]).run()?;
    let answer: serde_json::Value =
        serde_json::from_str(&output.text()).with_context(|| programs::said(&output))?;
    let findings = answer["findings"].as_array().context("an answer has findings")?;
    let at_a_line = |finding: &&serde_json::Value| finding["place"]["line"].as_u64().is_some();
    let told: BTreeSet<(&str, &str)> = findings
        .iter()
        .filter(at_a_line)
        .filter_map(|finding| Some((finding["code"].as_str()?, finding["place"]["file"].as_str()?)))
        .collect();
    let missed: Vec<_> = FOUND.iter().filter(|(_, code, file)| !told.contains(&(code, file))).collect();
    ensure!(missed.is_empty(), "not found: {missed:#?}");
    let listed: BTreeSet<(&str, &str)> = FOUND.iter().map(|(_, code, file)| (*code, *file)).collect();
    let stray: Vec<_> = told.difference(&listed).filter(|found| !BESIDE.contains(found)).collect();
    ensure!(stray.is_empty(), "found, and no row says so: {stray:#?}");
    Ok(())
}

/// What the snippets show beside the rows: the same mistakes again, and two that the review does not list.
const BESIDE: &[(&str, &str)] = &[
    ("RS602", "homelab/services/decypharr/streaming.yaml"),
    ("RS612", "colab/services/gitea/compose.yaml"),
    ("RS1002", "colab/services/mcp/compose.yaml"),
    ("RS1039", "homelab/services/flux/cluster/apps-kustomization.yaml"),
    ("RS1042", "vnext/services/setup/labels.sh"),
];

fn complete() -> anyhow::Result<()> {
    let peers = (1..=33).map(|row| format!("7.3 #{row}"));
    let rows: BTreeSet<String> = peers.chain((1..=38).map(|row| format!("X{row}"))).collect();
    let shown: BTreeSet<String> = FOUND.iter().map(|(row, ..)| (*row).to_owned()).collect();
    let unshown: BTreeSet<String> = UNSHOWN.iter().map(|(row, _)| (*row).to_owned()).collect();
    let both: Vec<_> = shown.intersection(&unshown).collect();
    ensure!(both.is_empty(), "found and not to be found: {both:?}");
    let listed: BTreeSet<String> = shown.union(&unshown).cloned().collect();
    let wrong: Vec<_> = rows.symmetric_difference(&listed).collect();
    ensure!(wrong.is_empty(), "rows that are missing or unknown: {wrong:?}");
    ensure!(UNSHOWN.iter().all(|(_, why)| why.len() > 20), "a row is left out with its reason");
    Ok(())
}
