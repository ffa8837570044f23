//! The mesh: the daemon, its unit, and membership with the address the spec says.
//!
//! In: nodes with the capability and an address in the mesh, where the profile pins `tailscale` and `tailscaled`; without
//! these pins the mesh is somebody else's to install. Out: both programs, our own unit, the key by reference, membership.

use desired::resource::{Owner, Resource, SecretPart, Want};
use desired::{AbsPath, Mode};

use super::{RenderError, pin};
use crate::model::{Capability, Mesh, Model, Node, Pins};

const UNIT: &str = "tailscaled.service";
/// The key it joins with; of no use to anybody once it was used.
const KEY: &str = "/etc/rootstock/mesh/key";
/// Programs with where they are installed.
const PROGRAMS: [(&str, &str); 2] =
    [("tailscale", "/usr/local/bin/tailscale"), ("tailscaled", "/usr/local/sbin/tailscaled")];
/// Ready when the daemon says so; its state outlives it, its addresses and routes go with it.
const UNIT_TEXT: &str = "\
[Unit]
Description=Node agent of the mesh
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart=/usr/local/sbin/tailscaled --state=/var/lib/tailscale/tailscaled.state --socket=/run/tailscale/tailscaled.sock
ExecStopPost=/usr/local/sbin/tailscaled --cleanup
RuntimeDirectory=tailscale
StateDirectory=tailscale
StateDirectoryMode=0700
Restart=on-failure

[Install]
WantedBy=multi-user.target
";

/// What a member of the mesh is given.
///
/// # Errors
/// If one of the two programs is not pinned, or not at the profile's version.
pub fn resources(model: &Model, node: &Node, pins: &Pins) -> Result<Vec<Resource>, RenderError> {
    let (Some(mesh), Some(address)) = (&model.network.mesh, node.mesh_address) else { return Ok(Vec::new()) };
    let has_programs = PROGRAMS.iter().all(|(name, _)| model.versions.contains_key(*name));
    if !node.os.family.is_linux() || !node.can(Capability::Mesh) || !has_programs {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (name, place) in PROGRAMS {
        all.push(program(model, node, pins, name, place)?);
    }
    all.push(Resource::new(Want::KernelModule { name: "tun".to_owned() }));
    all.push(Resource::new(Want::File {
        path: path(&format!("/etc/systemd/system/{UNIT}"))?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: UNIT_TEXT.to_owned(),
    }));
    let restart_on = all.iter().map(|resource| resource.id.clone()).collect();
    let unit = UNIT.parse().map_err(RenderError::invalid(UNIT))?;
    let unit =
        Resource::new(Want::Unit { name: unit, enabled: true, active: true, waits: false, restart_on });
    let key = key(mesh)?;
    let want = Want::Mesh {
        login_url: mesh.login_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        name: node.name.clone(),
        address,
        accept_dns: mesh.accept_dns,
        key: key.is_some().then(|| path(KEY)).transpose()?,
    };
    let member = Resource::new(want).after(&unit.id);
    all.extend(key);
    all.extend([unit, member]);
    Ok(all)
}

fn program(
    model: &Model,
    node: &Node,
    pins: &Pins,
    name: &str,
    place: &str,
) -> Result<Resource, RenderError> {
    let pin = pin(pins, name, node)?;
    let artifact = name.parse().map_err(RenderError::invalid(name))?;
    if let Some(wanted) = model.versions.get(name).filter(|wanted| **wanted != pin.version) {
        let (pinned, wanted) = (pin.version.clone(), wanted.clone());
        return Err(RenderError::StalePin { artifact, pinned, wanted, node: node.name.clone() });
    }
    Ok(Resource::new(Want::Artifact {
        path: path(place)?,
        mode: pin.mode,
        artifact,
        file: pin.file.clone(),
        version: Some(pin.version.clone()),
        pinned: pin.pinned.clone(),
    }))
}

fn key(mesh: &Mesh) -> Result<Option<Resource>, RenderError> {
    let Some(reference) = &mesh.auth_key else { return Ok(None) };
    Ok(Some(Resource::new(Want::SecretFile {
        path: path(KEY)?,
        mode: Mode::PRIVATE,
        owner: Owner::root(),
        parts: vec![SecretPart::Secret(reference.clone())],
    })))
}

fn path(text: &str) -> Result<AbsPath, RenderError> {
    text.parse().map_err(RenderError::invalid(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MeshKind, Pin};
    use crate::render::testing;
    use desired::{Arch, Digest, Pinned};

    fn model() -> Model {
        let mut model = testing::model();
        model.network.mesh = Some(Mesh {
            kind: MeshKind::Headscale,
            cidr: "100.64.0.0/16".parse().unwrap(),
            server: None,
            login_url: Some("https://mesh.example/".to_owned()),
            auth_key: Some("env:MESH_KEY".parse().unwrap()),
            accept_dns: false,
        });
        for (name, _) in PROGRAMS {
            model.versions.insert(name.parse().unwrap(), "1.84.0".to_owned());
        }
        let node = model.nodes.get_mut("pi-1").unwrap();
        node.mesh_address = Some("100.64.0.7".parse().unwrap());
        node.capabilities.insert(Capability::Mesh);
        model
    }

    fn pins(version: &str) -> Pins {
        let digest = Digest::sha256_of(b"");
        let of = |(name, _): (&str, &str)| {
            let pin = Pin {
                version: version.to_owned(),
                file: name.to_owned(),
                mode: Mode::EXECUTABLE,
                pinned: Pinned::File { digest: digest.clone(), size: None },
            };
            ((name.parse().unwrap(), Arch::Arm64), pin)
        };
        Pins::new(PROGRAMS.into_iter().map(of).collect())
    }

    #[test]
    fn a_member_has_the_programs_the_unit_the_key_and_its_address() {
        let model = model();
        let all = resources(&model, &model.nodes["pi-1"], &pins("1.84.0")).unwrap();
        let ids: Vec<&str> = all.iter().map(|resource| resource.id.as_str()).collect();
        assert!(
            ids.contains(&"unit:tailscaled.service") && ids.contains(&"secret-file:/etc/rootstock/mesh/key")
        );
        let Some(Want::Mesh { login_url, address, key, accept_dns, .. }) = all.last().map(|last| &last.want)
        else {
            panic!("{ids:?}")
        };
        assert_eq!(login_url.as_deref(), Some("https://mesh.example"), "as tailscale keeps it");
        assert_eq!((address.to_string().as_str(), key.as_ref().unwrap().as_str()), ("100.64.0.7", KEY));
        assert!(!accept_dns, "FIELD K35");
        desired::order::order(&all).unwrap();
    }

    #[test]
    fn who_is_no_member_or_has_no_pins_is_given_nothing_and_a_stale_pin_is_said() {
        let mut model = model();
        assert!(resources(&model, &model.nodes["pi-2"], &pins("1.84.0")).unwrap().is_empty());
        let stale = resources(&model, &model.nodes["pi-1"], &pins("1.83.0")).unwrap_err().to_string();
        assert!(stale.contains("1.83.0") && stale.contains("1.84.0"), "{stale}");
        model.versions.retain(|name, _| name.as_str() != "tailscaled");
        assert!(resources(&model, &model.nodes["pi-1"], &pins("1.84.0")).unwrap().is_empty());
    }
}
