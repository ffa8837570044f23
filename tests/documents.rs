//! The command blocks of our documents, as data.
//!
//! In: Markdown. Out: each `sh` or `console` block as a script with its line, or a refusal. A block that must not be
//! run says so on its opening line, with the reason: ```` ```sh no-run: it writes to a card ````.

use anyhow::Context as _;

/// One block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its opening fence, counted from 1.
    pub line: usize,
    /// What a person would type, one command a line.
    pub script: String,
    /// Why it is not run, if it is not.
    pub skipped: Option<String>,
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
        let (language, remark) = info.split_once(' ').unwrap_or((info, ""));
        let script = match language {
            "sh" => body.join("\n"),
            "console" => commands(&body).with_context(|| format!("line {line}: no line starts with `$ `"))?,
            _ => continue,
        };
        let skipped = annotation(remark.trim(), line)?;
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

/// A remark is `no-run:` and a reason of at least three words; anything else would hide a block without saying why.
fn annotation(remark: &str, line: usize) -> anyhow::Result<Option<String>> {
    if remark.is_empty() {
        return Ok(None);
    }
    let reason = remark.strip_prefix("no-run:").map(str::trim).unwrap_or_default();
    let is_reason = reason.split_whitespace().count() >= 3;
    anyhow::ensure!(is_reason, "line {line}: `{remark}` must be `no-run:` and the reason in a few words");
    Ok(Some(reason.to_owned()))
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
    fn a_block_stays_unrun_only_with_a_reason() {
        let found = blocks("```sh no-run: it writes to a card\nx\n```\n").unwrap();
        assert_eq!(found[0].skipped.as_deref(), Some("it writes to a card"));
        for bad in
            ["```sh no-run\nx\n```\n", "```sh no-run: lazy\nx\n```\n", "```sh\nx\n", "```console\nx\n```\n"]
        {
            assert!(blocks(bad).is_err(), "{bad}");
        }
    }
}
