//! A person's home, filled by chezmoi and mise as that person.
//!
//! Each file that chezmoi changes is journaled on its own, with what chezmoi will write, so it is given back like a file
//! of ours and kept where the person has edited it since.

use std::collections::BTreeMap;

use desired::observed::Answer;
use desired::resource::{Owner, Resource, ResourceId, Want};
use desired::{AbsPath, Digest, Mode};

use super::{PerformError, Performer, place};
use crate::journal::{After, Before, More, State, Step};
use crate::observe::home::{LEFT_OUT, chezmoi, installed, pending};
use crate::person::Person;
use crate::root::Ownership;

/// Where chezmoi notes what it did, below the home.
const STATE: &str = ".config/chezmoi/chezmoistate.boltdb";

impl Performer<'_> {
    pub(super) fn chezmoi(&mut self, user: &str, source: &AbsPath) -> Result<(), PerformError> {
        let person = Person::of(self.root, user).map_err(PerformError::Other)?;
        let mut begun = Vec::new();
        let state = person.home.join(STATE).map_err(|error| PerformError::Other(error.to_string()))?;
        let paths = pending(&person, source)?.into_iter().filter_map(|path| path.parse().ok());
        for path in paths.chain([state]) {
            begun.extend(self.begin_home_file(&person, source, &path)?);
        }
        let applied = chezmoi(&person, source).args(["apply", "--force", LEFT_OUT]).run();
        for (id, path) in &begun {
            match &applied {
                Ok(_) => {
                    let state = place::state(self.root, path)?;
                    self.journal
                        .note(id, Step::Done { after: After { state: Some(state), ..After::default() } })?;
                }
                Err(error) => self.journal.note(id, Step::Failed { why: error.to_string() })?,
            }
        }
        applied?;
        match pending(&person, source)?.first() {
            None => Ok(()),
            Some(path) => Err(PerformError::NoEffect {
                command: "chezmoi apply".to_owned(),
                probe: format!("chezmoi status, for {path},"),
            }),
        }
    }

    /// Notes what is at `path` and what chezmoi will put there; nothing for a folder, which goes with what lies in it.
    fn begin_home_file(
        &mut self,
        person: &Person,
        source: &AbsPath,
        path: &AbsPath,
    ) -> Result<Option<(ResourceId, AbsPath)>, PerformError> {
        let cat = chezmoi(person, source).arg("cat").arg(path.as_str()).accept([0, 1]).run()?;
        let is_file = cat.code == 0 || path.as_str().ends_with(STATE);
        let there = place::state(self.root, path)?;
        if !is_file && !matches!(there, State::File { .. } | State::Link { .. }) {
            return Ok(None);
        }
        let owner = Owner::root();
        let want = Want::File { path: path.clone(), mode: Mode::PUBLIC, owner, content: String::new() };
        let id = want.id();
        let before = self.place_before(&id, path)?;
        // What chezmoi notes for itself nobody knows beforehand.
        let digest = (cat.code == 0).then(|| Digest::sha256_of(&cat.stdout));
        let ownership = Ownership::private(0o644);
        let size = cat.stdout.len() as u64;
        let will_be = is_file.then_some(State::File { ownership, size, digest, saved: None });
        let intended = will_be.map(|state| After { state: Some(state), ..After::default() });
        let before = Before { place: Some(before), more: None };
        self.journal.note(&id, Step::Begin { before, intended })?;
        Ok(Some((id, path.clone())))
    }

    pub(super) fn mise(
        &mut self,
        resource: &Resource,
        user: &str,
        tools: &BTreeMap<String, String>,
    ) -> Result<(), PerformError> {
        let person = Person::of(self.root, user).map_err(PerformError::Other)?;
        let there = match installed(&person, tools) {
            Answer::Known(there) => there,
            Answer::Unknown { why } | Answer::Later { why } => return Err(PerformError::Other(why)),
        };
        let all = tools.iter().map(|(name, version)| format!("{name}@{version}"));
        let missing: Vec<String> = all.filter(|tool| !there.contains(tool)).collect();
        let more = More::Tools { user: user.to_owned(), tools: missing.clone() };
        let before = Before { place: None, more: Some(more) };
        self.change(&resource.id, before, None, |_| {
            // Nobody is there to be asked (FIELD C11).
            person.call("mise").args(["--quiet", "install", "--yes"]).args(&missing).run()?;
            match installed(&person, tools) {
                Answer::Known(there) if there.len() == tools.len() => Ok(After::default()),
                _ => Err(PerformError::NoEffect {
                    command: format!("mise install {}", missing.join(" ")),
                    probe: "mise ls".to_owned(),
                }),
            }
        })
    }
}

/// Takes back the tools that were not there before and are now.
pub(super) fn uninstall(
    root: &crate::root::Root,
    user: &str,
    tools: &[String],
) -> Result<super::Undone, PerformError> {
    // Whoever is gone has no tools left.
    let Ok(person) = Person::of(root, user) else { return Ok(super::Undone::Unchanged) };
    let wanted = tools.iter().filter_map(|tool| tool.rsplit_once('@'));
    let wanted: BTreeMap<String, String> =
        wanted.map(|(name, version)| (name.to_owned(), version.to_owned())).collect();
    let there = match installed(&person, &wanted) {
        Answer::Known(there) => there,
        Answer::Unknown { why } | Answer::Later { why } => return Ok(super::Undone::Kept { why }),
    };
    if there.is_empty() {
        return Ok(super::Undone::Unchanged);
    }
    person.call("mise").arg("uninstall").args(&there).run()?;
    Ok(super::Undone::Partly { why: "mise keeps folders of its own in the home".to_owned() })
}
