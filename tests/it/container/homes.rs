//! A person's home filled by the real chezmoi as that person, and the system around a container joined from inside it.

use super::carried::{self, JOIN, PLAN, run};
use anyhow::{Context as _, ensure};
use desired::resource::{Owner, Resource, Want};
use desired::{FileSet, Mode};
use std::collections::BTreeMap;
use tests::lab::node::{Network, Node as Machine, Options};
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node};
use tests::programs::{answering, expect, said};
use tests::ring::{Ring, Trial};

const SOURCE: &str = "/usr/local/share/rootstock/chezmoi";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node, Need::Chezmoi, Need::Mise];
    vec![
        Trial::new(Ring::Container, "homes::chezmoi_and_mise_run_as_the_person", filled).needs(&needs),
        Trial::new(Ring::Container, "homes::killed_at_each_line_it_is_the_same_home", killed)
            .needs(&needs)
            .long(),
    ]
}

/// A source with a file that is new, one that replaces, and one in a folder that is not there.
fn resources(tools: &[(&str, &str)]) -> anyhow::Result<Vec<Resource>> {
    let file = |name: &str, content: &str| -> anyhow::Result<Resource> {
        let (mode, owner) = (Mode::PUBLIC, Owner::root());
        let path = format!("{SOURCE}/{name}").parse()?;
        Ok(Resource::new(Want::File { path, mode, owner, content: content.to_owned() }))
    };
    let user = "pi".to_owned();
    let tools: BTreeMap<String, String> =
        tools.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
    Ok(vec![
        Resource::new(Want::Mise { user: user.clone(), tools }),
        Resource::new(Want::Chezmoi { user, source: SOURCE.parse()? }),
        file("dot_profile", "ours on {{ .chezmoi.hostname }}\n")?,
        file("dot_greeting.tmpl", "{{ .chezmoi.username }} on {{ .chezmoi.hostname }}\n")?,
        file("dot_config/deep/trial.toml", "a = 1\n")?,
    ])
}

/// The machine with a person, both tools and our program; not where join puts it, so that leave takes only its own.
fn machine<'lab>(lab: &'lab Lab, network: &Network<'_>) -> anyhow::Result<Machine<'lab>> {
    let machine = Machine::start(lab, NODE, network, &Options::default())?;
    machine.said("useradd", &["--create-home", "--shell", "/bin/sh", "pi"])?;
    machine.said("sh", &["-c", "echo mine >/home/pi/.profile; chown pi:pi /home/pi/.profile"])?;
    let mut files = FileSet::new();
    for (name, path) in
        [("usr/local/bin/chezmoi", lab.path("chezmoi")), ("usr/local/bin/mise", lab.path("mise"))]
    {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        files.insert(name, Mode::EXECUTABLE, bytes)?;
    }
    machine.place(&files)?;
    carried::program(&machine)?;
    // A version that is there, as mise itself keeps them.
    let tool =
        "d=/home/pi/.local/share/mise/installs/node/22.1.0/bin; mkdir -p $d; chown -R pi:pi /home/pi/.local";
    machine.said("sh", &["-c", tool])?;
    // A person's own plugin, which can make its tool without a network.
    let plugin = "d=/home/pi/.local/share/mise/plugins/trial/bin; mkdir -p $d; cd $d; \
                  printf '#!/bin/sh\\necho 1.0.0 1.1.0\\n' >list-all; \
                  printf '#!/bin/sh\\nmkdir -p $ASDF_INSTALL_PATH/bin\\n\
                  echo \"#!/bin/sh\\necho trial $ASDF_INSTALL_VERSION\" >$ASDF_INSTALL_PATH/bin/trial\\n\
                  chmod 755 $ASDF_INSTALL_PATH/bin/trial\\n' >install; \
                  chmod 755 *; chown -R pi:pi /home/pi/.local";
    machine.said("sh", &["-c", plugin])?;
    // Asked the first time, mise makes folders of its own.
    machine.said("runuser", &["-u", "pi", "--", "env", "HOME=/home/pi", "mise", "ls"])?;
    Ok(machine)
}

/// Every file with its digest, and everything else, where a home or a program of ours may be.
const LISTING: &str =
    "find /home /root /usr/local -printf '%p %m %u:%g %l ' -type f -exec sha256sum {} \\; -o -print | sort";

fn filled(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = machine(lab, &network)?;
    let before = machine.said("sh", &["-c", LISTING])?;
    let desk = Node::new(&resources(&[("node", "22.1.0")])?)?;
    let joined = run(&machine, &desk, &JOIN)?;
    expect(&joined, 0, &["done     chezmoi:pi", "converged"])?;
    ensure!(!said(&joined).contains("mise:pi"), "mise has what is wanted: {}", said(&joined));
    for (path, text) in [
        ("/home/pi/.profile", "ours on {{ .chezmoi.hostname }}"),
        ("/home/pi/.greeting", "pi on rpi-01"),
        ("/home/pi/.config/deep/trial.toml", "a = 1"),
    ] {
        ensure!(machine.read(path)?.trim() == text, "{path}: {}", machine.read(path)?);
        // FIELD C9.
        ensure!(
            machine.said("stat", &["-c", "%U:%G", path])?.trim() == "pi:pi",
            "{path} is not the person's"
        );
    }
    expect(&run(&machine, &desk, &JOIN)?, 0, &["nothing to do"])?;
    // The person edits a file: that is drift, by the file's name and without its text.
    machine.said("sh", &["-c", "echo secret-note >>/home/pi/.greeting"])?;
    let plan = run(&machine, &desk, &PLAN)?;
    expect(&plan, 3, &["~ chezmoi:pi", "/home/pi/.greeting"])?;
    ensure!(!said(&plan).contains("secret-note"), "{}", said(&plan));
    expect(&run(&machine, &desk, &["leave", "--yes"])?, 7, &["kept      file:/home/pi/.greeting"])?;
    expect(&run(&machine, &desk, &["leave", "--yes", "--force"])?, 0, &["the journal is gone"])?;
    let after = machine.said("sh", &["-c", LISTING])?;
    ensure!(before == after, "after leave:\n{}", difference(&before, &after));
    installed(&machine, &before)?;
    // A tool that nobody can fetch here, and a user who is not there: everything else is done.
    let mut all = resources(&[("node", "22.2.0")])?;
    all.push(Resource::new(Want::Chezmoi { user: "ghost".to_owned(), source: SOURCE.parse()? }));
    let desk = Node::new(&all)?;
    let failed = run(&machine, &desk, &JOIN)?;
    expect(&failed, 1, &["install node@22.2.0", "no user `ghost`"])?;
    ensure!(machine.read("/home/pi/.greeting")?.trim() == "pi on rpi-01", "the home of pi waits for others");
    Ok(())
}

/// A tool that is not there yet is made by mise, as the person; given back, only mise's own notes and links stay.
fn installed(machine: &Machine<'_>, before: &str) -> anyhow::Result<()> {
    let desk = Node::new(&resources(&[("node", "22.1.0"), ("trial", "1.1.0")])?)?;
    expect(&run(machine, &desk, &PLAN)?, 3, &["mise:pi", "trial"])?;
    expect(&run(machine, &desk, &JOIN)?, 0, &["done     mise:pi", "converged"])?;
    let place = "/home/pi/.local/share/mise/installs/trial/1.1.0/bin/trial";
    ensure!(machine.said(place, &[])?.trim() == "trial 1.1.0", "another tool");
    ensure!(machine.said("stat", &["-c", "%U", place])?.trim() == "pi", "it is not the person's");
    expect(&run(machine, &desk, &JOIN)?, 0, &["nothing to do"])?;
    expect(&run(machine, &desk, &["leave", "--yes"])?, 0, &["the journal is gone"])?;
    let notes =
        ["/home/pi/.cache", "share/mise/downloads", "share/mise/shims", ".mise-installs.toml", "./22.1.0"];
    let mut lines = machine.said("sh", &["-c", LISTING])?;
    lines = lines
        .lines()
        .filter(|line| !notes.iter().any(|note| line.contains(note)))
        .fold(String::new(), |text, line| text + line + "\n");
    let (was, is) = (before.trim_end(), lines.trim_end());
    ensure!(was == is, "after leave:\n{}", difference(was, is));
    Ok(())
}

/// Killed at each line of its journal: the next join makes the same home, and leave gives it back all the same.
fn killed(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = machine(lab, &network)?;
    let before = machine.said("sh", &["-c", LISTING])?;
    let desk = Node::new(&resources(&[("node", "22.1.0")])?)?;
    let bootstrap =
        |words: &[&str]| answering(machine.call("/opt/bootstrap")).args(words.iter().copied()).run();
    // chezmoi notes there when it did what.
    let list = || -> anyhow::Result<String> {
        let text = machine.said("sh", &["-c", LISTING])?;
        Ok(text
            .lines()
            .filter(|line| !line.contains("chezmoistate.boltdb"))
            .map(|line| format!("{line}\n"))
            .collect())
    };
    expect(&run(&machine, &desk, &JOIN)?, 0, &["converged"])?;
    let joined = list()?;
    expect(&bootstrap(&["leave", "--yes"])?, 0, &[])?;
    let mut killed = 0;
    for lines in 1..40 {
        let script = format!(
            "/opt/bootstrap {} >/tmp/said 2>&1 & pid=$!\n\
             until [ $(wc -l </var/lib/rootstock/journal.jsonl 2>/dev/null || echo 0) -ge {lines} ] || ! kill -0 $pid 2>/dev/null; do :; done\n\
             kill -9 $pid 2>/dev/null; wait $pid; echo $?",
            JOIN.join(" ")
        );
        let is_killed = machine.said("sh", &["-c", &script])?.trim().ends_with("137");
        killed += u32::from(is_killed);
        expect(&bootstrap(&JOIN)?, 0, &["converged"])?;
        let found = list()?;
        ensure!(joined == found, "killed at line {lines}:\n{}", difference(&joined, &found));
        expect(&bootstrap(&["leave", "--yes"])?, 0, &["the journal is gone"])?;
        let after = machine.said("sh", &["-c", LISTING])?;
        ensure!(before == after, "killed at line {lines} and left:\n{}", difference(&before, &after));
        if !is_killed {
            break;
        }
    }
    ensure!(killed >= 8, "it was caught alive {killed} times");
    Ok(())
}

fn difference(one: &str, other: &str) -> String {
    let lines = |from: &str, not_in: &str, sign: char| -> String {
        let all: std::collections::BTreeSet<&str> = not_in.lines().collect();
        from.lines().filter(|line| !all.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    lines(one, other, '-') + &lines(other, one, '+')
}
