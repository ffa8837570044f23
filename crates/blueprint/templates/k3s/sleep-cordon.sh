#!/bin/sh
# Written by Rootstock; it overwrites changes made here.
# Keeps pods away from {{{ node|plain }}} while it sleeps: `asleep` before it does, `awake` once it is back or was started.
# With the kubelet's own rights, which reach no other node. A node that a person cordoned stays as it is.
set -eu

node={{{ node|sh }}}
mark=rootstock.example/asleep

run_kubectl() {
    {{{ program|sh }}} kubectl --kubeconfig {{{ kubeconfig|sh }}} --request-timeout=5s "$@"
}

# Whether it takes no pods, and whether that is our doing.
state=$(run_kubectl get node "$node" \
    -o 'jsonpath={.spec.unschedulable}/{.metadata.annotations.rootstock\.example/asleep}')

patch() {
    run_kubectl patch node "$node" --type=merge --patch "$1"
}

case ${1-} in
asleep)
    if [ "$state" = / ]; then
        patch "{\"metadata\":{\"annotations\":{\"$mark\":\"true\"}},\"spec\":{\"unschedulable\":true}}"
    fi
    ;;
awake)
    case $state in
    */true)
        patch "{\"metadata\":{\"annotations\":{\"$mark\":null}},\"spec\":{\"unschedulable\":null}}"
        ;;
    esac
    ;;
*)
    echo "usage: ${0##*/} asleep|awake" >&2
    exit 2
    ;;
esac
