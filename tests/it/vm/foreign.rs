//! The bundle of the other architecture, joined by the program in it (FIELD K30).

use anyhow::ensure;
use tests::lab::{Lab, Need};
use tests::node::{difference, whole_tree};
use tests::programs::said;
use tests::ring::{Ring, Trial};
use tests::vm::bundle::GuestBundle;
use tests::vm::foreign::{ARCH, Foreign};

const PROGRAM: &str = "/media/stick/bootstrap";

pub fn trials() -> Vec<Trial> {
    let needs = [Need::OtherArch, Need::ForeignRoot];
    vec![Trial::new(Ring::Vm, "foreign::the_other_bundle_joins_under_its_own_programs", joins).needs(&needs)]
}

fn joins(lab: &Lab) -> anyhow::Result<()> {
    let board = Foreign::new(lab, &GuestBundle::of(lab)?.stick(ARCH))?;
    ensure!(board.sh("dpkg --print-architecture")? == ARCH.as_str(), "the root is of another architecture");
    let run = |words: &[&str], code: i32| -> anyhow::Result<String> {
        let output = board.call(&[&[PROGRAM], words].concat()).run()?;
        ensure!(output.code == code, "{} ends with {}: {}", words.join(" "), output.code, said(&output));
        Ok(said(&output))
    };
    run(&["plan", "--node", "board", "--detailed-exitcode"], 3)?;
    run(&["join", "--yes", "--node", "board"], 0)?;
    run(&["plan", "--node", "board", "--detailed-exitcode"], 0)?;
    run(&["status"], 0)?;
    let installed =
        "dpkg-query -W -f '${db:Status-Status} ${Package}:${Architecture}\\n' curl keyutils tzdata";
    let installed = board.sh(installed)?;
    for package in ["curl:arm64", "keyutils:arm64", "tzdata:all"] {
        ensure!(installed.contains(&format!("installed {package}")), "{installed}");
    }
    ensure!(board.sh("cat /etc/hostname")? == "board", "its name is another");
    let config = board.sh("cat /boot/firmware/config.txt")?;
    ensure!(config.starts_with("[all]\narm_64bit=1\n") && config.contains("kernel=kernel8.img"), "{config}");
    // The program is there without the bundle, and is of the node's architecture.
    ensure!(board.sh("/usr/local/bin/bootstrap version")?.contains("bootstrap"), "it does not run");
    let before = whole_tree(board.root())?;
    run(&["join", "--yes", "--node", "board"], 0)?;
    let after = whole_tree(board.root())?;
    ensure!(before == after, "the second join writes: {}", difference(&before, &after));
    Ok(())
}
