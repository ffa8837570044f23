//! Files of services that are written for other programs: Compose, Kubernetes, Docker, mise, systemd, NFS, mount, sh, Caddy.
//!
//! In: the files below `services/<service>/` and the draft of the model they stand beside. Out: findings with their line, of
//! the files' own rules (RS10xx) and of those that a profile is held to where the same fact stands in a file.
//! A file's name tells its kind; one of no kind that is known here is not judged.

mod bind;
mod caddy;
mod compose;
mod daemon;
mod exports;
mod facts;
mod fstab;
mod kubernetes;
mod mise;
mod report;
mod script;
mod template;
#[cfg(test)]
mod tests;
mod unit;
mod yaml_tree;

use toml::Spanned;
use toml::de::DeTable;

use crate::finding::Finding;
use crate::finding::rules::{foreign as rule, service};
use crate::model::Model;
use crate::parse::Source;
use facts::Facts;
use report::Report;
use yaml_tree::{Node, Value};

/// Whether a file, by its path below the profiles folder, is of a kind that is judged.
#[must_use]
pub fn is_judged(path: &str) -> bool {
    Kind::of(path).is_some()
}

/// Judges every file, each in sight of all others.
pub(crate) fn judge(sources: &[Source], model: &Model, findings: &mut Vec<Finding>) {
    let read = |source| File::read(source, &mut Report { source, findings: &mut *findings });
    let files: Vec<File<'_>> = sources.iter().filter_map(read).collect();
    let facts = Facts { model, files: &files };
    for file in &files {
        file.judge(&facts, &mut Report { source: file.source, findings });
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Compose,
    Manifests,
    Daemon,
    Mise,
    Unit,
    Exports,
    Fstab,
    Script,
    Caddyfile,
    Template,
}

impl Kind {
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.splitn(4, '/').skip(1);
        let (folder, _service, below) = (parts.next()?, parts.next()?, parts.next()?);
        let name = below.rsplit('/').next()?;
        // Helm's charts are templates of another engine.
        if folder != "services" || format!("/{below}").contains("/templates/") {
            return None;
        }
        match name {
            "daemon.json" => return Some(Self::Daemon),
            "mise.toml" | ".mise.toml" => return Some(Self::Mise),
            "exports" => return Some(Self::Exports),
            "fstab" => return Some(Self::Fstab),
            "Caddyfile" => return Some(Self::Caddyfile),
            _ => {}
        }
        let (stem, extension) = name.rsplit_once('.')?;
        match extension {
            "yaml" | "yml" if matches!(stem.split('.').next(), Some("compose" | "docker-compose")) => {
                Some(Self::Compose)
            }
            "yaml" | "yml" => Some(Self::Manifests),
            "service" | "timer" | "mount" | "container" => Some(Self::Unit),
            "sh" => Some(Self::Script),
            "tmpl" if stem.ends_with(".sh") => Some(Self::Script),
            "tmpl" => Some(Self::Template),
            _ => None,
        }
    }
}

/// A file, read as what it is.
struct File<'a> {
    source: &'a Source,
    content: Content<'a>,
}

enum Content<'a> {
    Compose(Node),
    Manifests(Vec<Node>),
    Daemon(Node),
    Mise(Box<Spanned<DeTable<'a>>>),
    Unit(Vec<unit::Setting<'a>>),
    Script(Vec<script::Command>),
    /// Read line by line while it is judged.
    Lines(Kind),
}

impl<'a> File<'a> {
    /// Nothing, and a finding, if the file can't be read as its kind.
    fn read(source: &'a Source, report: &mut Report<'_>) -> Option<Self> {
        let text = &*source.text;
        let content = match Kind::of(&source.path)? {
            Kind::Compose => match yaml_tree::documents(text) {
                Ok(documents) => {
                    let empty = Node { value: Value::Null, span: 0..0 };
                    Content::Compose(documents.into_iter().next().unwrap_or(empty))
                }
                Err(broken) => {
                    report.at(&service::COMPOSE_FILE, broken.span, broken.why);
                    return None;
                }
            },
            Kind::Manifests => match yaml_tree::documents(text) {
                Ok(documents) => Content::Manifests(documents),
                // Half a template of another engine, such as Helm's, is none of ours to read.
                Err(_) if text.contains("{{") => return None,
                Err(broken) => {
                    report.at(&rule::NOT_ITS_KIND, broken.span, broken.why);
                    return None;
                }
            },
            Kind::Daemon => Content::Daemon(daemon::read(text, report)?),
            Kind::Mise => Content::Mise(Box::new(mise::read(text, report)?)),
            Kind::Unit => Content::Unit(unit::read(text, report)?),
            Kind::Script => Content::Script(script::commands(text)),
            kind @ (Kind::Exports | Kind::Fstab | Kind::Caddyfile | Kind::Template) => Content::Lines(kind),
        };
        Some(Self { source, content })
    }

    fn judge(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        match &self.content {
            Content::Compose(document) => compose::judge(self, document, facts, report),
            Content::Manifests(documents) => kubernetes::judge(self, documents, facts, report),
            Content::Daemon(document) => daemon::judge(self, document, facts, report),
            Content::Mise(table) => mise::judge(table, report),
            Content::Unit(settings) => unit::judge(self, settings, facts, report),
            Content::Script(commands) => script::judge(self, commands, facts, report),
            Content::Lines(Kind::Exports) => exports::judge(&self.source.text, facts, report),
            Content::Lines(Kind::Fstab) => fstab::judge(&self.source.text, facts, report),
            Content::Lines(Kind::Caddyfile) => caddy::judge(&self.source.text, report),
            Content::Lines(_) => template::judge(&self.source.text, report),
        }
    }

    /// The service whose folder it lies in.
    fn service(&self) -> &'a str {
        self.source.path.split('/').nth(2).unwrap_or_default()
    }
    /// Its path below the service's folder.
    fn below(&self) -> &'a str {
        self.source.path.splitn(4, '/').nth(3).unwrap_or_default()
    }
    /// Its name.
    fn name(&self) -> &'a str {
        self.source.path.rsplit('/').next().unwrap_or_default()
    }
}
