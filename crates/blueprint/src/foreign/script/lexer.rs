//! Words of a shell script.
//!
//! In: the text. Out: its commands, each a list of words with its place. This is a reader of quotes, comments, continued
//! lines and `;`, `&&`, `||`, `|`: no shell. Here-documents are passed over, substitutions stay inside of their word, and a
//! keyword such as `if` is dropped in front of the command behind it. What it can't read it takes for a word.

use std::ops::Range;

/// One command.
#[derive(Debug, Default, Clone)]
pub(crate) struct Command {
    /// Its words without their quotes; redirections are words too.
    pub(crate) words: Vec<String>,
    /// Whether it reads what the one before it says.
    pub(crate) is_piped: bool,
    /// From its first word to its last.
    pub(crate) span: Range<usize>,
}

impl Command {
    /// The program's name.
    pub(crate) fn program(&self) -> &str {
        self.words.first().map(|word| word.rsplit('/').next().unwrap_or(word)).unwrap_or_default()
    }
    /// Whether it begins with these words, the first of them the program's name.
    pub(crate) fn is(&self, words: &[&str]) -> bool {
        let rest = self.words.iter().skip(1).map(String::as_str);
        [self.program()].into_iter().chain(rest).take(words.len()).eq(words.iter().copied())
    }
    /// Whether such a word stands in it.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }
    /// Whether a flag is given, with its value in the same word or in the next.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.words
            .iter()
            .any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    }
}

/// Every command, in order.
pub(crate) fn commands(text: &str) -> Vec<Command> {
    let mut reader =
        Reader { text, at: 0, command: Command::default(), found: Vec::new(), documents: Vec::new() };
    while reader.at < text.len() {
        reader.step();
    }
    reader.end(false);
    reader.found
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    command: Command,
    found: Vec<Command>,
    /// Marks of here-documents whose lines come next.
    documents: Vec<String>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let operator =
            ["&&", "||", ";;", "\n", ";", "|", "&", "(", ")"].into_iter().find(|mark| rest.starts_with(mark));
        if let Some(rest) = rest.strip_prefix("\\\n") {
            self.at = self.text.len() - rest.len();
        } else if let Some(blank) = rest.chars().next().filter(|c| c.is_whitespace() && *c != '\n') {
            self.at += blank.len_utf8();
        } else if rest.starts_with('#') {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(mark) = operator {
            self.end(mark == "|");
            self.at += mark.len();
            if mark == "\n" {
                self.skip_documents();
            }
        } else {
            self.word();
        }
    }

    fn end(&mut self, pipes: bool) {
        const BEFORE: [&str; 11] =
            ["sudo", "if", "then", "do", "else", "elif", "while", "until", "!", "exec", "time"];
        let mut command = std::mem::take(&mut self.command);
        let is_before = |word: &String| BEFORE.contains(&word.as_str()) || is_assignment(word);
        let skipped = command.words.iter().take_while(|word| is_before(word)).count();
        command.words.drain(..skipped);
        self.command.is_piped = pipes;
        if !command.words.is_empty() {
            self.found.push(command);
        }
    }

    /// A word, or a redirection and its sign as two.
    fn word(&mut self) {
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(sign) = ["<<-", "<<", ">>", ">", "<"].into_iter().find(|sign| rest.starts_with(sign)) {
            self.at += sign.len();
            self.push(start, sign.to_owned());
            return;
        }
        let (mut word, mut quote, mut depth) = (String::new(), None, 0_u32);
        let mut letters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            match (quote, letter) {
                (Some(mark), _) if letter == mark => quote = None,
                (None, '"' | '\'' | '`') => quote = Some(letter),
                (None | Some('"'), '\\') => {
                    if let Some((_, escaped)) = letters.next_if(|(_, next)| *next != '\n') {
                        word.push(escaped);
                    }
                }
                (Some(_), _) => word.push(letter),
                (None, '(') if depth > 0 || word.ends_with('$') => {
                    depth += 1;
                    word.push(letter);
                }
                (None, ')') if depth > 0 => {
                    depth -= 1;
                    word.push(letter);
                }
                (None, _) if depth == 0 && (letter.is_whitespace() || ";|&()<>".contains(letter)) => {
                    end = at;
                    break;
                }
                (None, _) => word.push(letter),
            }
        }
        self.at = start + end;
        if self.command.words.last().is_some_and(|last| last.starts_with("<<")) {
            self.documents.push(word.clone());
        }
        self.push(start, word);
    }

    fn push(&mut self, start: usize, word: String) {
        if self.command.words.is_empty() {
            self.command.span.start = start;
        }
        self.command.span.end = self.at;
        self.command.words.push(word);
    }

    fn skip_documents(&mut self) {
        for mark in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let line = rest.split_inclusive('\n').next().unwrap_or(rest);
                self.at += line.len();
                if line.trim() == mark {
                    break;
                }
            }
        }
    }
}

/// `NAME=value` in front of a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_quotes_hold_and_operators_part_commands() {
        let text = "A=1 sudo curl -SL \\\n  https://x/$(uname -m) -o 'a b' # why\nif ! grep -q \"x;y\" f; then echo z | tee -a f >>g; fi\ncat <<EOF >h\ntee -a /etc/fstab\nEOF\nls";
        let found: Vec<String> = commands(text).iter().map(|command| command.words.join(" ")).collect();
        let expected = [
            "curl -SL https://x/$(uname -m) -o a b",
            "grep -q x;y f",
            "echo z",
            "tee -a f >> g",
            "fi",
            "cat << EOF > h",
            "ls",
        ];
        assert_eq!(found, expected);
        let all = commands(text);
        assert!(all[3].is_piped && !all[2].is_piped);
        assert_eq!(&text[all[2].span.clone()], "then echo z");
    }

    #[test]
    fn nothing_makes_it_stop_or_panic() {
        for odd in [
            "'",
            "\"\\",
            "$(",
            "a)",
            "<<",
            "<<E",
            "<<E\nx",
            "\\",
            "\u{e9}'\u{e9}",
            "((((",
            "`a",
            ">",
            "\r",
            "a\u{a0}\u{b}",
        ] {
            let _ = commands(odd);
        }
    }
}
