//! What chezmoi and mise still have to do in a person's home, asked of themselves.

use std::collections::{BTreeMap, BTreeSet};

use desired::AbsPath;
use desired::observed::{Answer, Observed};
use serde::Deserialize;

use crate::person::Person;
use crate::process::{Invocation, ProcessError};
use crate::root::Root;

const LATER: &str = "homes are filled on the running node alone";
/// Scripts and downloads can't be looked at before, nor given back afterwards.
pub(crate) const LEFT_OUT: &str = "--exclude=scripts,externals";

/// One version of a tool, as `mise ls --json` tells it.
#[derive(Debug, Deserialize)]
struct Installed {
    version: String,
    #[serde(default = "yes")]
    installed: bool,
}

const fn yes() -> bool {
    true
}

/// chezmoi over `source` for `person`: no terminal, no questions, and nothing but that source (FIELD C1).
pub(crate) fn chezmoi(person: &Person, source: &AbsPath) -> Invocation {
    let call = person.call("chezmoi").args(["--no-tty", "--no-pager", "--color=false", "--progress=false"]);
    call.arg(format!("--source={source}")).arg(format!("--destination={}", person.home))
}

/// The files of the home that an apply would change or remove.
pub(super) fn of_chezmoi(root: &Root, user: &str, source: &AbsPath) -> Observed {
    if !root.is_live() {
        return Observed::Chezmoi { pending: Answer::later(LATER) };
    }
    let pending = match Person::of(root, user) {
        Ok(_) if !matches!(root.see(source.as_str()), Ok(Some(_))) => {
            Answer::unknown("its source is not here yet")
        }
        Ok(person) => match pending(&person, source) {
            Ok(paths) => Answer::Known(paths),
            Err(error) => unanswered("chezmoi", &error),
        },
        Err(why) => Answer::unknown(why),
    };
    Observed::Chezmoi { pending }
}

/// As [`of_chezmoi`], or why chezmoi does not tell.
pub(crate) fn pending(person: &Person, source: &AbsPath) -> Result<Vec<String>, ProcessError> {
    let call = chezmoi(person, source).args(["status", "--path-style=absolute", LEFT_OUT]);
    Ok(changed(&call.run()?.text()))
}

/// The paths of `chezmoi status` whose second column says that an apply acts; folders come with what lies in them.
fn changed(status: &str) -> Vec<String> {
    let paths = status.lines().filter_map(|line| {
        let (columns, path) = line.split_at_checked(3)?;
        columns[1..2].trim_start().chars().next().map(|_| path.to_owned())
    });
    paths.collect()
}

/// Which of the wanted tools are there.
pub(super) fn of_mise(root: &Root, user: &str, tools: &BTreeMap<String, String>) -> Observed {
    if !root.is_live() {
        return Observed::Mise { installed: Answer::later(LATER) };
    }
    let installed = match Person::of(root, user) {
        Ok(person) => installed(&person, tools),
        Err(why) => Answer::unknown(why),
    };
    Observed::Mise { installed }
}

/// The wanted tools that are there, as `name@version`.
pub(crate) fn installed(person: &Person, tools: &BTreeMap<String, String>) -> Answer<BTreeSet<String>> {
    let call = person.call("mise").args(["ls", "--installed", "--json"]);
    match call.run() {
        Ok(output) => parse(&output.stdout, tools),
        Err(error) => unanswered("mise", &error),
    }
}

fn parse(text: &[u8], tools: &BTreeMap<String, String>) -> Answer<BTreeSet<String>> {
    let listed: BTreeMap<String, Vec<Installed>> = match serde_json::from_slice(text) {
        Ok(listed) => listed,
        Err(error) => return Answer::unknown(format!("mise's list can't be read: {error}")),
    };
    let is_there = |(name, version): &(&String, &String)| {
        let versions = listed.get(*name).into_iter().flatten();
        versions.into_iter().any(|one| one.installed && one.version == **version)
    };
    Answer::Known(tools.iter().filter(is_there).map(|(name, version)| format!("{name}@{version}")).collect())
}

fn unanswered<T>(program: &str, error: &ProcessError) -> Answer<T> {
    if matches!(error, ProcessError::Failed { ending: crate::process::Ending::Status(127), .. }) {
        return Answer::unknown(format!("{program} is not here yet"));
    }
    Answer::unknown(format!("{program} gave no answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_column_tells_what_an_apply_does() {
        let status =
            "DA /home/pi/.config/mise\nMM /home/pi/.profile\nM  /home/pi/.edited\n D /home/pi/gone\n";
        let wanted = ["/home/pi/.config/mise", "/home/pi/.profile", "/home/pi/gone"];
        assert_eq!(changed(status), wanted);
    }

    #[test]
    fn a_tool_is_there_in_the_wanted_version_or_not_at_all() {
        let tools =
            BTreeMap::from([("a", "1.2"), ("b", "2"), ("c", "3")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        let text =
            br#"{"a":[{"version":"1.1","installed":true},{"version":"1.2","installed":true,"active":false}],
            "b":[{"version":"2","installed":false}],"d":[]}"#;
        assert_eq!(parse(text, &tools), Answer::Known(["a@1.2".to_owned()].into()));
        assert!(matches!(parse(b"no", &tools), Answer::Unknown { .. }));
    }
}
