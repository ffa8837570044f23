use super::*;
use crate::resource::{Owner, PackageManager, SecretPart};
use crate::types::Mode;

fn file(path: &str, content: &str) -> Resource {
    Resource::new(Want::File {
        path: path.parse().unwrap(),
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: content.to_owned(),
    })
}
fn folder(path: &str) -> Resource {
    Resource::new(Want::Directory {
        path: path.parse().unwrap(),
        mode: Mode::EXECUTABLE,
        owner: Owner::root(),
    })
}
fn unit(name: &str, restart_on: &[&Resource]) -> Resource {
    Resource::new(Want::Unit {
        name: name.parse().unwrap(),
        enabled: true,
        active: true,
        waits: false,
        restart_on: restart_on.iter().map(|resource| resource.id.clone()).collect(),
    })
}
fn names(resources: &[Resource]) -> Vec<String> {
    order(resources).unwrap().iter().map(|resource| resource.id.to_string()).collect()
}

#[test]
fn kinds_imply_an_order_whatever_came_first() {
    let secret = Resource::new(Want::SecretFile {
        path: "/etc/samba/credentials/nas".parse().unwrap(),
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret("env:NAS".parse().unwrap())],
    });
    let packages = Resource::new(Want::Packages {
        manager: PackageManager::Apt,
        names: ["cifs-utils".to_owned()].into(),
        files: std::collections::BTreeMap::new(),
    });
    let fstab = Resource::new(Want::ManagedBlock {
        path: "/etc/fstab".parse().unwrap(),
        name: "mounts".to_owned(),
        comment: "#".to_owned(),
        content: "//nas/a /mnt cifs credentials=/etc/samba/credentials/nas\n".to_owned(),
    });
    let mut all = vec![
        unit("mnt.automount", &[&fstab]),
        fstab,
        file("/etc/systemd/system/a.service.d/10-mounts.conf", ""),
        unit("a.service", &[]),
        secret,
        folder("/etc/samba/credentials"),
        packages,
        folder("/etc/samba"),
    ];
    let needed = needs(&all).unwrap();
    let of = |id: &str| {
        let (_, needed) = needed.iter().find(|(one, _)| one.as_str() == id).unwrap();
        needed.iter().map(|id| id.as_str()).collect::<Vec<_>>()
    };
    let credentials = "secret-file:/etc/samba/credentials/nas";
    assert_eq!(of(credentials), ["directory:/etc/samba", "directory:/etc/samba/credentials"]);
    assert_eq!(of("unit:mnt.automount"), ["managed-block:/etc/fstab#mounts", "packages:apt", credentials]);
    let wanted = [
        "packages:apt",
        "directory:/etc/samba",
        "directory:/etc/samba/credentials",
        "secret-file:/etc/samba/credentials/nas",
        "file:/etc/systemd/system/a.service.d/10-mounts.conf",
        "managed-block:/etc/fstab#mounts",
        "unit:a.service",
        "unit:mnt.automount",
    ];
    for turn in 0..all.len() {
        assert_eq!(names(&all), wanted, "turned {turn}");
        all.rotate_left(1);
    }
}

#[test]
fn what_is_declared_beats_the_kinds() {
    let mounted = unit("mnt.mount", &[]);
    let inside = file("/mnt/readme", "").after(&mounted.id);
    assert_eq!(names(&[inside, mounted]), ["unit:mnt.mount", "file:/mnt/readme"]);
}

#[test]
fn a_cycle_is_spelled_out() {
    let a = file("/a", "");
    let service = unit("s.service", &[&a]);
    let b = file("/b", "").after(&service.id);
    let a = a.after(&b.id);
    let error = order(&[a, b, service, file("/free", "")]).unwrap_err().to_string();
    assert!(error.ends_with("file:/a → file:/b → unit:s.service → file:/a"), "{error}");
    let own = file("/a", "");
    let id = own.id.clone();
    let error = order(&[own.after(&id)]).unwrap_err().to_string();
    assert!(error.ends_with("file:/a → file:/a"), "{error}");
}

#[test]
fn contradictions_are_refused() {
    let twice = [file("/a", "1"), file("/a", "2")];
    assert_eq!(order(&twice).unwrap_err().to_string(), "file:/a is wanted twice on one node");
    let contested = [file("/a", ""), folder("/a")];
    let error = order(&contested).unwrap_err().to_string();
    assert_eq!(error, "directory:/a and file:/a contend for one path");
    let lost = unit("a.service", &[&file("/gone", "")]);
    assert!(order(&[lost]).unwrap_err().to_string().contains("file:/gone, which this node does not have"));
    let mut misnamed = file("/a", "");
    misnamed.id = folder("/a").id;
    assert!(order(&[misnamed]).unwrap_err().to_string().contains("named wrongly"));
}
