//! Logical lines to instructions.

use std::path::Path;

use super::lines::{self, Line};
use super::{Dockerfile, DockerfileError, Instruction, Kind, Transfer, words};

/// What Docker knows and this subset leaves to buildx, each with its reason.
const BEYOND: [(&str, &str); 5] = [
    ("RUN", "it needs a running container"),
    ("HEALTHCHECK", "OCI configurations have no field for it"),
    ("ONBUILD", "OCI configurations have no field for it"),
    ("SHELL", "it only changes RUN"),
    ("MAINTAINER", "Docker deprecated it; write LABEL org.opencontainers.image.authors instead"),
];
const KNOWN: [&str; 12] = [
    "ARG",
    "ENV",
    "LABEL",
    "COPY",
    "ADD",
    "WORKDIR",
    "USER",
    "ENTRYPOINT",
    "CMD",
    "EXPOSE",
    "VOLUME",
    "STOPSIGNAL",
];

pub(super) fn parse(file: &Path, text: &str) -> Result<Dockerfile, DockerfileError> {
    let error = |line: usize, instruction: &str, why: String| DockerfileError {
        file: file.to_owned(),
        line,
        instruction: instruction.to_owned(),
        why,
    };
    if text.contains('\0') {
        return Err(error(1, "text", "it holds a NUL byte, so it is no Dockerfile".to_owned()));
    }
    let lines = lines::split(text).map_err(|(line, why)| error(line, "directive", why))?;
    let escape = lines.escape;
    let (mut global, mut instructions) = (Vec::new(), Vec::new());
    let mut from_seen = false;
    for line in lines.lines {
        let (word, rest) = line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
        let (word, rest) = (word.to_ascii_uppercase(), rest.trim());
        let fail = |why: String| error(line.number, &word, why);
        if word == "FROM" {
            if from_seen {
                let why = "a second stage; the embedded engine builds one, from scratch: use --engine buildx";
                return Err(fail(why.to_owned()));
            }
            from(rest).map_err(fail)?;
            from_seen = true;
            continue;
        }
        let kind = kind(&word, rest, escape).map_err(fail)?;
        if !from_seen && !matches!(kind, Kind::Arg(_)) {
            return Err(fail("it stands before FROM; only ARG may".to_owned()));
        }
        let Line { number, text } = line;
        let target = if from_seen { &mut instructions } else { &mut global };
        target.push(Instruction { line: number, text, kind });
    }
    if !from_seen {
        return Err(error(1, "FROM", "it is missing; begin with `FROM scratch`".to_owned()));
    }
    Ok(Dockerfile { file: file.to_owned(), global, instructions, escape })
}

/// `FROM scratch [AS name]`.
fn from(rest: &str) -> Result<(), String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words.as_slice() {
        ["scratch"] => Ok(()),
        ["scratch", keyword, _name] if keyword.eq_ignore_ascii_case("as") => Ok(()),
        [] => Err("it names no base; write `FROM scratch`".to_owned()),
        [flag, ..] if flag.starts_with("--") => {
            Err(format!("the flag {flag} has no effect on scratch; leave it out, or use --engine buildx"))
        }
        [base, ..] if *base != "scratch" => Err(format!(
            "the base {base} would have to be pulled, and the embedded engine builds from scratch only; use --engine buildx"
        )),
        _ => Err("write `FROM scratch` or `FROM scratch AS name`".to_owned()),
    }
}

fn kind(word: &str, rest: &str, escape: char) -> Result<Kind, String> {
    if let Some((_, why)) = BEYOND.iter().find(|(name, _)| *name == word) {
        return Err(format!("the embedded engine does without it ({why}); use --engine buildx"));
    }
    if !KNOWN.contains(&word) {
        return Err(format!("it is no Dockerfile instruction; known here: FROM {}", KNOWN.join(" ")));
    }
    if rest.is_empty() {
        return Err("it has no arguments".to_owned());
    }
    Ok(match word {
        "ARG" => Kind::Arg(arguments(rest, escape)?),
        "ENV" => Kind::Env(pairs(rest, escape)?),
        "LABEL" => Kind::Label(pairs(rest, escape)?),
        "COPY" => Kind::Copy(transfer(rest)?),
        "ADD" => Kind::Add(transfer(rest)?),
        "WORKDIR" => Kind::Workdir(rest.to_owned()),
        "USER" => Kind::User(rest.to_owned()),
        "ENTRYPOINT" => Kind::Entrypoint(command(rest)?),
        "CMD" => Kind::Cmd(command(rest)?),
        "EXPOSE" => Kind::Expose(words::split(rest, escape)),
        "VOLUME" => Kind::Volume(list(rest)?.unwrap_or_else(|| words::split(rest, escape))),
        _ => Kind::StopSignal(rest.to_owned()),
    })
}

fn arguments(rest: &str, escape: char) -> Result<Vec<(String, Option<String>)>, String> {
    let split = words::split(rest, escape).into_iter().map(|word| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word, None),
    });
    let named: Vec<_> = split.collect();
    match named.iter().find(|(name, _)| !is_name(name)) {
        Some((name, _)) => Err(format!("`{name}` is no variable name")),
        None => Ok(named),
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `key=value …`, or the old `key value`.
fn pairs(rest: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = words::split(rest, escape);
    if words.first().is_some_and(|first| !first.contains('=')) {
        return match rest.split_once(char::is_whitespace) {
            Some((key, value)) => Ok(vec![(key.to_owned(), value.trim().to_owned())]),
            None => Err(format!("`{rest}` has no value; write {rest}=value")),
        };
    }
    let split = words.iter().map(|word| match word.split_once('=') {
        Some(("", _)) => Err(format!("`{word}` has no name before =")),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("`{word}` has no value; write {word}=value")),
    });
    split.collect()
}

/// The exec form as it is, the shell form as arguments of `/bin/sh -c`.
fn command(rest: &str) -> Result<Vec<String>, String> {
    Ok(list(rest)?.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()]))
}

/// A JSON list of strings, if it starts like one. BuildKit silently takes a broken list for a shell command; here
/// that is an error, since nobody means it.
fn list(rest: &str) -> Result<Option<Vec<String>>, String> {
    if !rest.starts_with('[') {
        return Ok(None);
    }
    match serde_json::from_str(rest) {
        Ok(list) => Ok(Some(list)),
        Err(error) => Err(format!("{rest} is no JSON list of strings ({error}); use double quotes")),
    }
}

/// `[--flag=value…] source… target`, or the same as a JSON list.
fn transfer(mut rest: &str) -> Result<Transfer, String> {
    let mut transfer = Transfer::default();
    while rest.starts_with("--") {
        let (flag, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = behind.trim_start();
        let value = |text: &str| Some(text.to_owned());
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("--from", name) if !name.is_empty() => transfer.from = value(name),
            ("--chmod", mode) if !mode.is_empty() => transfer.chmod = value(mode),
            ("--chown", owner) if !owner.is_empty() => transfer.chown = value(owner),
            // It only changes how BuildKit caches the layer.
            ("--link", "" | "true" | "false") => {}
            _ => {
                return Err(format!(
                    "the flag {flag} is not known to the embedded engine; use --engine buildx"
                ));
            }
        }
    }
    let mut words = match list(rest)? {
        Some(words) => words,
        None => rest.split_whitespace().map(str::to_owned).collect(),
    };
    if words.iter().any(|word| word.starts_with("<<")) {
        return Err(
            "here-documents are not known to the embedded engine; use a file, or --engine buildx".to_owned()
        );
    }
    let target = words.pop().unwrap_or_default();
    if words.is_empty() {
        return Err("it needs at least one source and a target".to_owned());
    }
    transfer.sources = words;
    transfer.target = target;
    Ok(transfer)
}
