//! Mounts and files of k3s.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use desired::AbsPath;
use rustix::mount::UnmountFlags;

use crate::mount::points;
use crate::perform::PerformError;

/// Where the network namespaces of pods are mounted, and how they are called.
const NAMESPACES: &str = "/run/netns";
const NAMESPACE: &str = "cni-";

/// Undoes every mount strictly below `places`, and those of the network namespaces of pods; gives those that resist.
pub(super) fn unmount(places: &[&AbsPath]) -> Vec<String> {
    let is_meant = |point: &str| {
        let is_below =
            |place: &&AbsPath| point.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with('/'));
        is_of_pod(point) || places.iter().any(is_below)
    };
    // The last one lies on top, and may lie in an earlier one.
    for point in points().into_iter().rev().filter(|point| is_meant(point)) {
        // Lazily: who holds it has been ended. What resists is seen below.
        let _ = rustix::mount::unmount(point.as_str(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        if is_of_pod(&point) {
            let _ = fs::remove_file(&point);
        }
    }
    let left = points().into_iter().filter(|point| is_meant(point));
    left.map(|point| format!("{point} is still mounted")).collect()
}

fn is_of_pod(point: &str) -> bool {
    let name = point.strip_prefix(NAMESPACES).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| name.starts_with(NAMESPACE))
}

/// Removes everything at `place` but what is `kept` or mounted; with `itself` the place too.
pub(super) fn remove(place: &AbsPath, itself: bool, kept: &BTreeSet<AbsPath>) -> Result<(), PerformError> {
    let mounted: BTreeSet<String> = points().into_iter().collect();
    let stays = |path: &str| {
        let is_above = |other: &str| {
            other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        kept.iter().any(|kept| is_above(kept.as_str())) || mounted.iter().any(|point| is_above(point))
    };
    let failed = || PerformError::file("remove what k3s left in", place);
    let path = Path::new(place.as_str());
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed()(error)),
        Ok(metadata) if !metadata.is_dir() => {
            let is_meant = itself && !stays(place.as_str());
            return if is_meant { gone(fs::remove_file(path)).map_err(failed()) } else { Ok(()) };
        }
        Ok(_) => {}
    }
    clear(path, &stays).map_err(failed())?;
    if itself && !stays(place.as_str()) {
        gone(fs::remove_dir(path)).map_err(failed())?;
    }
    Ok(())
}

/// Empties a folder, but for what stays and the folders above that.
fn clear(folder: &Path, stays: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        match (is_folder, stays(&path.to_string_lossy())) {
            (true, true) => clear(&path, stays)?,
            (false, true) => {}
            (true, false) => gone(fs::remove_dir_all(&path))?,
            (false, false) => gone(fs::remove_file(&path))?,
        }
    }
    Ok(())
}

/// What somebody else removed meanwhile is gone too.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_give_back_stays_until_they_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["k3s/agent/etc", "k3s/agent/deep/er", "k3s/server"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["k3s/agent/etc/ours", "k3s/agent/etc/theirs", "k3s/agent/deep/er/file"] {
            fs::write(at(path), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("k3s/server/link")).unwrap();
        let path = |path: &str| at(path).to_str().unwrap().parse::<AbsPath>().unwrap();
        let kept = BTreeSet::from([path("k3s/agent/etc/ours")]);
        remove(&path("k3s"), true, &kept).unwrap();
        assert!(at("k3s/agent/etc/ours").exists());
        assert!(!at("k3s/agent/etc/theirs").exists() && !at("k3s/agent/deep").exists());
        assert!(!at("k3s/server").exists() && Path::new("/etc/passwd").exists());
        remove(&path("k3s"), false, &BTreeSet::new()).unwrap();
        assert!(at("k3s").exists() && !at("k3s/agent").exists(), "a folder that was there stays");
        remove(&path("k3s"), true, &BTreeSet::new()).unwrap();
        assert!(!at("k3s").exists());
        remove(&path("k3s"), true, &BTreeSet::new()).unwrap();
    }

    #[test]
    fn only_namespaces_of_pods_are_meant() {
        assert!(is_of_pod("/run/netns/cni-1b"));
        assert!(!is_of_pod("/run/netns/mine"));
        assert!(!is_of_pod("/run/netns"));
    }
}
