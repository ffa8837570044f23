//! Shell scripts, and those that chezmoi runs.
//!
//! In: commands, as [`lexer`] reads them. Out: findings on each, in sight of the whole script: what was installed before, what
//! is checked later. A script is looked at command by command; which of them run, no one can tell from the text.

mod kubectl;
mod lexer;

use super::File;
use super::facts::Facts;
use super::report::Report;
use super::{daemon, exports, fstab, template};
use crate::finding::rules::foreign as rule;
use crate::spec::OsFamily;
pub(crate) use lexer::{Command, commands};

/// A script and what is asked of all of it.
struct Script<'a> {
    commands: &'a [Command],
    is_chezmois: bool,
}

pub(crate) fn judge(file: &File<'_>, commands: &[Command], facts: &Facts<'_>, report: &mut Report<'_>) {
    let script = Script { commands, is_chezmois: file.name().starts_with("run_") };
    for (index, command) in commands.iter().enumerate() {
        script.chezmoi(command, report);
        script.appends(index, facts, report);
        script.packages(index, facts, report);
        script.downloads(command, report);
        script.paths(command, facts, report);
        infisical(command, report);
        kubectl::judge(&script, command, facts, report);
    }
    if file.name().ends_with(".tmpl") {
        template::defaults(&file.source.text, report);
    }
}

/// Asks `infisical run` for everything that it would otherwise guess.
pub(crate) fn infisical(command: &Command, report: &mut Report<'_>) {
    if !command.is(&["infisical", "run"]) {
        return;
    }
    let missing: Vec<&str> = ["--projectId", "--domain", "--env", "--path"]
        .into_iter()
        .filter(|flag| !command.has_flag(flag))
        .collect();
    if !missing.is_empty() {
        let message = format!("infisical run without {}", missing.join(", "));
        report.at(&rule::INFISICAL_FLAGS, command.span.clone(), message);
    }
}

impl Script<'_> {
    /// Whether a word stands anywhere in it.
    fn mentions(&self, part: &str) -> bool {
        self.commands.iter().flat_map(|command| &command.words).any(|word| word.contains(part))
    }

    fn chezmoi(&self, command: &Command, report: &mut Report<'_>) {
        if !self.is_chezmois {
            return;
        }
        let nested = ["apply", "update", "init", "add"].iter().any(|verb| command.is(&["chezmoi", verb]));
        if nested {
            let message = "chezmoi waits here for the chezmoi that runs this script";
            report.at(&rule::CHEZMOI_NESTED, command.span.clone(), message);
        }
        if let Some(path) = written(command).into_iter().find(|path| path.starts_with("/etc/")) {
            report.at(&rule::CHEZMOI_ETC, command.span.clone(), format!("chezmoi writes `{path}`"));
        }
    }

    /// `… >> FILE` and `… | tee -a FILE`; a grep for the line before it is a guard.
    fn appends(&self, index: usize, facts: &Facts<'_>, report: &mut Report<'_>) {
        let command = &self.commands[index];
        let appends = (command.program() == "tee" && (command.has("-a") || command.has("--append")))
            || command.has(">>");
        let file = written(command).into_iter().find(|path| matches!(*path, "/etc/fstab" | "/etc/exports"));
        let Some(file) = file else { return };
        let guarded = self.commands[..index]
            .iter()
            .any(|earlier| matches!(earlier.program(), "grep" | "findmnt") && earlier.has(file));
        if appends && !guarded {
            let message = format!("each run adds a line to `{file}`");
            report.at(&rule::APPENDED_LINE, command.span.clone(), message);
        }
        let says =
            if command.is_piped { index.checked_sub(1).map(|at| &self.commands[at]) } else { Some(command) };
        let says = says.filter(|says| matches!(says.program(), "echo" | "printf"));
        if let Some(line) = says.and_then(|says| says.words.get(1)) {
            let judge = if file == "/etc/fstab" { fstab::line } else { exports::line };
            judge(line, &command.span, facts, report);
        }
    }

    fn packages(&self, index: usize, facts: &Facts<'_>, report: &mut Report<'_>) {
        let command = &self.commands[index];
        if command.program() == "mount"
            && matches!(command.words.get(2).map(String::as_str), Some("cifs" | "nfs" | "nfs4"))
        {
            let tool = if command.has("cifs") { "cifs-utils" } else { "nfs-common" };
            let place =
                self.commands.iter().position(|other| installs(other, tool) || other.program() == "chezmoi");
            if place.is_some_and(|place| place > index) {
                let message = format!("{tool} is installed after this");
                report.at(&rule::MOUNT_BEFORE_TOOLS, command.span.clone(), message);
            }
        }
        let debian = facts
            .model
            .nodes
            .values()
            .any(|node| matches!(node.os.family, OsFamily::Debian | OsFamily::RaspberryPiOs));
        if installs(command, "docker-compose-v2") && debian {
            let message = "Debian has no package `docker-compose-v2`";
            report.at(&rule::PACKAGE_ELSEWHERE, command.span.clone(), message);
        }
        let missing: Vec<&str> =
            ["iscsid", "iscsi_tcp", "multipath"].into_iter().filter(|word| !self.mentions(word)).collect();
        if installs(command, "open-iscsi") && !missing.is_empty() {
            let message = format!("nothing here is about {}", missing.join(", "));
            report.at(&rule::LONGHORN_PREPARATION, command.span.clone(), message);
        }
    }

    fn downloads(&self, command: &Command, report: &mut Report<'_>) {
        let short = |flag: char| command.words.iter().any(|word| has_letter(word, flag));
        let is_curl = command.program() == "curl";
        let saves = match command.program() {
            "curl" => short('o') || short('O') || command.has_flag("--output") || command.has(">"),
            "wget" => {
                !command.words.iter().any(|word| word.ends_with("O-") || word == "-" || word == "--spider")
            }
            _ => false,
        };
        let saves = saves && !command.has("/dev/null");
        if is_curl && saves && !short('f') && !command.words.iter().any(|word| word.starts_with("--fail")) {
            let message = "a page that says 404 is saved as well";
            report.at(&rule::CURL_WITHOUT_FAIL, command.span.clone(), message);
        }
        let checks = ["sha256sum", "sha512sum", "shasum", "b2sum", "gpg", "minisign", "cosign"];
        if saves && !self.commands.iter().any(|other| checks.contains(&other.program())) {
            let message = "nothing compares what is fetched";
            report.at(&rule::UNVERIFIED_DOWNLOAD, command.span.clone(), message);
        }
    }

    fn paths(&self, command: &Command, facts: &Facts<'_>, report: &mut Report<'_>) {
        let files = written(command);
        // A link for people's fingers beside the plugin does no harm.
        if files.iter().any(|path| path.ends_with("/bin/docker-compose"))
            && !self.mentions("cli-plugins/docker-compose")
        {
            let message = "Docker does not look for its plugins there";
            report.at(&rule::COMPOSE_NOT_PLUGIN, command.span.clone(), message);
        }
        let is_home = |path: &str| daemon::ROOTLESS.iter().any(|place| path.ends_with(place));
        let added = command.is(&["chezmoi", "add"]) && command.words.iter().any(|word| is_home(word));
        if (added || files.into_iter().any(is_home)) && !daemon::runs_rootless(facts) {
            report.at(&rule::DAEMON_PATH, command.span.clone(), "only a rootless daemon reads this path");
        }
        let tells = matches!(command.program(), "echo" | "printf");
        let inner = ["/var/lib/docker/overlay2", "/var/lib/docker/buildx"];
        if !tells && command.words.iter().any(|word| inner.iter().any(|folder| word.contains(folder))) {
            let message = "what Docker keeps need not be there";
            report.at(&rule::ENGINE_FOLDER, command.span.clone(), message);
        }
    }
}

/// Whether a word is a group of curl's short flags and that letter one of them; behind some the rest is a value.
fn has_letter(word: &str, flag: char) -> bool {
    let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else { return false };
    for letter in letters.chars() {
        if letter == flag {
            return true;
        }
        if "XHduwAebTxmo".contains(letter) {
            return false;
        }
    }
    false
}

/// Whether a package manager is asked for a package.
fn installs(command: &Command, package: &str) -> bool {
    matches!(command.program(), "apt" | "apt-get" | "dnf" | "zypper")
        && command.has("install")
        && command.has(package)
}

/// Files that a command writes, as far as its words say.
fn written(command: &Command) -> Vec<&str> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let behind = |sign: &[&str]| {
        words.windows(2).filter(|pair| sign.contains(&pair[0])).map(|pair| pair[1]).collect::<Vec<_>>()
    };
    let mut files = behind(&[">", ">>"]);
    match command.program() {
        "tee" => files.extend(words.iter().skip(1).filter(|word| !word.starts_with('-'))),
        "cp" | "mv" | "install" | "ln" => files.extend(words.last()),
        "curl" => files.extend(behind(&["-o", "--output"])),
        "wget" => files.extend(behind(&["-O"])),
        _ => {}
    }
    files
}
