//! fstab, and lines for it that scripts write.
//!
//! In: lines. Out: findings on what they mount, how, and with what.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::facts::Facts;
use super::report::{Report, lines};
use crate::finding::rules::{foreign as rule, share, trust};

pub(crate) fn judge(text: &str, facts: &Facts<'_>, report: &mut Report<'_>) {
    for (span, line) in lines(text) {
        self::line(line, &span, facts, report);
    }
}

/// One mount. In a script `span` is the whole command that writes it.
pub(crate) fn line(line: &str, span: &Range<usize>, facts: &Facts<'_>, report: &mut Report<'_>) {
    let mut fields = line.split_whitespace();
    let (Some(device), Some(_), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
        report.at(&rule::NOT_ITS_KIND, span.clone(), "a line has a device, a folder, a type and options");
        return;
    };
    let options: Vec<&str> = fields.next().unwrap_or_default().split(',').collect();
    let is_remote = matches!(kind, "cifs" | "smb3" | "nfs" | "nfs4" | "fuse.sshfs");
    if is_remote && !options.contains(&"nofail") && !options.contains(&"noauto") {
        report.at(&rule::MOUNT_WITHOUT_NOFAIL, span.clone(), "`nofail` is missing");
    }
    let ordered = options
        .iter()
        .any(|option| option.starts_with("x-systemd.requires=") || option.starts_with("x-systemd.after="));
    if let Some(address) = server(device)
        && in_mesh(address, facts)
        && !ordered
    {
        let message = format!("{address} is the mesh's, and nothing waits for the mesh");
        report.at(&rule::MOUNT_BEFORE_MESH, span.clone(), message);
    }
    for option in options {
        let (word, value) = option.split_once('=').unwrap_or((option, ""));
        match word {
            "credentials" | "cred" if value.starts_with("/home/") || value.starts_with(['~', '$']) => {
                let message = "the credentials lie in a person's home";
                report.at(&rule::HOME_CREDENTIALS, span.clone(), message);
            }
            "password" | "pass" | "password2" => {
                report.at(&trust::SECRET_OPTION, span.clone(), "a password stands in a mount option");
            }
            "bg" => {
                let message = "`bg` reports success before the share is there";
                report.at(&share::BACKGROUND_OPTION, span.clone(), message);
            }
            _ => {}
        }
    }
    if ["/dev/sd", "/dev/mmcblk", "/dev/nvme"].iter().any(|name| device.starts_with(name)) {
        report.at(&share::DEVICE_NAME, span.clone(), format!("`{device}` can be another device tomorrow"));
    }
}

/// The address in `//ADDRESS/share` and `ADDRESS:/folder`.
fn server(device: &str) -> Option<Ipv4Addr> {
    let smb = device.strip_prefix("//").and_then(|rest| rest.split('/').next());
    smb.or_else(|| device.split_once(":/").map(|(host, _)| host))?.parse().ok()
}

fn in_mesh(address: Ipv4Addr, facts: &Facts<'_>) -> bool {
    facts.model.network.mesh.as_ref().is_some_and(|mesh| mesh.cidr.contains(&address))
}
