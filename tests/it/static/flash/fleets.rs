//! A card for every node with a board, of every cluster in `profiles/`, and `inspect` of each.

use super::desk::{Cards, uefi_base};
use super::trial;
use anyhow::{Context as _, ensure};
use blueprint::spec::Board;
use std::path::Path;
use tests::clusters::models;
use tests::lab::Need;
use tests::programs::{expect, said, scratch, xtask};
use tests::ring::{Trial, say};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("every_node_with_a_board_gets_its_card", &[Need::DiskTools], |_| every()),
        trial("a_cluster_without_a_board_is_told_so", &[], |_| nobody()),
    ]
}

fn every() -> anyhow::Result<()> {
    let mut count = 0;
    for model in models()? {
        let boards: Vec<_> =
            model.nodes.values().filter_map(|node| Some((node.name.as_str(), node.board?))).collect();
        let cluster = model.name.as_str();
        ensure!(!boards.is_empty(), "no node of {cluster} has a board");
        let cards = Cards::of(cluster)?;
        let base = if boards.iter().all(|(_, board)| *board == Board::Uefi) {
            uefi_base(cards.desk.folder())?
        } else {
            cards.base.clone()
        };
        // Without a token: a card of a server would carry none.
        let output = cards.bare("image", &[cluster, "all"])?.arg("--base").arg(&base).run()?;
        expect(&output, 0, &[]).with_context(|| cluster.to_owned())?;
        let folder = cards.desk.out().join(format!("{cluster}.cards"));
        for (node, _) in &boards {
            inspected(&folder.join(format!("{node}.img")), cluster, node)?;
        }
        ensure!(std::fs::read_dir(&folder)?.count() == boards.len(), "{cluster}: {}", said(&output));
        count += boards.len();
    }
    say(&format!("{count} nodes have a board, and each has its card"));
    Ok(())
}

fn inspected(card: &Path, cluster: &str, node: &str) -> anyhow::Result<()> {
    let output = xtask()?.arg("inspect").arg(card).run()?;
    let whose = format!("a card of {cluster}, node {node}\n");
    expect(&output, 0, &[&whose, "first boot  cloud-init", "first boot  has not been", "boots"])?;
    let files = said(&output);
    let files =
        files.lines().find_map(|line| line.trim().strip_prefix("files ")).context("files are counted")?;
    let numbers: Vec<&str> = files.split_whitespace().collect();
    ensure!(matches!(numbers.as_slice(), [same, "of", all, ..] if same == all), "{node}: {files}");
    Ok(())
}

fn nobody() -> anyhow::Result<()> {
    let out = scratch()?;
    let profiles = tests::repository().join("tests/fixtures/clusters");
    let call = xtask()?.args(["image", "trio", "all", "--offline", "--profiles"]).arg(profiles);
    let output = call.arg("--out").arg(out.path()).run()?;
    expect(&output, 4, &["no node of trio boots from a card", "board = \"rpi-5\""])?;
    ensure!(std::fs::read_dir(out.path())?.next().is_none(), "{}", said(&output));
    Ok(())
}
