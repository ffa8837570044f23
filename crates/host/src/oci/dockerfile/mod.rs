//! Dockerfiles, the subset that needs no running container.
//!
//! In: text. Out: [`Instruction`]s in order, or a [`DockerfileError`] with file, line, instruction and why. `RUN` and
//! whatever else only BuildKit can do is refused with `--engine buildx` as the way out, so that one Dockerfile never
//! means two images. Variables are expanded later ([`words::expand`]), once an architecture is chosen.

mod lines;
mod parse;
#[cfg(test)]
mod tests;
pub(super) mod words;

use std::path::{Path, PathBuf};

/// What is wrong with a Dockerfile, where. Belongs to exit class 4: the input is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {instruction}: {why}", file.display())]
pub struct DockerfileError {
    /// The Dockerfile.
    pub file: PathBuf,
    /// The instruction's first line, from 1.
    pub line: usize,
    /// The instruction, or what stands in its place.
    pub instruction: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

/// A parsed Dockerfile: one stage from `scratch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// Where it was read, for messages.
    pub file: PathBuf,
    /// `ARG`s before `FROM`.
    pub global: Vec<Instruction>,
    /// Everything after `FROM`.
    pub instructions: Vec<Instruction>,
    /// The escape character, `\` unless a directive says `` ` ``.
    pub(super) escape: char,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its first line, from 1.
    pub line: usize,
    /// As written, continuation lines joined.
    pub text: String,
    /// What it says, variables not yet expanded.
    pub kind: Kind,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Names with default values.
    Arg(Vec<(String, Option<String>)>),
    /// Environment variables.
    Env(Vec<(String, String)>),
    /// Labels.
    Label(Vec<(String, String)>),
    /// Files from a context.
    Copy(Transfer),
    /// Files from the context, archives unpacked.
    Add(Transfer),
    /// Folder to start in.
    Workdir(String),
    /// User to start as.
    User(String),
    /// Program.
    Entrypoint(Vec<String>),
    /// Its arguments.
    Cmd(Vec<String>),
    /// Ports.
    Expose(Vec<String>),
    /// Data paths.
    Volume(Vec<String>),
    /// Stop signal.
    StopSignal(String),
}

/// The words of `COPY` and `ADD`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Named context, instead of the main one.
    pub from: Option<String>,
    /// Octal mode.
    pub chmod: Option<String>,
    /// Numeric `user[:group]`.
    pub chown: Option<String>,
    /// What to copy.
    pub sources: Vec<String>,
    /// Where to.
    pub target: String,
}

impl Dockerfile {
    /// Parses `text`; `file` only names it in messages.
    ///
    /// # Errors
    /// The first thing that is wrong, or that this subset lacks.
    pub fn parse(file: &Path, text: &str) -> Result<Self, DockerfileError> {
        parse::parse(file, text)
    }

    /// An error at `instruction`.
    pub(super) fn error(&self, instruction: &Instruction, why: impl Into<String>) -> DockerfileError {
        let word = instruction.text.split_whitespace().next().unwrap_or_default();
        DockerfileError {
            file: self.file.clone(),
            line: instruction.line,
            instruction: word.to_ascii_uppercase(),
            why: why.into(),
        }
    }
}
