#!/bin/sh
# Labels and taints of cluster vnext. Run it where kubectl has the rights of an administrator (on a server,
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

if registered laptop-01; then
    run_kubectl label node laptop-01 --overwrite rootstock.example/burst=true
    run_kubectl taint node laptop-01 --overwrite rootstock.example/burst=true:NoSchedule
fi

if registered laptop-02; then
    run_kubectl label node laptop-02 --overwrite rootstock.example/burst=true
    run_kubectl taint node laptop-02 --overwrite rootstock.example/burst=true:NoSchedule
fi

if registered rpi-01; then
    run_kubectl label node rpi-01 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-02; then
    run_kubectl label node rpi-02 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-03; then
    run_kubectl label node rpi-03 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-04; then
    run_kubectl label node rpi-04 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-05; then
    run_kubectl label node rpi-05 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-06; then
    run_kubectl label node rpi-06 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-07; then
    run_kubectl label node rpi-07 --overwrite rootstock.example/low-mem=true
fi

if registered rpi-08; then
    run_kubectl label node rpi-08 --overwrite rootstock.example/low-mem=true
fi

if [ -n "$missing" ]; then
    echo "not registered yet:$missing" >&2
    exit 3
fi
