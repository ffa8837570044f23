#!/bin/sh
# Labels and taints of cluster {{{ cluster|plain }}}. Run it where kubectl has the rights of an administrator (on a server,
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
{{% for entry in nodes %}}

if registered {{{ entry.node|sh }}}; then
{{% for key, value in entry.labels|items %}}
    run_kubectl label node {{{ entry.node|sh }}} --overwrite {{{ (key ~ "=" ~ value)|sh }}}
{{% endfor %}}
{{% for taint in entry.taints %}}
    run_kubectl taint node {{{ entry.node|sh }}} --overwrite {{{ taint|sh }}}
{{% endfor %}}
fi
{{% endfor %}}

if [ -n "$missing" ]; then
    echo "not registered yet:$missing" >&2
    exit 3
fi
