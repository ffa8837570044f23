//! What a user would notice of the mounts family.

use desired::resource::{Resource, SecretPart, Want};

use crate::model::{Model, Pins, ShareKind};
use crate::render::fixture::model;

fn rendered(model: &Model, node: &str) -> Vec<Resource> {
    super::resources(model, &model.nodes[node], &Pins::default()).unwrap()
}

/// The text of the file or block at `path`.
fn text(resources: &[Resource], path: &str) -> String {
    let found = resources.iter().find_map(|resource| match &resource.want {
        Want::File { path: at, content, .. } | Want::ManagedBlock { path: at, content, .. }
            if at.as_str() == path =>
        {
            Some(content.clone())
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {path} in {resources:#?}"))
}

fn units(resources: &[Resource]) -> Vec<&str> {
    let name = |resource: &'_ Resource| matches!(resource.want, Want::Unit { .. });
    resources.iter().filter(|one| name(one)).map(|one| one.id.as_str()).collect()
}

#[test]
fn a_persons_machine_gets_one_fstab_line_that_never_holds_up_a_boot() {
    let model = model();
    let all = rendered(&model, "maker");
    // FIELD M2, M3, M10, M11, M15
    assert_eq!(
        text(&all, "/etc/fstab"),
        "//100.64.0.1/nas /mnt/my\\040nas cifs rw,vers=3.1.1,hard,nosuid,nodev,credentials=/etc/samba/credentials/nas,uid=ada,gid=ada,_netdev,nofail,x-systemd.automount,x-systemd.mount-timeout=30s,x-systemd.idle-timeout=600s,x-systemd.requires=tailscaled.service 0 0\n"
    );
    assert_eq!(units(&all), ["unit:mnt-my\\x20nas.automount", "unit:rootstock-mounts.service"]);
}

#[test]
fn a_k3s_node_gets_units_named_as_systemd_wants_and_no_line_for_the_same_place() {
    let model = model();
    let all = rendered(&model, "worker");
    assert!(!all.iter().any(|resource| matches!(resource.want, Want::ManagedBlock { .. })));
    let mount = text(&all, "/etc/systemd/system/mnt-media\\x2ddata.mount");
    assert!(mount.contains("\nWhere=/mnt/media-data\n") && mount.contains("\nTimeoutSec=30s\n"), "{mount}");
    assert!(mount.contains("Requires=tailscaled.service\nAfter=tailscaled.service\n"), "{mount}");
    let automount = text(&all, "/etc/systemd/system/mnt-media\\x2ddata.automount");
    assert!(automount.contains("TimeoutIdleSec=600s\n"), "{automount}");
    // the spec says k3s.service, which has another name on an agent, and docker.service, which is not here
    assert!(!all.iter().any(|resource| resource.id.as_str().contains("docker")), "{all:#?}");
    let gate = text(&all, "/etc/systemd/system/k3s-agent.service.d/10-rootstock-mounts.conf");
    assert!(gate.contains("RequiresMountsFor=/mnt/media-data\n"), "{gate}");
}

#[test]
fn over_the_lan_nothing_waits_for_the_mesh() {
    let mut model = model();
    model.shares.get_mut("nas").unwrap().via = crate::model::Via::Lan;
    let line = text(&rendered(&model, "maker"), "/etc/fstab");
    assert!(line.starts_with("//192.168.7.1/nas ") && !line.contains("tailscaled"), "{line}");
}

#[test]
fn the_password_is_a_reference_in_a_file_of_its_own() {
    let all = rendered(&model(), "maker");
    let Some(Want::SecretFile { mode, parts, .. }) = all
        .iter()
        .map(|resource| &resource.want)
        .find(|want| want.id().as_str() == "secret-file:/etc/samba/credentials/nas")
    else {
        panic!("no credentials");
    };
    assert_eq!(mode.to_string(), "0600");
    assert_eq!(
        *parts,
        [
            SecretPart::Text("username=ada\npassword=".to_owned()),
            SecretPart::Secret("infisical:/samba/PASSWORD".parse().unwrap()),
            SecretPart::Text("\n".to_owned()),
            SecretPart::Text("domain=LAB\n".to_owned()),
        ]
    );
}

#[test]
fn services_wait_for_a_real_file_system_and_are_asked_for_again() {
    let all = rendered(&model(), "maker");
    let gate = text(&all, "/etc/systemd/system/docker.service.d/10-rootstock-mounts.conf");
    assert!(gate.contains("RequiresMountsFor=\"/mnt/my nas\"\n"), "{gate}");
    assert!(gate.contains("findmnt --noheadings --types cifs,smb3 --mountpoint \"/mnt/my nas\"\n"), "{gate}");
    let waiter = text(&all, "/etc/systemd/system/rootstock-mounts.service");
    // A join is not held up by a server that is away: the unit goes on waiting without it.
    let waiting = all.iter().filter(|one| matches!(one.want, Want::Unit { waits: true, .. }));
    assert_eq!(waiting.map(|one| one.id.to_string()).collect::<Vec<_>>(), ["unit:rootstock-mounts.service"]);
    for line in [
        "After=network-online.target multi-user.target",
        "ExecStart=-/usr/bin/systemctl start --no-block docker.service",
        "ExecStart=/usr/local/bin/bootstrap wait-mount --timeout-secs 150 \"/mnt/my nas\"",
        "TimeoutStartSec=180s",
        "StartLimitIntervalSec=0",
    ] {
        assert!(waiter.lines().any(|at| at == line), "{line} in {waiter}");
    }
}

#[test]
fn the_server_mounts_its_disk_by_uuid_and_makes_folders_only_on_it() {
    let all = rendered(&model(), "store");
    assert_eq!(
        text(&all, "/etc/fstab"),
        "UUID=1234-5678 /media/ada/my\\040nas xfs defaults,nofail,nosuid,nodev,x-systemd.device-timeout=30s 0 0\n"
    );
    let mounted = "unit:media-ada-my\\x20nas.mount";
    let folder = all.iter().find(|one| one.id.as_str() == "directory:/media/ada/my nas/data").unwrap();
    assert!(folder.after.iter().any(|earlier| earlier.as_str() == mounted), "{folder:?}");
    for unit in ["smbd", "docker"] {
        let gate = text(&all, &format!("/etc/systemd/system/{unit}.service.d/10-rootstock-mounts.conf"));
        assert!(gate.contains("--types xfs --mountpoint"), "{gate}");
    }
}

#[test]
fn exports_name_one_network_and_keep_root_out() {
    let mut model = model();
    let share = model.shares.get_mut("nas").unwrap();
    share.kind = ShareKind::Nfs;
    share.read_only = true;
    share.fsid = Some(7);
    let all = rendered(&model, "store");
    let exports = text(&all, "/etc/exports.d/rootstock.exports");
    assert_eq!(
        exports.lines().last().unwrap(),
        "/media/ada/my\\040nas 192.168.7.0/24(ro,sync,no_subtree_check,root_squash,mountpoint,fsid=7)"
    );
    let line = text(&rendered(&model, "maker"), "/etc/fstab");
    assert!(
        line.starts_with("100.64.0.1:/media/ada/my\\040nas /mnt/my\\040nas nfs ro,vers=3.1.1,"),
        "{line}"
    );
    assert!(!line.contains("credentials"), "{line}");
}

#[test]
fn a_comma_in_an_option_and_a_drive_letter_are_refused() {
    let mut model = model();
    model.shares.get_mut("nas").unwrap().options = vec!["a,b".to_owned()];
    let refused = |model: &Model| {
        super::resources(model, &model.nodes["maker"], &Pins::default()).unwrap_err().to_string()
    };
    assert!(refused(&model).contains("write it as two"), "{}", refused(&model));
    model.shares.get_mut("nas").unwrap().clients.insert("maker".parse().unwrap(), "Z:".to_owned());
    assert!(refused(&model).contains("must start with `/`"), "{}", refused(&model));
}

#[test]
fn other_systems_mount_in_other_ways() {
    assert!(rendered(&model(), "mac").is_empty());
}
