//! The command blocks of our documents, as data.
//!
//! In: Markdown. Out: each `sh` or `console` block as a script with its line, or a refusal. A block that must not be
//! run says so and why in its first line, as in ```` ```sh no-run=device ````; see [`Reason`] for the whole list.

use anyhow::Context as _;

/// One block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its opening fence, counted from 1.
    pub line: usize,
    /// What a person would type, one command a line.
    pub script: String,
    /// Why it is not run, if it is not.
    pub skipped: Option<Reason>,
}

/// The only reasons for not running a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It writes to a medium.
    Device,
    /// It needs a machine that is to be joined.
    Node,
    /// It fetches from a place that tests can't count on.
    Internet,
    /// It is, or contains, the test run itself.
    Test,
    /// It stands for many commands, with words to be replaced.
    Pattern,
}

impl Reason {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "device" => Self::Device,
            "node" => Self::Node,
            "internet" => Self::Internet,
            "test" => Self::Test,
            "pattern" => Self::Pattern,
            _ => return None,
        })
    }
}

/// Every command block of a Markdown text, in order.
///
/// # Errors
/// If a fence is not closed, an annotation is unknown, or a `console` block shows no command.
pub fn blocks(markdown: &str) -> anyhow::Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some((fence, info)) = opening(line) else { continue };
        let line = number + 1;
        let mut body = Vec::new();
        loop {
            let (_, text) = lines.next().with_context(|| format!("line {line}: the block is not closed"))?;
            if text.trim() == fence {
                break;
            }
            body.push(text);
        }
        let mut words = info.split_whitespace();
        let script = match words.next() {
            Some("sh") => body.join("\n"),
            Some("console") => {
                commands(&body).with_context(|| format!("line {line}: no line starts with `$ `"))?
            }
            _ => continue,
        };
        let skipped = words.next().map(|word| annotation(word, line)).transpose()?;
        found.push(Block { line, script, skipped });
    }
    Ok(found)
}

/// The fence and the rest of an opening line.
fn opening(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start();
    let ticks = text.len() - text.trim_start_matches('`').len();
    (ticks >= 3).then(|| text.split_at(ticks))
}

fn annotation(word: &str, line: usize) -> anyhow::Result<Reason> {
    let reason = word.strip_prefix("no-run=").and_then(Reason::parse);
    reason.with_context(|| {
        format!("line {line}: `{word}` is none of no-run=device, node, internet, test, pattern")
    })
}

/// The typed lines of a session; the rest is what it answered.
fn commands(body: &[&str]) -> Option<String> {
    let typed: Vec<&str> = body.iter().filter_map(|line| line.trim_start().strip_prefix("$ ")).collect();
    (!typed.is_empty()).then(|| typed.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_scripts_and_sessions_and_leaves_other_languages() {
        let text = "a\n```sh\nls\npwd\n```\n```toml\nx = 1\n```\n  ```console\n  $ true\n  fine\n  ```\n";
        let found = blocks(text).unwrap();
        assert_eq!(
            found.iter().map(|block| (block.line, block.script.as_str())).collect::<Vec<_>>(),
            [(2, "ls\npwd"), (9, "true")]
        );
    }

    #[test]
    fn a_block_may_stay_unrun_for_a_known_reason_only() {
        assert_eq!(blocks("```sh no-run=device\nx\n```\n").unwrap()[0].skipped, Some(Reason::Device));
        for bad in
            ["```sh no-run\nx\n```\n", "```sh no-run=lazy\nx\n```\n", "```sh\nx\n", "```console\nx\n```\n"]
        {
            assert!(blocks(bad).is_err(), "{bad}");
        }
    }
}
