//! What a person does with the output of `build-images`: bake it again, read it with crane, wait for a mount with it.

use super::images::{ARCHES, IMAGES, contents, similar};
use anyhow::{Context as _, ensure};
use desired::Arch;
use host::oci::bake::Target;
use host::oci::layout::Layout;
use host::process::Invocation;
use std::path::{Path, PathBuf};
use tests::desk::{CLUSTER, Desk};
use tests::lab::{Lab, Need};
use tests::programs::{answering, said, scratch};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Container, format!("by_hand::{name}"), body)
    };
    vec![
        trial("bake_builds_what_we_built", bake).needs(&[Need::Engine]),
        trial("bake_takes_every_sign_as_text", signs).needs(&[Need::Engine]),
        trial("crane_reads_the_layouts_and_what_was_pushed", crane).needs(&[Need::Registry, Need::Crane]),
        trial("node_tools_wait_for_a_mount_on_both_architectures", wait_mount).needs(&[
            Need::Engine,
            Need::Registry,
            Need::OtherArch,
        ]),
    ]
}

fn layout(out: &Path, image: &str) -> PathBuf {
    out.join(CLUSTER).join("images").join(image)
}

/// The very line of the guide, in the output folder, with nothing but an engine.
fn bake(lab: &Lab) -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let output = desk.build()?;
    ensure!(output.code == 0, "{}", said(&output));
    let folder = desk.out().join(CLUSTER);
    lab.engine().docker().folder(&folder).args(["buildx", "bake", "-f", "docker-bake.json"]).run()?;
    for image in IMAGES {
        let theirs = desk.folder().join(image);
        std::fs::create_dir(&theirs)?;
        let archive = folder.join("images").join(format!("{image}.oci.tar"));
        Invocation::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&theirs).run()?;
        let ours = contents(&Layout::open(&layout(&desk.out(), image))?)?;
        let theirs = contents(&Layout::open(&theirs)?)?;
        ensure!(ours.keys().eq(ARCHES) && theirs.keys().eq(ARCHES), "{:?}", theirs.keys());
        for (arch, (files, config)) in &ours {
            let (their_files, their_config) = theirs.get(arch).context("compared above")?;
            similar(files, their_files).with_context(|| format!("{image} for {arch}"))?;
            ensure!(config.config == their_config.config, "{image} for {arch}: {their_config:#?}");
        }
    }
    Ok(())
}

/// FIELD B9: what begins a template of its own language is text to buildx.
fn signs(lab: &Lab) -> anyhow::Result<()> {
    let folder = scratch()?;
    // As in an output folder; bake opens its outputs even to print.
    std::fs::create_dir(folder.path().join("images"))?;
    let key = "org.opencontainers.image.description";
    let text = "quotes \" and ${braces} and %{percent}, too";
    let target = Target {
        name: "node-tools".to_owned(),
        arches: Arch::ALL.to_vec(),
        reference: "vnext/node-tools:0.1.0".to_owned(),
        labels: [(key.to_owned(), text.to_owned())].into(),
        epoch: 1_704_067_200,
    };
    std::fs::write(folder.path().join("docker-bake.json"), host::oci::bake::render(&[target]))?;
    let call = lab.engine().docker().folder(folder.path());
    let output = call.args(["buildx", "bake", "-f", "docker-bake.json", "--print"]).run()?;
    let read: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let tools = &read["target"]["node-tools"];
    ensure!(tools["labels"][key] == text, "{read:#}");
    ensure!(tools["platforms"] == serde_json::json!(["linux/amd64", "linux/arm64"]), "{read:#}");
    Ok(())
}

/// Builds the images and pushes them; answers with the desk and the name that each image has in the registry.
fn pushed(lab: &Lab) -> anyhow::Result<(Desk, [String; 2])> {
    let desk = Desk::new()?;
    let registry = lab.registry().address();
    desk.edit("[registries", &format!("[registries.\"{registry}\"]\nhttp = true\n\n[registries"))?;
    let output = desk.call(&desk.out())?.arg("--push").arg(format!("{registry}/hand")).run()?;
    ensure!(output.code == 0, "{}", said(&output));
    let name = |image| format!("{registry}/hand/{CLUSTER}-{image}:{}", env!("CARGO_PKG_VERSION"));
    Ok((desk, IMAGES.map(name)))
}

fn crane(lab: &Lab) -> anyhow::Result<()> {
    let (desk, names) = pushed(lab)?;
    let crane = |arguments: &[&str]| {
        lab.tool("crane").args(arguments.iter().copied()).arg("--insecure").run().map(|output| output.text())
    };
    for (image, name) in IMAGES.into_iter().zip(&names) {
        let folder = layout(&desk.out(), image);
        let index: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("index.json"))?)?;
        let ours = index["manifests"][0]["digest"].as_str().context("the layout names its index")?;
        // Every layer is fetched and held against its digests and the config's list of them.
        crane(&["validate", "--remote", name])?;
        ensure!(crane(&["digest", name])? == ours, "{name} is not what the layout names, {ours}");
        let manifest: serde_json::Value = serde_json::from_str(&crane(&["manifest", name])?)?;
        let platforms: Vec<_> = manifest["manifests"].as_array().into_iter().flatten().collect();
        ensure!(platforms.len() == ARCHES.len(), "{manifest}");
        // Its own reading of the folder ends in the same bytes as our push.
        let again = format!("{name}-by-crane");
        let folder = folder.display().to_string();
        crane(&["push", "--index", &folder, &again])?;
        crane(&["validate", "--remote", &again])?;
    }
    Ok(())
}

/// FIELD M6–M8: an init container that waits for a share ends well once it is there, and with 1 when it never comes.
fn wait_mount(lab: &Lab) -> anyhow::Result<()> {
    let (_desk, [_, name]) = pushed(lab)?;
    let wait = ["wait-mount", "/data", "--timeout-secs", "3", "--interval-secs", "1"];
    for arch in ARCHES {
        let platform = format!("linux/{arch}");
        let run = |mount: &[&str]| {
            let call = lab.engine().docker().args([
                "run",
                "--rm",
                "--pull=always",
                "--quiet",
                "--platform",
                &platform,
            ]);
            answering(call.args(mount.iter().copied()).arg(&name).args(wait)).run()
        };
        let there = run(&["--tmpfs", "/data"])?;
        ensure!(
            there.code == 0 && there.text().contains("/data is mounted (tmpfs)"),
            "{arch}: {}",
            said(&there)
        );
        let absent = run(&[])?;
        ensure!(
            absent.code == 1 && said(&absent).contains("/data"),
            "{arch}: exit {}, {}",
            absent.code,
            said(&absent)
        );
    }
    Ok(())
}
