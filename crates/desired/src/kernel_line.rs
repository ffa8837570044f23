//! Words of ours on the kernel's command line: one line that others write too, where the order of words decides.
//!
//! In: the bytes of `cmdline.txt` and the words that shall be among them. Out: which are missing, or the line with them
//! put in, everything else kept to the byte. A file the kernel would not read as meant (several lines, FIELD K2; no
//! `root=`, K3) is a [`LineFault`] and for a person to repair.

use std::ops::Range;

/// The kernel reads no more of it on arm64, `COMMAND_LINE_SIZE` (FIELD K2).
const LONGEST: usize = 2048;

/// A file that is no usable command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// Further lines, which nobody reads.
    #[error("line {0} is not empty, and only the first line is read; make it one line")]
    Lines(usize),
    /// A character that becomes a part of a word.
    #[error(
        "it holds a {0}, which becomes a part of a word; write blanks only, and end the line with a newline"
    )]
    Odd(&'static str),
    /// A quote that is never closed takes all that follows into its word.
    #[error("a double quote in it has no partner")]
    Quote,
    /// Nothing says where the system lies.
    #[error("it has no root=, so no machine can start from it; is this the file that is read?")]
    NoRoot,
    /// Too long.
    #[error("with our words it would have {0} bytes, and the kernel reads {LONGEST}")]
    TooLong(usize),
}

/// A command line, cut into words.
struct Line<'a> {
    text: &'a str,
    /// Where the first line ends.
    end: usize,
    words: Vec<Range<usize>>,
}

impl<'a> Line<'a> {
    fn read(file: &'a [u8]) -> Result<Self, LineFault> {
        let text = std::str::from_utf8(file).map_err(|_| LineFault::NotText)?;
        let first = text.split('\n').next().unwrap_or_default();
        if let Some(at) = text.split('\n').skip(1).position(|line| !line.trim().is_empty()) {
            return Err(LineFault::Lines(at + 2));
        }
        for (odd, name) in [('\r', "carriage return"), ('\t', "tab"), ('\0', "zero byte")] {
            if text.contains(odd) {
                return Err(LineFault::Odd(name));
            }
        }
        if first.matches('"').count() % 2 == 1 {
            return Err(LineFault::Quote);
        }
        let line = Self { text, end: first.len(), words: words(first) };
        if line.words().any(|word| word.starts_with("root=")) { Ok(line) } else { Err(LineFault::NoRoot) }
    }
    fn words(&self) -> impl DoubleEndedIterator<Item = &'a str> {
        self.words.iter().map(|range| &self.text[range.clone()])
    }
    /// Whether `word` stands there and nothing behind it takes it back.
    fn has(&self, word: &str) -> bool {
        has(self.words(), word)
    }
    /// Where a word of ours is put: behind what would take it back; behind the one put before it, else behind `rootwait`
    /// if there is one; before words that some images cut off together with all that follows (FIELD K4).
    fn gap(&self, word: &str, put_before: Option<usize>) -> usize {
        let words: Vec<&str> = self.words().collect();
        let last = |is: &dyn Fn(&str) -> bool| words.iter().rposition(|word| is(word)).map(|at| at + 1);
        let earliest = last(&|other| opposes(other, word)).unwrap_or(0);
        let first_run = words.iter().take_while(|other| !other.starts_with("systemd.run")).count();
        let preferred = put_before.or_else(|| last(&|other| other == "rootwait")).unwrap_or(words.len());
        preferred.min(first_run).max(earliest)
    }
}

/// The words of `line`; a blank between double quotes is a part of its word, as in the kernel's own reader.
fn words(line: &str) -> Vec<Range<usize>> {
    let (mut words, mut start, mut quoted) = (Vec::new(), None, false);
    for (at, c) in line.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        match (c == ' ' && !quoted, start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| from..line.len()));
    words
}

/// Whether `other`, standing behind `word`, takes it back.
fn opposes(other: &str, word: &str) -> bool {
    let of = |text: &str, prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
    match (of(word, "cgroup_enable="), of(other, "cgroup_disable=")) {
        (Some(enabled), Some(disabled)) => enabled == disabled,
        _ => false,
    }
}

fn has<'a>(words: impl DoubleEndedIterator<Item = &'a str>, word: &str) -> bool {
    words.rev().find(|other| *other == word || opposes(other, word)) == Some(word)
}

/// Which of `wanted` a kernel that was started with `line` lacks; its line holds what firmware added too.
#[must_use]
pub fn lacking(line: &str, wanted: &[String]) -> Vec<String> {
    let line = line.lines().next().unwrap_or_default();
    let words: Vec<&str> = words(line).into_iter().map(|range| &line[range]).collect();
    wanted.iter().filter(|word| !has(words.iter().copied(), word)).cloned().collect()
}

/// Which of `wanted` the file lacks.
///
/// # Errors
/// [`LineFault`].
pub fn missing(file: &[u8], wanted: &[String]) -> Result<Vec<String>, LineFault> {
    let line = Line::read(file)?;
    Ok(wanted.iter().filter(|word| !line.has(word)).cloned().collect())
}

/// The file with all of `wanted`.
///
/// # Errors
/// [`LineFault`].
pub fn merge(file: &[u8], wanted: &[String]) -> Result<Vec<u8>, LineFault> {
    let mut file = file.to_vec();
    let mut put_before = None;
    for word in wanted {
        let line = Line::read(&file)?;
        if line.has(word) {
            continue;
        }
        let gap = line.gap(word, put_before);
        let (at, text) = match gap.checked_sub(1).and_then(|before| line.words.get(before)) {
            Some(before) => (before.end, format!(" {word}")),
            None => (line.words.first().map_or(0, |first| first.start), format!("{word} ")),
        };
        let longer = line.end + text.len();
        if longer > LONGEST {
            return Err(LineFault::TooLong(longer));
        }
        file.splice(at..at, text.into_bytes());
        put_before = Some(gap + 1);
    }
    Ok(file)
}

/// The file without one of each of `words`, the last, and the blank before it.
///
/// # Errors
/// [`LineFault`].
pub fn remove(file: &[u8], words: &[String]) -> Result<Vec<u8>, LineFault> {
    let mut file = file.to_vec();
    for word in words {
        let line = Line::read(&file)?;
        let Some(range) = line.words.iter().rev().find(|range| line.text[(*range).clone()] == **word) else {
            continue;
        };
        let (start, end) = (range.start, range.end);
        let is_blank = |at: usize| line.text.as_bytes().get(at) == Some(&b' ');
        let range = match start.checked_sub(1) {
            Some(before) if is_blank(before) => before..end,
            _ if is_blank(end) => start..end + 1,
            _ => start..end,
        };
        file.drain(range);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cgroup() -> Vec<String> {
        ["cgroup_memory=1", "cgroup_enable=memory"].map(str::to_owned).into()
    }
    fn merged(file: &str) -> String {
        merge(file.as_bytes(), &cgroup())
            .map_or_else(|fault| fault.to_string(), |file| String::from_utf8(file).unwrap())
    }

    #[test]
    fn words_go_where_they_last() {
        const OURS: &str = "cgroup_memory=1 cgroup_enable=memory";
        for (file, wanted) in [
            ("console=tty1 root=X rootwait quiet\n", format!("console=tty1 root=X rootwait {OURS} quiet\n")),
            ("root=X  quiet", format!("root=X  quiet {OURS}")),
            // FIELD K4: what stands behind ` systemd.run` is cut off at the first boot.
            (
                "root=X rootwait systemd.run=/boot/firstrun.sh systemd.unit=kernel-command-line.target\n",
                format!(
                    "root=X rootwait {OURS} systemd.run=/boot/firstrun.sh systemd.unit=kernel-command-line.target\n"
                ),
            ),
            ("root=X systemd.run=/x rootwait\n", format!("root=X {OURS} systemd.run=/x rootwait\n")),
            // FIELD K1: the later word wins.
            (
                "root=X rootwait quiet cgroup_disable=memory fixrtc\n",
                "root=X rootwait cgroup_memory=1 quiet cgroup_disable=memory cgroup_enable=memory fixrtc\n"
                    .to_owned(),
            ),
            (
                "cgroup_enable=memory root=X rootwait cgroup_memory=1\n",
                "cgroup_enable=memory root=X rootwait cgroup_memory=1\n".to_owned(),
            ),
            ("root=X dyndbg=\"file a +p\" rootwait", format!("root=X dyndbg=\"file a +p\" rootwait {OURS}")),
        ] {
            assert_eq!(merged(file), wanted, "{file:?}");
            assert_eq!(merged(&wanted), wanted, "twice: {file:?}");
        }
    }

    #[test]
    fn what_no_kernel_reads_as_meant_is_left_alone() {
        for (file, why) in [
            ("root=X\ncgroup_enable=memory\n", "line 2"),
            ("root=X rootwait\r\n", "carriage return"),
            ("root=X\trootwait\n", "tab"),
            ("console=tty1 rootwait\n", "no root="),
            ("", "no root="),
            ("root=X dyndbg=\"a b rootwait\n", "no partner"),
            (&format!("root=X {}\n", "a".repeat(2030)), "2048"),
        ] {
            assert!(merged(file).contains(why), "{file:?}: {}", merged(file));
        }
    }

    #[test]
    fn the_running_kernel_is_asked_by_the_same_rules() {
        let wanted = cgroup();
        let boot =
            "coherent_pool=1M cgroup_disable=memory root=X rootwait cgroup_memory=1 cgroup_enable=memory\n";
        assert_eq!(lacking(boot, &wanted), [""; 0]);
        assert_eq!(lacking("cgroup_enable=memory root=X cgroup_disable=memory\n", &wanted), wanted);
        assert_eq!(missing(b"root=X cgroup_memory=1\n", &wanted).unwrap(), ["cgroup_enable=memory"]);
    }

    proptest! {
        #[test]
        fn nothing_else_is_ever_lost(before in "( {0,2}[a-z.=]{1,8}){0,6}", after in "( {1,2}[a-z.=\"]{1,8}){0,6}\n?") {
            let file = format!("{before} root=PARTUUID=1{after}");
            if let Ok(new) = merge(file.as_bytes(), &cgroup()) {
                prop_assert!(missing(&new, &cgroup()).unwrap().is_empty());
                prop_assert_eq!(remove(&new, &cgroup()).unwrap(), file.as_bytes());
            }
        }
    }
}
