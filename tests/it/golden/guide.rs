//! The guide's page on the spec says what the code says: its blocks, its keys, its table.

use anyhow::{Context as _, ensure};
use blueprint::model::{Capability, OsFamily};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new(Ring::Golden, "guide::blocks_stand_in_the_example", |_| blocks_stand_in_the_example()),
        Trial::new(Ring::Golden, "guide::explains_every_key_it_uses", |_| explains_every_key_it_uses()),
        Trial::new(Ring::Golden, "guide::table_of_capabilities", |_| table_of_capabilities()),
    ]
}

const EXAMPLE: [&str; 2] =
    ["docs/guide/example/garden/cluster.toml", "docs/guide/example/roles/shed-pi.toml"];

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(tests::repository().join(path)).with_context(|| path.to_owned())
}

/// The bodies of the page's `toml` blocks.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn blocks_stand_in_the_example() -> anyhow::Result<()> {
    let page = read("docs/guide/spec.md")?;
    let files = EXAMPLE.map(read).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let blocks = blocks(&page);
    for block in &blocks {
        ensure!(files.iter().any(|file| file.contains(block)), "not in the example word for word:\n{block}");
    }
    let shown: usize = blocks.iter().map(|block| block.lines().filter(|line| is_value(line)).count()).sum();
    let there: usize = files.iter().map(|file| file.lines().filter(|line| is_value(line)).count()).sum();
    ensure!(shown == there, "the example has {there} values, the page shows {shown}");
    Ok(())
}

fn is_value(line: &str) -> bool {
    line.contains(" = ")
}

fn explains_every_key_it_uses() -> anyhow::Result<()> {
    let page = read("docs/guide/spec.md")?;
    let prose: String = page.split("```").step_by(2).collect();
    let keys = blocks(&page)
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| is_value(line))
        .filter_map(|line| line.split(" = ").next());
    for key in keys {
        let named = [format!("`{key}`"), format!("`{key} ="), format!("`[{key}")];
        ensure!(named.iter().any(|form| prose.contains(form)), "`{key}` is used but not explained");
    }
    Ok(())
}

fn table_of_capabilities() -> anyhow::Result<()> {
    let page = read("docs/guide/spec.md")?;
    let families = [
        OsFamily::Debian,
        OsFamily::RaspberryPiOs,
        OsFamily::Ubuntu,
        OsFamily::Fedora,
        OsFamily::OpenSuse,
        OsFamily::Windows,
        OsFamily::Macos,
    ];
    let mut rest = page.as_str();
    for capability in Capability::ALL {
        let cells = families.map(|family| if capability.runs_on(family) { "yes" } else { "–" });
        let row = format!("| `{capability}` | {} |\n", cells.join(" | "));
        let (_, after) = rest.split_once(&row).with_context(|| format!("the page lacks the row {row}"))?;
        rest = after;
    }
    Ok(())
}
