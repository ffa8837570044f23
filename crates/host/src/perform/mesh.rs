//! Membership of a mesh: logged in with a key that is in no argument, and the address that came compared with the spec's.
//!
//! tailscale(1). The coordinator gives the address and no node can ask for one, so another one is an error that says
//! where it is changed, never a second try.

use std::time::{Duration, Instant};

use desired::observed::MeshState;
use desired::resource::{Resource, Want};

use super::{PerformError, Performer, Undone};
use crate::journal::{After, Before, More};
use crate::observe::mesh::state;
use crate::process::{Invocation, ProcessError};
use crate::root::Root;

/// How long a daemon that was just started may take to answer.
const START: Duration = Duration::from_secs(30);
/// How often it is asked.
const GLANCE: Duration = Duration::from_millis(500);
/// How long the coordinator may take to let a node in; tailscale's own limit, so that it says why.
const LOGIN: &str = "--timeout=60s";

impl Performer<'_> {
    pub(super) fn mesh(&mut self, resource: &Resource) -> Result<(), PerformError> {
        let Want::Mesh { login_url, .. } = &resource.want else { return Ok(()) };
        let earlier = answering()?;
        let more = More::Mesh { member: earlier.is_member() };
        let before = Before { place: None, more: Some(more) };
        self.change(&resource.id, before, None, |_| {
            if !earlier.is_member() {
                log_in(&resource.want)?;
            } else if earlier.login_url != *login_url {
                return Err(mesh_error(
                    "this node is a member of another mesh",
                    "take it out there with `tailscale logout`, then join again",
                ));
            }
            settle(&resource.want)?;
            Ok(After::default())
        })
    }
}

/// The state, once the daemon tells it.
fn answering() -> Result<MeshState, PerformError> {
    let deadline = Instant::now() + START;
    loop {
        match state() {
            // Before it has read its own notes it knows nothing.
            Ok(state) if state.state != "NoState" => return Ok(state),
            Ok(_) | Err(_) if Instant::now() < deadline => std::thread::sleep(GLANCE),
            Ok(state) => return Ok(state),
            Err(why) => {
                let fix = "`systemctl status tailscaled` says more";
                return Err(PerformError::Mesh { why, fix: fix.to_owned() });
            }
        }
    }
}

fn log_in(want: &Want) -> Result<(), PerformError> {
    let Want::Mesh { login_url, name, accept_dns, key, .. } = want else { return Ok(()) };
    let call =
        tailscale("up").args([LOGIN, &format!("--hostname={name}"), &format!("--accept-dns={accept_dns}")]);
    let call = login_url.iter().fold(call, |call, url| call.arg(format!("--login-server={url}")));
    // The file's name alone is on the command line.
    let call = key.iter().fold(call, |call, path| call.arg(format!("--auth-key=file:{path}")));
    match call.run() {
        Ok(_) => Ok(()),
        Err(error @ ProcessError::Failed { .. }) => Err(refused(&error, key.is_some())),
        Err(error) => Err(error.into()),
    }
}

/// Why the coordinator did not let it in.
fn refused(error: &ProcessError, has_key: bool) -> PerformError {
    let said = error.tail().trim().replace('\n', "; ");
    let waits_for_approval = state().is_ok_and(|state| state.state == "NeedsMachineAuth");
    let (why, fix) = match said.as_str() {
        _ if waits_for_approval => (
            "the coordinator holds this node back until somebody approves it",
            "approve it there, then join again",
        ),
        _ if !has_key => (
            "the coordinator wants a key",
            "name one by reference in the profile (network.mesh.auth-key), then join again",
        ),
        // FIELD K18.
        said if ["key", "not found", "unauthorized"].iter().any(|word| said.contains(word)) => (
            "the coordinator refuses the key",
            "it was used, has expired or is another coordinator's: make a new one (`headscale preauthkeys create`), give \
             it by the reference the profile names (network.mesh.auth-key), then join again",
        ),
        _ => (
            "the coordinator did not let this node in",
            "see that this node reaches it and that its own journal knows of the try, then join again",
        ),
    };
    mesh_error(&format!("{why}: {said}"), fix)
}

/// A member with the right settings and the right address.
fn settle(want: &Want) -> Result<(), PerformError> {
    let Want::Mesh { address, accept_dns, login_url, .. } = want else { return Ok(()) };
    let mut now = answering()?;
    if now.is_member() && now.accepts_dns != *accept_dns {
        tailscale("set").arg(format!("--accept-dns={accept_dns}")).run()?;
        now = answering()?;
    }
    if !now.is_member() {
        let why = format!("tailscale says that it is up, and is {}", now.state);
        return Err(mesh_error(&why, "`tailscale status` on this node says more"));
    }
    if now.addresses.contains(&std::net::IpAddr::V4(*address)) {
        return Ok(());
    }
    let given: Vec<String> = now.addresses.iter().map(ToString::to_string).collect();
    let coordinator = login_url.as_deref().unwrap_or("the coordinator");
    Err(mesh_error(
        &format!("{coordinator} gave this node {} and the profile says {address}", given.join(" ")),
        "addresses are the coordinator's to give: write the one it gave as mesh-address in the profile, or free the \
         other there (`headscale nodes list`), `tailscale logout` here, and join again with a new key",
    ))
}

fn tailscale(verb: &str) -> Invocation {
    Invocation::new("tailscale").arg(verb)
}

fn mesh_error(why: &str, fix: &str) -> PerformError {
    PerformError::Mesh { why: why.to_owned(), fix: fix.to_owned() }
}

/// Takes the node out again, unless it was a member before.
pub(super) fn undo(root: &Root, was_member: bool) -> Result<Undone, PerformError> {
    if !root.is_live() {
        return Ok(Undone::Kept { why: "the running node leaves its mesh".to_owned() });
    }
    match state() {
        Ok(now) if now.is_member() && !was_member => {
            tailscale("logout").run()?;
            Ok(Undone::Partly {
                why: "logged out; what its daemon keeps in /var/lib/tailscale stays".to_owned(),
            })
        }
        // Whoever took its programs away has taken it out.
        _ => Ok(Undone::Unchanged),
    }
}
