//! The engine and the registry of the lab: both come up, an image for two architectures goes in and comes out.

use anyhow::Context as _;
use tests::lab::{Lab, Need, binfmt};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Registry];
    vec![
        Trial::new(Ring::Container, "engine::builds_both_architectures_into_the_registry", builds_both)
            .needs(&needs),
        Trial::new(Ring::Container, "engine::kernel_knows_the_other_architecture", |lab| {
            let said = lab.tool(binfmt::QEMU).arg("-version").run()?;
            assert!(said.text().contains("qemu"), "{}", said.text());
            Ok(())
        })
        .needs(&[Need::OtherArch]),
    ]
}

/// Without it, `docker buildx` fails with "Multi-platform build is not supported for the docker driver".
fn builds_both(lab: &Lab) -> anyhow::Result<()> {
    let folder = scratch()?;
    std::fs::write(
        folder.path().join("Dockerfile"),
        "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}.txt /arch.txt\n",
    )?;
    for arch in ["amd64", "arm64"] {
        std::fs::write(folder.path().join(format!("{arch}.txt")), arch)?;
    }
    let docker = || lab.engine().docker().folder(folder.path());
    let name = format!("{}/lab/arch:1", lab.registry().address());
    let build = docker().args([
        "buildx",
        "build",
        "--platform=linux/amd64,linux/arm64",
        "--provenance=false",
        "--push",
    ]);
    build.args(["--tag", &name, "."]).run()?;
    let index = docker().args(["buildx", "imagetools", "inspect", "--raw", &name]).run()?;
    let index: serde_json::Value = serde_json::from_slice(&index.stdout)?;
    let manifests = index["manifests"].as_array().context("an index lists manifests")?;
    let mut found: Vec<&str> =
        manifests.iter().filter_map(|entry| entry["platform"]["architecture"].as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["amd64", "arm64"]);
    for arch in ["amd64", "arm64"] {
        let platform = format!("linux/{arch}");
        docker().args(["pull", "--quiet", "--platform", &platform, &name]).run()?;
        let made = docker().args(["create", "--platform", &platform, &name, "none"]).run()?;
        let copied = folder.path().join(format!("from-{arch}"));
        docker().arg("cp").arg(format!("{}:/arch.txt", made.text())).arg(&copied).run()?;
        assert_eq!(std::fs::read_to_string(copied)?, arch);
    }
    Ok(())
}
