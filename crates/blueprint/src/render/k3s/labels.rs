//! Which labels a node may give itself.
//!
//! In: a label's key. Out: yes or no, as the API server's NodeRestriction admission judges a kubelet: what is
//! reserved makes an agent exit with "unknown 'kubernetes.io' or 'k8s.io' labels" and goes to the server's list (FIELD K15).

/// Reserved keys that a kubelet may set all the same, from Kubernetes' list of well-known labels.
const ALLOWED: &[&str] = &[
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Whether a node may register with a label of this key.
#[must_use]
pub fn self_assignable(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return true;
    };
    let below = |domain: &str| prefix == domain || prefix.ends_with(&format!(".{domain}"));
    let reserved = below("kubernetes.io") || below("k8s.io");
    !reserved || below("kubelet.kubernetes.io") || below("node.kubernetes.io") || ALLOWED.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_labels_are_not_the_nodes_own() {
        for own in [
            "gpu",
            "node.longhorn.io/storage",
            "rootstock.example/low-mem",
            "topology.kubernetes.io/zone",
            "node.kubernetes.io/anything",
            "x.kubelet.kubernetes.io/anything",
            "notkubernetes.io/x",
        ] {
            assert!(self_assignable(own), "{own}");
        }
        for reserved in [
            "node-role.kubernetes.io/worker",
            "kubernetes.io/role",
            "sigs.k8s.io/x",
            "k8s.io/x",
            "topology.kubernetes.io/rack",
        ] {
            assert!(!self_assignable(reserved), "{reserved}");
        }
    }
}
