//! Whether the k3s that is here may become the one that is wanted.
//!
//! In: what the present program says of its version, and the version in the bundle. Out: a verdict. Kubernetes is taken
//! over one minor version at a time, and never back: older programs can't read what newer ones wrote.

use super::facts::Facts;
use super::needs::K3sNeeds;
use super::{Check, Verdict, known};

/// `v1.36.4+k3s1`: major, minor, patch and the number of the build.
type Version = (u32, u32, u32, u32);

pub(super) fn version(k3s: &K3sNeeds, facts: &Facts) -> Result<Verdict, Verdict> {
    const CHECK: Check = Check::K3sVersion;
    const FIELD: &str = "K25";
    let found = known(&facts.k3s_version, CHECK, FIELD)?;
    let Some(said) = found else { return Ok(Verdict::ok(CHECK, FIELD, "there is no k3s yet")) };
    let doubt = |why: String| Verdict::unknown(CHECK, FIELD, why);
    let wanted = k3s.version.as_deref().ok_or_else(|| doubt("the bundle names no version".to_owned()))?;
    let present = said.split_whitespace().find(|word| word.starts_with('v') && word.contains('.'));
    let present = present.ok_or_else(|| doubt(format!("`{said}` names no version")))?;
    let (from, to) = (parse(present).zip(parse(wanted)))
        .ok_or_else(|| doubt(format!("{present} and {wanted} can't be compared")))?;
    if from == to {
        return Ok(Verdict::ok(CHECK, FIELD, present));
    }
    let evidence = format!("{present} is here, {wanted} in the bundle");
    let verdict = match forbidden(present, wanted) {
        Some((why, fix)) => Verdict::refuse(CHECK, FIELD, evidence).because(why, fix),
        None => Verdict::ok(CHECK, FIELD, evidence),
    };
    Ok(verdict)
}

/// Why a k3s of version `present` must not become one of `wanted`, and what to do instead (FIELD K25); versions that
/// can't be compared forbid nothing.
#[must_use]
pub fn forbidden(present: &str, wanted: &str) -> Option<(&'static str, String)> {
    let (from, to) = parse(present).zip(parse(wanted))?;
    if to < from {
        return Some((
            "an older k3s can't read the cluster's data as a newer one wrote it",
            format!("write {present} or later in the profile, or make the node anew"),
        ));
    }
    if to.0 > from.0 || to.1 > from.1 + 1 {
        let (major, minor) = (from.0, from.1 + 1);
        return Some((
            "Kubernetes is taken over one minor version at a time, servers first",
            format!("go first to the newest v{major}.{minor}, on every node"),
        ));
    }
    None
}

fn parse(text: &str) -> Option<Version> {
    let (version, build) = text.strip_prefix('v')?.split_once("+k3s")?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
    Some((major, minor, patch, build.parse().ok()?))
}
