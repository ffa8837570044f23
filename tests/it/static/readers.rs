//! The readers themselves: a reader that likes everything proves nothing, so each is shown a good and a broken file.

use std::path::PathBuf;
use tempfile::TempDir;
use tests::consumers::chezmoi::Machine;
use tests::consumers::{chezmoi, engine, mise, mounts, shell, units};
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("readers::{name}"), body)
    };
    vec![
        trial("systemd_notices_a_relative_path", systemd_notices_a_relative_path)
            .needs(&[Need::SystemdAnalyze]),
        trial("findmnt_notices_a_torn_line", findmnt_notices_a_torn_line).needs(&[Need::Findmnt]),
        trial("the_shells_notice_syntax_and_quoting", the_shells_notice_syntax_and_quoting)
            .needs(&[Need::Shellcheck]),
        trial("dockerd_notices_an_unknown_key", dockerd_notices_an_unknown_key).needs(&[Need::Dockerd]),
        trial("chezmoi_is_every_machine_in_turn", chezmoi_is_every_machine_in_turn).needs(&[Need::Chezmoi]),
        trial("chezmoi_notices_a_key_nobody_set", chezmoi_notices_a_key_nobody_set).needs(&[Need::Chezmoi]),
        trial("mise_lists_the_tasks_of_a_folder", mise_lists_the_tasks_of_a_folder).needs(&[Need::Mise]),
    ]
}

/// A folder with one file.
fn with_file(name: &str, text: &str) -> anyhow::Result<(TempDir, PathBuf)> {
    let folder = scratch()?;
    let path = folder.path().join(name);
    std::fs::write(&path, text)?;
    Ok((folder, path))
}

/// The message of a reader that ought to have refused.
fn refusal<T>(judged: anyhow::Result<T>) -> anyhow::Result<String> {
    match judged {
        Ok(_) => anyhow::bail!("the reader accepted a broken file"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

fn systemd_notices_a_relative_path(lab: &Lab) -> anyhow::Result<()> {
    let service = |mounts: &str| {
        format!("[Unit]\nDescription=x\nRequiresMountsFor={mounts}\n[Service]\nExecStart=/opt/x\n")
    };
    let (folder, _) = with_file("good.service", &service("/mnt/data"))?;
    units::verify(lab, folder.path(), &["/opt/x"])?;
    assert!(refusal(units::verify(lab, folder.path(), &[]))?.contains("/opt/x is not executable"));
    // FIELD M5: systemd ignores the line, prints a remark and ends with 0 where the rest is fine.
    let (folder, _) = with_file("broken.service", &service("$HOME/data"))?;
    assert!(refusal(units::verify(lab, folder.path(), &["/opt/x"]))?.contains("not absolute"));
    Ok(())
}

fn findmnt_notices_a_torn_line(lab: &Lab) -> anyhow::Result<()> {
    let (_folder, path) =
        with_file("fstab", "nas:/a /mnt/nas nfs4 _netdev,nofail,x-systemd.automount 0 0\n")?;
    mounts::verify(lab, &path)?;
    let (_folder, path) = with_file("fstab", "nas:/a /mnt/nas nfs4 nofail 0 0\ntorn\n")?;
    assert!(refusal(mounts::verify(lab, &path))?.contains("parse error at line 2"));
    let twice = "nas:/a /mnt/nas nfs4 nofail 0 0\nnas:/b /mnt/nas nfs4 nofail 0 0\n";
    let (_folder, path) = with_file("fstab", twice)?;
    assert!(refusal(mounts::verify(lab, &path))?.contains("more than once"));
    Ok(())
}

fn the_shells_notice_syntax_and_quoting(lab: &Lab) -> anyhow::Result<()> {
    let (_folder, path) = with_file("good.sh", "#!/bin/sh\nset -eu\necho \"$1\"\n")?;
    shell::verify(lab, &path)?;
    let (_folder, path) = with_file("torn.sh", "#!/bin/sh\nif true; then\n")?;
    assert!(refusal(shell::verify(lab, &path))?.contains("sh -n"));
    let (_folder, path) = with_file("unquoted.sh", "#!/bin/sh\nrm $1\n")?;
    assert!(refusal(shell::verify(lab, &path))?.contains("SC2086"));
    Ok(())
}

fn dockerd_notices_an_unknown_key(lab: &Lab) -> anyhow::Result<()> {
    let (_folder, path) = with_file("daemon.json", r#"{"log-driver": "local", "live-restore": true}"#)?;
    engine::verify(lab, &path)?;
    let (_folder, path) = with_file("daemon.json", r#"{"log-drivr": "local"}"#)?;
    assert!(refusal(engine::verify(lab, &path))?.contains("log-drivr"));
    Ok(())
}

const PI: Machine<'static> = Machine { hostname: "rpi-03", os: "linux", arch: "arm64" };
const LAPTOP: Machine<'static> = Machine { hostname: "writer", os: "darwin", arch: "arm64" };

fn chezmoi_is_every_machine_in_turn(lab: &Lab) -> anyhow::Result<()> {
    let text = "{{ .chezmoi.hostname }} {{ .chezmoi.os }}/{{ .chezmoi.arch }}\n";
    let (source, _) = with_file("dot_who.tmpl", text)?;
    std::fs::write(
        source.path().join("run_once_hello.sh.tmpl"),
        "#!/bin/sh\ntouch ran-{{ .chezmoi.hostname }}\n",
    )?;
    for machine in [PI, LAPTOP] {
        let home = chezmoi::apply(lab, source.path(), machine)?;
        let expected = format!("{} {}/{}\n", machine.hostname, machine.os, machine.arch);
        assert_eq!(std::fs::read_to_string(home.path().join(".who"))?, expected);
        assert!(!home.path().join(format!("ran-{}", machine.hostname)).exists(), "a script was run");
        let state = chezmoi::dump(lab, source.path(), machine)?;
        let script = state["hello.sh"]["contents"].as_str().unwrap_or_default();
        assert!(
            script.contains(&format!("ran-{}", machine.hostname)),
            "the dump has no rendered script: {state}"
        );
    }
    assert_eq!(chezmoi::execute_template(lab, source.path(), PI, "{{ .chezmoi.hostname }}")?, "rpi-03");
    Ok(())
}

fn chezmoi_notices_a_key_nobody_set(lab: &Lab) -> anyhow::Result<()> {
    // FIELD C3: the default never gets its turn.
    let (source, _) = with_file("dot_x.tmpl", "{{ .docker.version | default \"27\" }}\n")?;
    assert!(refusal(chezmoi::apply(lab, source.path(), PI))?.contains("no entry for key"));
    // FIELD C1: a question without a terminal fails instead of waiting.
    let question = "{{ promptString \"name\" }}";
    refusal(chezmoi::execute_template(lab, source.path(), PI, question))?;
    Ok(())
}

fn mise_lists_the_tasks_of_a_folder(lab: &Lab) -> anyhow::Result<()> {
    let text = "[tools]\nchezmoi = \"2.62.0\"\n[tasks.\"deploy:gitea\"]\nrun = \"true\"\n[tasks.check]\nrun = \"true\"\n";
    let (folder, _) = with_file("mise.toml", text)?;
    assert_eq!(mise::tasks(lab, folder.path())?, ["check", "deploy:gitea"]);
    assert_eq!(mise::tools(lab, folder.path())?["chezmoi"][0]["requested_version"], "2.62.0");
    let (folder, _) = with_file("mise.toml", "[tasks.check\nrun = \"true\"\n")?;
    refusal(mise::tasks(lab, folder.path()))?;
    Ok(())
}
