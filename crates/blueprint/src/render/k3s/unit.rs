//! Our own units for k3s.
//!
//! In: a node's part. Out: `k3s.service` or `k3s-agent.service`, the names the vendor uses too, so that its
//! uninstaller, its documentation and gates on shares fit. Nothing in them is private (FIELD S5).

use desired::resource::{Owner, Resource, Want};
use desired::{Mode, UnitName};
use serde::Serialize;

use super::PROGRAM;
use crate::model::K3sRole;
use crate::render::{RenderError, template};

/// What the template is told.
#[derive(Debug, Serialize)]
struct Context {
    program: &'static str,
    command: &'static str,
}

/// The unit's name.
///
/// # Errors
/// Never for these two names.
pub fn name(role: K3sRole) -> Result<UnitName, RenderError> {
    let text = if role.is_server() { "k3s.service" } else { "k3s-agent.service" };
    text.parse().map_err(RenderError::invalid(text))
}

/// The unit's file.
///
/// # Errors
/// If the template fails.
pub fn file(role: K3sRole) -> Result<Resource, RenderError> {
    let path = format!("/etc/systemd/system/{}", name(role)?);
    let command = if role.is_server() { "server" } else { "agent" };
    Ok(Resource::new(Want::File {
        path: path.parse().map_err(RenderError::invalid(path.clone()))?,
        mode: Mode::PUBLIC,
        owner: Owner::root(),
        content: template::render("k3s/k3s.service", &Context { program: PROGRAM, command })?,
    }))
}
