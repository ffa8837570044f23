#!/bin/sh
# What runs in cluster vnext: charts first, then what needs the kinds of objects that they bring. Run it where
# kubectl has the rights of an administrator (on a server, as root). What is right already stays as it is.
# Ends with 3 if a chart was not installed in time; its job's log says why.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

run_kubectl() {
    if command -v kubectl >/dev/null 2>&1; then
        kubectl "$@"
    else
        k3s kubectl "$@"
    fi
}

# installed CHART: waits for the job by which k3s installs it, which is there some seconds after the chart.
installed() {
    job="job/helm-install-$1"
    if run_kubectl --namespace kube-system wait --for=create --timeout=60s "$job" &&
        run_kubectl --namespace kube-system wait --for=condition=complete --timeout=600s "$job"; then
        return 0
    fi
    echo "chart $1 is not installed: k3s kubectl --namespace kube-system logs $job" >&2
    exit 3
}

run_kubectl get --raw /readyz >/dev/null
run_kubectl apply -k "$here/charts"
installed cert-manager
installed csi-driver-nfs
run_kubectl apply -k "$here/objects"

# Not started here: Compose may run them on the same folders. Once it no longer does,
#     kubectl apply -k komga/overlays/vnext
