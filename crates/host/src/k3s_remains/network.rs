//! Network links of k3s: the bridge of its pods, the tunnels of flannel, the helper of kube-proxy.

use crate::process::Invocation;

/// Their names, fixed in flannel and kube-proxy.
const LINKS: [&str; 6] = ["cni0", "flannel.1", "flannel-v6.1", "flannel-wg", "flannel-wg-v6", "kube-ipvs0"];

/// Those that are not there.
pub(super) fn absent() -> Vec<String> {
    LINKS.iter().filter(|link| !is_there(link)).map(|link| (*link).to_owned()).collect()
}

/// Removes those of `links` that are there now, but only names from our list, whatever a journal says.
pub(super) fn remove(links: &[String]) {
    for link in links.iter().filter(|link| LINKS.contains(&link.as_str()) && is_there(link)) {
        // Gone with the namespace of a pod in this moment is gone as well.
        let _ = Invocation::new("ip").args(["link", "delete", link]).run();
    }
}

fn is_there(link: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(link).exists()
}
