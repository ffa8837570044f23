use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use desired::artifact::{Pinned, TakenOut};
use desired::observed::Answer;
use desired::plan::Plan;
use desired::resource::{Owner, PackageManager, SecretPart};
use desired::{AbsPath, Digest, Mode};

use super::*;

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// Who these tests run as, as the node below `root` would call them.
fn owner(root: &Path) -> Owner {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let name = |id: u32| if id == 0 { "root".to_owned() } else { "me".to_owned() };
    put(root, "etc/passwd", &format!("root:x:0:0::/root:/bin/sh\nme:x:{user}:{group}::/:/bin/sh\n"));
    put(root, "etc/group", &format!("root:x:0:\nme:x:{group}:\n"));
    Owner { user: name(user), group: name(group) }
}

fn path(text: &str) -> AbsPath {
    text.parse().unwrap()
}

fn packages(manager: PackageManager, name: &str) -> Want {
    Want::Packages { manager, names: [name.to_owned()].into(), files: BTreeMap::new() }
}

fn plan(root: &Path, wants: impl IntoIterator<Item = Want>) -> String {
    let resources: Vec<Resource> = wants.into_iter().map(Resource::new).collect();
    let seen = all(&Root::open(root).unwrap(), &resources, &History::default(), &AtHand::default());
    Plan::make(&resources, &seen).unwrap().to_text()
}

#[test]
fn an_empty_root_needs_everything() {
    let folder = tempfile::tempdir().unwrap();
    let text = plan(
        folder.path(),
        [
            Want::Hostname { name: "rpi-01".parse().unwrap() },
            packages(PackageManager::Apt, "nfs-common"),
            packages(PackageManager::Dnf, "nfs-utils"),
            Want::KernelModule { name: "vxlan".to_owned() },
            Want::Sysctl { key: "vm.swappiness".to_owned(), value: "10".to_owned() },
            Want::Directory { path: path("/srv/x"), mode: Mode::EXECUTABLE, owner: Owner::root() },
            Want::Unit {
                name: "k3s.service".parse().unwrap(),
                enabled: true,
                active: true,
                waits: false,
                restart_on: [].into(),
            },
        ],
    );
    for line in [
        "+ hostname             name rpi-01\n",
        "> packages:apt         the running node installs nfs-common\n",
        "> packages:dnf         the running node installs nfs-utils\n",
        "+ kernel-module:vxlan  at boot no → yes\n",
        "+ sysctl:vm.swappiness  at boot 10\n",
        "+ directory:/srv/x",
        "> unit:k3s.service its unit comes with a package or from fstab, on the running node\n",
        "4 to create, 0 to update, 0 to remove, 0 unknown, 0 as desired, 3 left to others\n",
    ] {
        let squeezed =
            |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        assert!(squeezed(&text).contains(&squeezed(line)), "{line}{text}");
    }
}

const PREPARED: &str = "> hostname  the kernel takes it when the node starts\n\
    nothing to do, 4 as desired, 1 left to others\n";

#[test]
fn a_prepared_root_needs_nothing_that_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let owner = owner(root);
    put(root, "etc/hostname", "# ours\nrpi-01\n");
    put(root, "etc/motd", "hello\n");
    put(root, "etc/fstab", "x\n# BEGIN rootstock mounts\na\n# END rootstock mounts\n");
    put(root, "var/lib/dpkg/status", "Package: nfs-common\nStatus: install ok installed\n");
    put(root, "run/secrets/nas", "hunter2\n");
    put(root, "etc/samba/credentials", "password=hunter2\n");
    fs::set_permissions(root.join("etc/samba/credentials"), fs::Permissions::from_mode(0o600)).unwrap();
    let reference = SecretPart::Secret("file:/run/secrets/nas".parse().unwrap());
    let secret = |secret: SecretPart| Want::SecretFile {
        path: path("/etc/samba/credentials"),
        mode: Mode::PRIVATE,
        owner: owner.clone(),
        parts: vec![SecretPart::Text("password=".to_owned()), secret, SecretPart::Text("\n".to_owned())],
    };
    let file = |content: &str| Want::File {
        path: path("/etc/motd"),
        mode: Mode::PUBLIC,
        owner: owner.clone(),
        content: content.to_owned(),
    };
    let wants = [
        Want::Hostname { name: "rpi-01".parse().unwrap() },
        packages(PackageManager::Apt, "nfs-common"),
        file("hello\n"),
        Want::ManagedBlock {
            path: path("/etc/fstab"),
            name: "mounts".to_owned(),
            comment: "#".to_owned(),
            content: "a\n".to_owned(),
        },
        secret(reference),
    ];
    assert_eq!(plan(root, wants), PREPARED);
    let text =
        plan(root, [file("hullo\n"), secret(SecretPart::Secret("infisical:/samba/NAS".parse().unwrap()))]);
    assert!(text.contains("~ file:/etc/motd") && !text.contains("hunter2"), "{text}");
    assert!(text.contains("its content depends on infisical:/samba/NAS, which is not set here; run this under `infisical run"), "{text}");
}

#[test]
fn an_artifact_pinned_by_its_download_is_as_desired_only_with_its_note() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, "usr/local/bin/mise", "the program");
    fs::set_permissions(root.join("usr/local/bin/mise"), fs::Permissions::from_mode(0o755)).unwrap();
    // Artifacts are root's; below this root that is whoever runs the tests.
    let me = fs::metadata(root).unwrap();
    put(root, "etc/passwd", &format!("root:x:{}:0::/:\n", me.uid()));
    put(root, "etc/group", &format!("root:x:{}:\n", me.gid()));
    let download = Digest::sha256_of(b"tgz");
    let want = || Want::Artifact {
        path: path("/usr/local/bin/mise"),
        mode: Mode::EXECUTABLE,
        artifact: "mise".parse().unwrap(),
        file: "mise".to_owned(),
        version: None,
        pinned: Pinned::Downloads([download.clone()].into()),
    };
    assert!(plan(root, [want()]).contains("~ artifact:/usr/local/bin/mise"));
    let note = TakenOut { download: download.clone(), digest: Digest::sha256_of(b"the program") };
    put(root, "var/lib/rootstock/artifacts/mise.json", &note.to_json());
    assert_eq!(plan(root, [want()]), "nothing to do, 1 as desired\n");
    put(root, "var/lib/rootstock/artifacts/mise.json", "{");
    assert!(plan(root, [want()]).contains("~ artifact:/usr/local/bin/mise"));
}

#[test]
fn boot_files_and_unit_links_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, "etc/modules-load.d/k8s.conf", "# for pods\nbr-netfilter\n");
    put(root, "usr/lib/sysctl.d/50-x.conf", "vm.swappiness=60\n");
    put(root, "etc/sysctl.d/60-x.conf", "vm/swappiness = 10\n");
    put(root, "etc/systemd/system/k3s.service", "[Unit]\n");
    fs::create_dir_all(root.join("etc/systemd/system/multi-user.target.wants")).unwrap();
    symlink(
        "/etc/systemd/system/k3s.service",
        root.join("etc/systemd/system/multi-user.target.wants/k3s.service"),
    )
    .unwrap();
    symlink("/dev/null", root.join("etc/systemd/system/off.service")).unwrap();
    let unit = |name: &str| Want::Unit {
        name: name.parse().unwrap(),
        enabled: true,
        active: true,
        waits: false,
        restart_on: [].into(),
    };
    let text = plan(
        root,
        [
            Want::KernelModule { name: "br_netfilter".to_owned() },
            Want::Sysctl { key: "vm.swappiness".to_owned(), value: "10".to_owned() },
            unit("k3s.service"),
            unit("off.service"),
        ],
    );
    assert!(text.contains("masked yes → no, enabled no → yes"), "{text}");
    assert_eq!(text.matches(NOT_LIVE).count(), 2, "{text}");
    assert!(text.contains("> unit:k3s.service            it starts with the node"), "{text}");
}

#[test]
fn a_link_out_of_the_root_is_not_followed() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    put(outer.path(), "hostname", "the-desk\n");
    fs::create_dir_all(root.join("etc")).unwrap();
    symlink("../../hostname", root.join("etc/hostname")).unwrap();
    symlink("/proc/1/root", root.join("srv")).unwrap();
    let observed = all(
        &Root::open(&root).unwrap(),
        &[
            Resource::new(Want::Hostname { name: "pc".parse().unwrap() }),
            Resource::new(Want::Directory {
                path: path("/srv/etc"),
                mode: Mode::EXECUTABLE,
                owner: Owner::root(),
            }),
        ],
        &History::default(),
        &AtHand::default(),
    );
    assert_eq!(
        observed.into_values().collect::<Vec<_>>(),
        [
            Observed::Directory { entry: desired::observed::Entry::Absent },
            Observed::Hostname { name: None, now: Answer::later("the kernel takes it when the node starts") },
        ]
    );
}
