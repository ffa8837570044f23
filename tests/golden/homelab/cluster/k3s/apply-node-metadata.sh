#!/bin/sh
# Labels and taints of cluster homelab. Run it where kubectl has the rights of an administrator (on a server,
# as root); again when nodes joined or were replaced. What is right already stays as it is.
# Ends with 3 if a node is not registered yet.
set -eu

missing=''

run_kubectl() {
    if command -v kubectl >/dev/null 2>&1; then
        kubectl "$@"
    else
        k3s kubectl "$@"
    fi
}

# registered NODE: whether the cluster knows it; what is not there yet is remembered.
registered() {
    if [ -n "$(run_kubectl get node "$1" --ignore-not-found -o name)" ]; then
        return 0
    fi
    missing="$missing $1"
    return 1
}

run_kubectl get --raw /readyz >/dev/null

if registered k3s-w1; then
    run_kubectl label node k3s-w1 --overwrite node.longhorn.io/create-default-disk=true
    run_kubectl label node k3s-w1 --overwrite node.longhorn.io/primary=true
    run_kubectl label node k3s-w1 --overwrite node.longhorn.io/storage=enabled
    run_kubectl label node k3s-w1 --overwrite workload-priority=primary
    run_kubectl taint node k3s-w1 --overwrite node.longhorn.io/storage=enabled:NoSchedule
fi

if registered k3s-w2; then
    run_kubectl label node k3s-w2 --overwrite node.longhorn.io/create-default-disk=true
    run_kubectl label node k3s-w2 --overwrite node.longhorn.io/primary=false
    run_kubectl label node k3s-w2 --overwrite node.longhorn.io/storage=enabled
    run_kubectl label node k3s-w2 --overwrite workload-priority=backup
    run_kubectl taint node k3s-w2 --overwrite node.longhorn.io/storage=enabled:NoSchedule
fi

if registered k3s-w3; then
    run_kubectl label node k3s-w3 --overwrite gpu=true
fi

if [ -n "$missing" ]; then
    echo "not registered yet:$missing" >&2
    exit 3
fi
