//! The images of `build-images` in the hands of others: a registry, skopeo, a Docker engine, and buildx as a rival.

use anyhow::{Context as _, ensure};
use host::oci::layout::Layout;
use host::oci::spec::ImageConfig;
use host::process::Invocation;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tests::desk::{CLUSTER, Desk};
use tests::lab::registry::{LOGIN, Registry};
use tests::lab::{Lab, Need};
use tests::programs::{answering, bootstrap, said};
use tests::ring::{Ring, Trial};

pub const ARCHES: [&str; 2] = ["amd64", "arm64"];
pub const IMAGES: [&str; 2] = ["bundle", "node-tools"];

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Registry, Need::Skopeo, Need::OtherArch];
    vec![
        Trial::new(Ring::Container, "images::pushed_pulled_and_run_on_both_architectures", pushed)
            .needs(&needs),
        Trial::new(Ring::Container, "images::buildx_makes_the_same_files", rivals).needs(&[Need::Engine]),
        Trial::new(Ring::Container, "images::a_bundle_is_verified_and_planned", |_| bundle()),
        Trial::new(Ring::Container, "images::a_push_logs_in_through_dockers_credential_helper", |_| login())
            .needs(&[Need::Registry]),
    ]
}

fn pushed(lab: &Lab) -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let registry = lab.registry().address();
    desk.edit("[registries", &format!("[registries.\"{registry}\"]\nhttp = true\n\n[registries"))?;
    let output = desk.call(&desk.out())?.arg("--push").arg(format!("{registry}/trial")).run()?;
    ensure!(output.code == 0, "{}", said(&output));
    for image in IMAGES {
        let name = format!("{registry}/trial/{CLUSTER}-{image}:{}", env!("CARGO_PKG_VERSION"));
        ensure!(output.text().contains(&format!("pushed {name}")), "{}", said(&output));
        let layout = format!("oci:{}", desk.out().join(CLUSTER).join("images").join(image).display());
        for place in [layout, format!("docker://{name}")] {
            let skopeo = lab.tool("skopeo").args(["inspect", "--raw", "--tls-verify=false", &place]).run()?;
            let index: serde_json::Value = serde_json::from_slice(&skopeo.stdout)?;
            let found: Vec<_> = index["manifests"].as_array().context("no index")?.iter().collect();
            let platforms: Vec<_> = found.iter().map(|entry| &entry["platform"]["architecture"]).collect();
            ensure!(platforms == ["amd64", "arm64"], "{place}: {index}");
        }
        for arch in ARCHES {
            let run = lab.engine().docker().args(["run", "--rm", "--pull=always", "--quiet", "--platform"]);
            let said = run.arg(format!("linux/{arch}")).args([name.as_str(), "version"]).run()?.text();
            ensure!(said.contains(arch), "{name} on {arch} says: {said}");
        }
    }
    Ok(())
}

/// `docker login` leaves the name of a helper in Docker's configuration; a script of ours stands in for it.
fn login() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let registry = Registry::start_locked().map_err(|missing| anyhow::anyhow!("{missing:?}"))?;
    let address = registry.address();
    desk.edit("[registries", &format!("[registries.\"{address}\"]\nhttp = true\n\n[registries"))?;
    let (user, password) = LOGIN;
    let helper = format!(
        "#!/bin/sh\nread -r key\n[ \"$1 $key\" = 'get {address}' ] || {{ echo 'credentials not found in native keychain'; exit 1; }}\n\
         echo '{{\"ServerURL\":\"{address}\",\"Username\":\"{user}\",\"Secret\":\"{password}\"}}'\n"
    );
    let folder = desk.folder().join("docker");
    std::fs::create_dir(&folder)?;
    let program = folder.join("docker-credential-lab");
    std::fs::write(&program, helper)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", folder.display(), std::env::var("PATH")?);
    let push = |config: &str| -> anyhow::Result<_> {
        std::fs::write(folder.join("config.json"), config)?;
        let call = desk.call(&desk.out())?.arg("--push").arg(format!("{address}/trial"));
        Ok(call.env("DOCKER_CONFIG", &folder).env("PATH", &path).run()?)
    };
    let output = push("{}")?;
    ensure!(output.code == 5 && said(&output).contains(&address), "exit {}:\n{}", output.code, said(&output));
    let output = push(&format!(r#"{{"credHelpers":{{"{address}":"lab"}}}}"#))?;
    ensure!(
        output.code == 0 && output.text().contains("pushed "),
        "exit {}:\n{}",
        output.code,
        said(&output)
    );
    ensure!(!said(&output).contains(password), "the password is told");
    Ok(())
}

/// Both engines read the same Dockerfiles; what a container sees must not tell which one built it.
fn rivals(lab: &Lab) -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (ours, theirs) = (desk.folder().join("ours"), desk.folder().join("theirs"));
    for (engine, out) in [("embedded", &ours), ("buildx", &theirs)] {
        let call = desk.call_with(engine, out)?.env("DOCKER_HOST", lab.engine().address());
        let output = call.run()?;
        ensure!(output.code == 0, "{engine}: {}", said(&output));
    }
    for image in IMAGES {
        let open = |out: &Path| Layout::open(&out.join(CLUSTER).join("images").join(image));
        let (ours, theirs) = (contents(&open(&ours)?)?, contents(&open(&theirs)?)?);
        ensure!(ours.keys().eq(ARCHES), "{:?}", ours.keys());
        for (arch, (files, config)) in &ours {
            let (their_files, their_config) = theirs.get(arch).context("buildx built no such platform")?;
            similar(files, their_files).with_context(|| format!("{image} for {arch}"))?;
            ensure!(
                config.os == their_config.os && config.architecture == their_config.architecture,
                "{arch}"
            );
            let (our_run, their_run) = (&config.config, &their_config.config);
            ensure!(our_run == their_run, "{image} for {arch}:\n{our_run:#?}\n{their_run:#?}");
        }
    }
    Ok(())
}

/// Path → mode and digest.
pub type Files = BTreeMap<String, (u32, String)>;

pub fn similar(ours: &Files, theirs: &Files) -> anyhow::Result<()> {
    ensure!(ours.keys().eq(theirs.keys()), "other files:\n{:#?}\n{:#?}", ours.keys(), theirs.keys());
    for (path, ours) in ours {
        ensure!(Some(ours) == theirs.get(path), "{path}: {ours:?}, buildx: {:?}", theirs.get(path));
    }
    Ok(())
}

/// What each platform of a layout holds, unpacked by tar.
pub fn contents(layout: &Layout) -> anyhow::Result<BTreeMap<String, (Files, ImageConfig)>> {
    let mut contents = BTreeMap::new();
    for (_, manifest) in layout.manifests()? {
        let config: ImageConfig = layout.document(&manifest.config)?;
        let root = tests::programs::scratch()?;
        for layer in &manifest.layers {
            let blob = layout.blob_path(&layer.digest);
            Invocation::new("tar").args(["-xzpf"]).arg(&blob).arg("-C").arg(root.path()).run()?;
        }
        let mut files = Files::new();
        for file in host::tree::files(root.path())? {
            let below = file.strip_prefix(root.path())?.display().to_string();
            let digest = desired::Digest::sha256_of(&std::fs::read(&file)?).to_string();
            files.insert(below, (file.metadata()?.permissions().mode() & 0o7777, digest));
        }
        contents.insert(config.architecture.clone(), (files, config));
    }
    Ok(contents)
}

fn bundle() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let output = desk.build()?;
    ensure!(output.code == 0, "{}", said(&output));
    let archive = desk.out().join(CLUSTER).join("bundle-amd64.tar.gz");
    let (unpacked, empty) = (desk.folder().join("unpacked"), desk.folder().join("empty"));
    std::fs::create_dir(&unpacked)?;
    std::fs::create_dir(&empty)?;
    Invocation::new("tar").args(["-xzpf"]).arg(&archive).arg("-C").arg(&unpacked).run()?;
    let folder = unpacked.join("rootstock");
    // The very program of the bundle, not one built for tests.
    let program = || answering(Invocation::new(folder.join("bootstrap")));
    for place in [&archive, &folder] {
        let output = program().arg("verify").arg(place).run()?;
        ensure!(output.code == 0, "{}", said(&output));
    }
    let plan = || program().args(["plan", "--node", "pc"]).arg("--root").arg(&empty);
    let text = plan().run()?;
    ensure!(text.code == 0 && text.text().contains("hostname"), "{}", said(&text));
    ensure!(plan().arg("--detailed-exitcode").run()?.code == 3, "changes are pending");
    serde_json::from_slice::<serde_json::Value>(&plan().arg("--json").run()?.stdout)?;
    let resources = folder.join("nodes/pc/resources.json");
    let text = std::fs::read_to_string(&resources)?;
    std::fs::write(&resources, text.replacen("pc", "pd", 1))?;
    let output = bootstrap()?.arg("verify").arg(&folder).run()?;
    ensure!(output.code == 6 && said(&output).contains("nodes/pc/resources.json"), "{}", said(&output));
    Ok(())
}
