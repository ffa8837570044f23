use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use desired::Mode;
use tempfile::TempDir;

use super::*;
use crate::archive::tests::{noise, small_disk::SmallDisk};
use crate::archive::{gzip, pack_file, tar};
use crate::report::{Kind as Work, Report};

const EPOCH: u64 = 1_704_067_200;

/// A context folder and a Dockerfile in it.
struct Desk(TempDir);

impl Desk {
    fn new(dockerfile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("context/bin")).unwrap();
        for arch in Arch::ALL {
            let desk = folder.path().join("context");
            fs::write(desk.join(format!("bin/tool-{arch}")), format!("tool for {arch}")).unwrap();
        }
        let desk = Self(folder);
        desk.dockerfile(dockerfile);
        desk
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn dockerfile(&self, text: &str) {
        fs::write(self.path("Dockerfile"), text).unwrap();
    }
    fn file(&self, name: &str, mode: u32, content: impl AsRef<[u8]>) {
        let path = self.path("context").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fn build_to(
        &self,
        target: &Path,
        change: impl FnOnce(&mut Request<'_>),
    ) -> Result<(Layout, Summary), String> {
        let (dockerfile, context) = (self.path("Dockerfile"), self.path("context"));
        let mut request = Request {
            dockerfile: &dockerfile,
            context: &context,
            named_contexts: BTreeMap::new(),
            arches: Arch::ALL.to_vec(),
            arguments: BTreeMap::new(),
            labels: BTreeMap::from([("org.opencontainers.image.title".to_owned(), "test".to_owned())]),
            reference: "test:1".to_owned(),
            epoch: EPOCH,
            known: BTreeMap::new(),
            previous: None,
        };
        change(&mut request);
        let report = Report::recording();
        build(&request, target, &report.task(Work::Image, "test", None)).map_err(|error| error.to_string())
    }
    fn build(&self) -> Result<(Layout, Summary), String> {
        self.build_to(&self.path("layout"), |_| {})
    }
    fn error(&self, dockerfile: &str) -> String {
        self.dockerfile(dockerfile);
        let error = self.build().unwrap_err();
        let left: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().starts_with("layout")),
            "left behind: {left:?}"
        );
        error
    }
}

/// Path, mode, owner and content (or link target) of everything in layer `index` of the first image.
fn layer(layout: &Layout, index: usize) -> Vec<(String, String, (u32, u32), String)> {
    let (_, manifest) = &layout.manifests().unwrap()[0];
    let file = fs::File::open(layout.blob_path(&manifest.layers[index].digest)).unwrap();
    let mut found = Vec::new();
    tar::read(gzip::Reader::new(file), &tar::Limits::LAYER, |member| {
        let content = match &member.kind {
            tar::Kind::File => std::io::read_to_string(&mut *member)?,
            tar::Kind::Folder => "/".to_owned(),
            tar::Kind::Link(target) => format!("-> {target}"),
        };
        found.push((member.path.clone(), member.mode.to_string(), member.owner, content));
        Ok::<_, ArchiveError>(())
    })
    .unwrap();
    found
}

fn config(layout: &Layout, index: usize) -> ImageConfig {
    layout.document(&layout.manifests().unwrap()[index].1.config).unwrap()
}

fn row(path: &str, mode: &str, owner: (u32, u32), content: &str) -> (String, String, (u32, u32), String) {
    (path.to_owned(), mode.to_owned(), owner, content.to_owned())
}

#[test]
fn an_image_of_both_arches_is_complete() {
    let desk = Desk::new(
        "ARG WHO=world\nFROM scratch\nARG TARGETARCH WHO\nCOPY --chmod=0755 bin/tool-${TARGETARCH} /bin/tool\nENV GREETING=\"hello $WHO\" PATH=/bin:$PATH\nLABEL a=b org.opencontainers.image.title=overridden\nWORKDIR /work/here\nWORKDIR deeper\nUSER 65532:65532\nEXPOSE 80 53/udp 90-91\nVOLUME [\"/data\"]\nSTOPSIGNAL SIGINT\nENTRYPOINT [\"/bin/tool\"]\nCMD [\"$HOME\"]\n",
    );
    let (layout, summary) = desk.build().unwrap();
    let index: Index = layout.document(&layout.image).unwrap();
    assert_eq!(layout.image.annotations["org.opencontainers.image.ref.name"], "test:1");
    assert_eq!(index.annotations["org.opencontainers.image.title"], "test");
    let platforms: Vec<_> = index.manifests.iter().map(|one| one.platform.clone().unwrap()).collect();
    assert_eq!(platforms, Arch::ALL.map(spec::Platform::from));
    assert_eq!(platforms[1].variant.as_deref(), Some("v8"));

    let arm = config(&layout, 1);
    assert_eq!(
        (arm.architecture.as_str(), arm.os.as_str(), arm.variant.as_deref()),
        ("arm64", "linux", Some("v8"))
    );
    assert_eq!(arm.created.as_deref(), Some("2024-01-01T00:00:00Z"));
    let run = &arm.config;
    assert_eq!(run.entrypoint, ["/bin/tool"]);
    assert_eq!(run.cmd, ["$HOME"], "variables of commands belong to the container");
    assert_eq!(run.user, "65532:65532");
    assert_eq!(run.working_dir, "/work/here/deeper");
    assert_eq!(
        run.env,
        ["PATH=/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello world"]
    );
    assert_eq!(run.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp", "90/tcp", "91/tcp"]);
    assert_eq!(run.volumes.keys().collect::<Vec<_>>(), ["/data"]);
    assert_eq!(run.stop_signal, "SIGINT");
    assert_eq!(run.labels["a"], "b");
    assert_eq!(run.labels["org.opencontainers.image.title"], "test", "the caller's label wins");
    assert_eq!(arm.history.len(), 12);
    let with_layer = arm.history.iter().filter(|one| !one.empty_layer).count();
    assert_eq!((with_layer, arm.rootfs.diff_ids.len()), (3, 3));
    assert_eq!(summary.images[1].layers.len(), 3);
    assert_eq!((summary.packed, summary.reused), (4, 0), "folders are packed once for both");
    assert_eq!(
        layer(&layout, 0),
        [row("bin", "0755", (0, 0), "/"), row("bin/tool", "0755", (0, 0), "tool for amd64")]
    );
}

#[test]
fn diff_ids_and_blobs_are_what_their_names_say() {
    let desk = Desk::new("FROM scratch\nCOPY bin /bin\n");
    let (layout, _) = desk.build().unwrap();
    let (_, manifest) = &layout.manifests().unwrap()[0];
    let blob = fs::read(layout.blob_path(&manifest.layers[0].digest)).unwrap();
    assert_eq!(Sum::of(&blob).digest, manifest.layers[0].digest);
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut gzip::Reader::new(&blob[..]), &mut plain).unwrap();
    assert_eq!(config(&layout, 0).rootfs.diff_ids, [Sum::of(&plain).digest]);
    assert_eq!(fs::read(desk.path("layout/oci-layout")).unwrap(), br#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[test]
fn copies_follow_dockers_rules() {
    let desk = Desk::new(
        "FROM scratch\nCOPY --chown=10:20 tree/ /srv/data\nCOPY tree/a bin/tool-* /srv/data/\nCOPY tree/a /srv\nCOPY --chmod=700 tree/a renamed\nCOPY tree /\n",
    );
    desk.file("tree/a", 0o640, "A");
    desk.file("tree/sub/b", 0o755, "B");
    symlink("a", desk.path("context/tree/link")).unwrap();
    fs::set_permissions(desk.path("context/tree"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(desk.path("context/tree/sub"), fs::Permissions::from_mode(0o700)).unwrap();
    let (layout, _) = desk.build().unwrap();
    let theirs = (10, 20);
    assert_eq!(
        layer(&layout, 0),
        [
            row("srv", "0755", theirs, "/"),
            row("srv/data", "0750", theirs, "/"),
            row("srv/data/a", "0640", theirs, "A"),
            row("srv/data/link", "0777", theirs, "-> a"),
            row("srv/data/sub", "0700", theirs, "/"),
            row("srv/data/sub/b", "0755", theirs, "B"),
        ]
    );
    let second = layer(&layout, 1);
    assert_eq!(second[1], row("srv/data", "0750", theirs, "/"), "a folder that is there stays as it is");
    assert_eq!(second.len(), 5);
    assert_eq!(layer(&layout, 2)[1], row("srv/a", "0640", (0, 0), "A"));
    assert_eq!(layer(&layout, 3), [row("renamed", "0700", (0, 0), "A")]);
    assert_eq!(layer(&layout, 4)[0], row("a", "0640", (0, 0), "A"));
}

#[test]
fn a_gzipped_tar_at_the_root_is_the_layer_byte_for_byte() {
    let desk = Desk::new(
        "FROM scratch\nARG TARGETARCH\nADD bundle-${TARGETARCH}.tar.gz /\nENTRYPOINT [\"/rootstock/bootstrap\"]\n",
    );
    let mut known = BTreeMap::new();
    for arch in Arch::ALL {
        let entries = [tar::Entry::bytes("rootstock/bootstrap", Mode::EXECUTABLE, arch.to_string())];
        let path = desk.path(&format!("context/bundle-{arch}.tar.gz"));
        let sums = pack_file(&path, &entries, &Options::new(EPOCH), &|_| {}).unwrap();
        known.insert(path, sums);
    }
    let (layout, summary) = desk.build().unwrap();
    let bundle = fs::read(desk.path("context/bundle-amd64.tar.gz")).unwrap();
    assert_eq!(summary.images[0].layers, [Sum::of(&bundle)]);
    assert_eq!(layer(&layout, 0)[1], row("rootstock/bootstrap", "0755", (0, 0), "amd64"));
    let hinted = desk.build_to(&desk.path("hinted"), |request| request.known = known).unwrap();
    assert_eq!(hinted.1, summary, "sums given and sums read agree");
}

#[test]
fn other_archives_are_packed_again_below_their_target() {
    let desk = Desk::new("FROM scratch\nADD files.tar.gz /opt/x/\nADD bin/tool-amd64 /tool\n");
    let entries = [tar::Entry::bytes("d/f", Mode::PRIVATE, "F")];
    pack_file(&desk.path("context/files.tar.gz"), &entries, &Options::new(EPOCH), &|_| {}).unwrap();
    let (layout, _) = desk.build().unwrap();
    let paths: Vec<_> = layer(&layout, 0).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["opt", "opt/x", "opt/x/d", "opt/x/d/f"]);
    assert_eq!(layer(&layout, 1), [row("tool", "0644", (0, 0), "tool for amd64")]);
}

#[test]
fn the_same_inputs_give_the_same_layout_and_the_next_build_takes_its_layers() {
    let desk = Desk::new("FROM scratch\nARG TARGETARCH\nCOPY bin/tool-${TARGETARCH} /tool\nCOPY big /big\n");
    desk.file("big", 0o644, noise(300_000, 5));
    let (first, summary) = desk.build().unwrap();
    let (second, _) = desk.build_to(&desk.path("second"), |_| {}).unwrap();
    assert_eq!(first.image, second.image);
    let previous = desk.path("second");
    let (third, again) =
        desk.build_to(&desk.path("third"), |request| request.previous = Some(previous.clone())).unwrap();
    assert_eq!(first.image, third.image);
    assert_eq!((summary.packed, again.packed, again.reused), (3, 0, 3));
    // In place of itself, too.
    let layout = desk.path("layout");
    let (_, in_place) = desk.build_to(&layout, |request| request.previous = Some(layout.clone())).unwrap();
    assert_eq!(in_place.packed, 0);
    desk.file("big", 0o644, noise(300_000, 6));
    let (fourth, changed) =
        desk.build_to(&desk.path("fourth"), |request| request.previous = Some(previous.clone())).unwrap();
    assert_eq!((changed.packed, changed.reused), (1, 2));
    assert_ne!(first.image.digest, fourth.image.digest);
}

#[test]
fn a_damaged_previous_layout_is_not_trusted() {
    let desk = Desk::new("FROM scratch\nCOPY bin /bin\n");
    let (layout, _) = desk.build().unwrap();
    let blob = layout.blob_path(&layout.manifests().unwrap()[0].1.layers[0].digest);
    fs::write(&blob, "rot").unwrap();
    let previous = desk.path("layout");
    let (fresh, summary) =
        desk.build_to(&desk.path("fresh"), |request| request.previous = Some(previous.clone())).unwrap();
    assert_eq!(summary.packed, 1);
    assert_eq!(layer(&fresh, 0).len(), 3);
}

#[test]
fn every_refusal_names_line_instruction_and_reason() {
    let desk = Desk::new("");
    desk.file("folder/x", 0o644, "x");
    desk.file("setuid", 0o4755, "x");
    desk.file("a.tar.xz", 0o644, b"\xfd7zXZ\0rest");
    fs::write(desk.path("outside"), "secret").unwrap();
    symlink("../outside", desk.path("context/escape")).unwrap();
    for (lines, expected) in [
        ("COPY missing /x", "Dockerfile:2: COPY: missing is not in the context"),
        ("COPY ../outside /x", "2: COPY: ../outside climbs out of the context"),
        ("COPY folder/../../outside /x", "climbs out of the context"),
        ("COPY escape /x", "escape is a symbolic link out of the context"),
        ("ADD https://example.org/x.tar.gz /", "2: ADD: https://example.org/x.tar.gz is remote"),
        ("ADD a.tar.xz /", "does not unpack xz"),
        ("\nCOPY --from=builder x /x", "3: COPY: --from=builder is no named context"),
        ("COPY --chmod=u+x folder /x", "--chmod=u+x is not an octal mode"),
        ("COPY --chown=root folder /x", "--chown root must be numbers"),
        ("COPY setuid /x", "setuid, setgid or sticky"),
        ("COPY folder/x setuid /x", "write /x/"),
        ("COPY folder/x /x/../y", "climbs with `..`"),
        ("COPY folder/x /x\nCOPY folder /x", "3: COPY: /x is a file already"),
        ("COPY bin/tool-$TARGETARCH /x", "declare it with `ARG TARGETARCH`"),
        ("EXPOSE http", "http is no port"),
        ("USER someone\nWORKDIR /x", "USER someone must be numbers"),
        ("RUN true", "2: RUN: "),
    ] {
        let error = desk.error(&format!("FROM scratch\n{lines}\n"));
        assert!(error.contains(expected) && error.contains("Dockerfile:"), "{lines}: {error}");
    }
    desk.file(".dockerignore", 0o644, "*");
    assert!(desk.error("FROM scratch\nCOPY folder /x\n").contains(".dockerignore is not read"));
}

#[test]
fn a_hostile_archive_does_not_become_a_layer() {
    let desk = Desk::new("FROM scratch\nADD evil.tar.gz /\n");
    let entries = [tar::Entry::bytes("etc/.wh.passwd", Mode::PUBLIC, "")];
    pack_file(&desk.path("context/evil.tar.gz"), &entries, &Options::new(EPOCH), &|_| {}).unwrap();
    let error = desk.build().unwrap_err();
    assert!(error.contains("etc/.wh.passwd") && error.contains("deletion"), "{error}");
    assert!(!desk.path("layout").exists());
}

#[test]
fn a_full_disk_leaves_the_old_layout_and_nothing_else() {
    let Some(disk) = SmallDisk::mount(1024) else { return };
    let desk = Desk::new("FROM scratch\nCOPY bin /bin\n");
    let target = disk.path().join("layout");
    let (old, _) = desk.build_to(&target, |_| {}).unwrap();
    desk.dockerfile("FROM scratch\nCOPY big /big\n");
    desk.file("big", 0o644, noise(8 << 20, 11));
    let error = desk.build_to(&target, |_| {}).unwrap_err();
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!(disk.names(), ["layout"]);
    assert_eq!(Layout::open(&target).unwrap(), old);
    assert_eq!(layer(&old, 0).len(), 3);
}

#[test]
fn the_houses_own_images_build() {
    let desk = Desk::new("");
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images");
    for arch in Arch::ALL {
        desk.file(&format!("bin/bootstrap-{arch}"), 0o644, "binary");
        let entries = [tar::Entry::bytes("rootstock/bootstrap", Mode::EXECUTABLE, arch.to_string())];
        let path = desk.path(&format!("context/bundle-{arch}.tar.gz"));
        pack_file(&path, &entries, &Options::new(EPOCH), &|_| {}).unwrap();
    }
    for (name, program) in [("bundle", "/rootstock/bootstrap"), ("node-tools", "/bootstrap")] {
        desk.dockerfile(&fs::read_to_string(images.join(name).join("Dockerfile")).unwrap());
        let (layout, summary) = desk.build_to(&desk.path(name), |_| {}).unwrap();
        assert_eq!(config(&layout, 1).config.entrypoint, [program]);
        assert_eq!(summary.images[0].layers.len(), 1, "{name} is one layer");
        let program = program.trim_start_matches('/');
        assert!(layer(&layout, 0).iter().any(|(path, mode, ..)| path == program && mode == "0755"), "{name}");
    }
}
