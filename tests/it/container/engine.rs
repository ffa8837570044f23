//! The engine and the registry of the lab: an image for two architectures goes in, comes out, and both halves run.

use anyhow::Context as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tests::lab::{Lab, Need, binfmt};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Registry, Need::Skopeo, Need::Crane];
    vec![
        Trial::new(Ring::Container, "engine::builds_both_architectures_into_the_registry", builds_both)
            .needs(&needs),
        Trial::new(Ring::Container, "engine::runs_both_architectures", runs_both).needs(&[
            Need::Engine,
            Need::Registry,
            Need::OtherArch,
        ]),
        Trial::new(Ring::Container, "engine::kernel_knows_the_other_architecture", |lab| {
            let said = lab.tool(binfmt::QEMU).arg("-version").run()?;
            assert!(said.text().contains("qemu"), "{}", said.text());
            Ok(())
        })
        .needs(&[Need::OtherArch]),
    ]
}

const ARCHES: [&str; 2] = ["amd64", "arm64"];

/// Without the containerd image store, buildx fails with "Multi-platform build is not supported for the docker driver".
fn builds_both(lab: &Lab) -> anyhow::Result<()> {
    let name = pushed(lab, "lab/index:1")?;
    let skopeo =
        lab.tool("skopeo").args(["inspect", "--raw", "--tls-verify=false"]).arg(format!("docker://{name}"));
    let crane = lab.tool("crane").args(["manifest", "--insecure", &name]);
    for reader in [skopeo, crane] {
        let index: serde_json::Value = serde_json::from_slice(&reader.run()?.stdout)?;
        let manifests = index["manifests"].as_array().context("an index lists manifests")?;
        let architecture =
            |entry: &serde_json::Value| entry["platform"]["architecture"].as_str().map(str::to_owned);
        let mut found: Vec<String> = manifests.iter().filter_map(architecture).collect();
        found.sort_unstable();
        assert_eq!(found, ARCHES, "{}", reader.line());
    }
    Ok(())
}

fn runs_both(lab: &Lab) -> anyhow::Result<()> {
    let name = pushed(lab, "lab/run:1")?;
    for arch in ARCHES {
        let platform = format!("linux/{arch}");
        let run = lab.engine().docker().args([
            "run",
            "--rm",
            "--pull=always",
            "--quiet",
            "--platform",
            &platform,
            &name,
        ]);
        assert_eq!(run.run()?.text(), arch);
    }
    Ok(())
}

/// Builds an image whose only file says its architecture, and pushes it.
fn pushed(lab: &Lab, name: &str) -> anyhow::Result<String> {
    let folder = scratch()?;
    let dockerfile = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH} /arch\nENTRYPOINT [\"/arch\"]\n";
    std::fs::write(folder.path().join("Dockerfile"), dockerfile)?;
    for (arch, machine, code) in [("amd64", 62, AMD64), ("arm64", 183, ARM64)] {
        write_program(&folder.path().join(arch), machine, code, arch)?;
    }
    let name = format!("{}/{name}", lab.registry().address());
    let build =
        lab.engine().docker().folder(folder.path()).args(["buildx", "build", "--provenance=false", "--push"]);
    build.args(["--platform=linux/amd64,linux/arm64", "--tag", &name, "."]).run()?;
    Ok(name)
}

/// write(1, text, 6); exit(0), with the text right behind the code.
const AMD64: &[u8] = &[
    0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, // mov eax, 1; mov edi, 1
    0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip + 16]
    0xba, 6, 0, 0, 0, 0x0f, 0x05, // mov edx, 6; syscall
    0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, // mov eax, 60; xor edi, edi; syscall
];
/// The same.
const ARM64: &[u8] = &[
    0x20, 0x00, 0x80, 0xd2, 0xe1, 0x00, 0x00, 0x10, // mov x0, 1; adr x1, +28
    0xc2, 0x00, 0x80, 0xd2, 0x08, 0x08, 0x80, 0xd2, // mov x2, 6; mov x8, 64
    0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0x80, 0xd2, // svc 0; mov x0, 0
    0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, // mov x8, 93; svc 0
];

/// The smallest static ELF program: one header, one segment, code and text.
fn write_program(path: &Path, machine: u16, code: &[u8], text: &str) -> anyhow::Result<()> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let body = [code, text.as_bytes(), b"\n"].concat();
    let size = HEADERS + u64::try_from(body.len())?;
    // 64 bits, little endian, version 1; then an executable for that machine.
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2, machine] {
        elf.extend(u16::to_le_bytes(half));
    }
    elf.extend(1_u32.to_le_bytes());
    // Entry behind the headers, program headers at 64, no sections.
    for long in [BASE + HEADERS, 64, 0] {
        elf.extend(u64::to_le_bytes(long));
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    // Load the whole file, readable and executable.
    for word in [1_u32, 5] {
        elf.extend(word.to_le_bytes());
    }
    for long in [0, BASE, BASE, size, size, 0x1_0000] {
        elf.extend(u64::to_le_bytes(long));
    }
    elf.extend(body);
    std::fs::write(path, elf)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}
