#!/bin/sh
# Brings laptop-02 into k3s of cluster vnext as agent, by hand and without Rootstock's binary.
#
#   sudo sh join-k3s.sh [-k] [-b FOLDER] TOKEN_FILE
#   sudo sh join-k3s.sh -c          only check this machine
#
#   TOKEN_FILE  holds a join token of short life, beginning with K10; it never stands on a command line
#   -b FOLDER   an unpacked bundle's artifacts; without it k3s is fetched from its vendor
#   -k          also take a token that cannot prove which cluster it belongs to
#
# It takes the files beside it (rootfs/), and can be run as often as you like: what is right already stays untouched.
set -eu
umask 077

NODE=laptop-02
ADDRESS=192.168.10.22
ARCH=amd64
SERVER=https://192.168.10.10:6443
UNIT=k3s-agent.service
VERSION=v1.36.4+k3s1
PROGRAM=/usr/local/bin/k3s
DIGEST=835873f37245fc615f547a2fe2af9402a347875f13fa64a1f136de644955ea3f
DIGEST_TOOL=sha256sum
VENDOR_URL=https://github.com/k3s-io/k3s/releases/download/v1.36.4%2Bk3s1/k3s
HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

problems=0
changed=''
work=''

say() { printf '%s\n' "$*"; }
problem() { problems=$((problems + 1)); printf 'problem: %s\n' "$*" >&2; }
stop() { printf 'error: %s\n' "$*" >&2; exit 5; }
clean_up() { if [ -n "$work" ]; then rm -rf "$work"; fi; }
trap clean_up EXIT
trap 'exit 130' INT TERM

# --- this machine ---------------------------------------------------------------------------------------------------

# The userland decides, not the kernel: a 32-bit system may run a 64-bit one.
userland() {
    if command -v dpkg >/dev/null 2>&1; then
        dpkg --print-architecture
    elif [ "$(getconf LONG_BIT)" = 64 ]; then
        case $(uname -m) in
            x86_64) say amd64 ;;
            aarch64) say arm64 ;;
            *) uname -m ;;
        esac
    else
        say "32-bit $(uname -m)"
    fi
}

clock_is_set() {
    if command -v timedatectl >/dev/null 2>&1; then
        tries=30
        while [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" != yes ]; do
            tries=$((tries - 1))
            if [ "$tries" -le 0 ]; then return 1; fi
            sleep 2
        done
    else
        # 2026-01-01: a board without a clock of its own starts long before.
        [ "$(date +%s)" -ge 1767225600 ]
    fi
}

check_machine() {
    found=$(userland)
    if [ "$found" != "$ARCH" ]; then
        problem "this system is $found and $NODE is $ARCH: flash the right image"
    fi
    if [ "$(uname -n)" != "$NODE" ]; then
        problem "this machine is called $(uname -n): hostnamectl set-hostname $NODE"
    fi
    if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
        problem 'the memory cgroup is off: put "cgroup_memory=1 cgroup_enable=memory" behind rootwait in the one' \
            'line of /boot/firmware/cmdline.txt and reboot'
    fi
    if [ -z "$(ip -4 route show default)" ]; then
        problem 'there is no default route, which k3s needs even where it leads nowhere'
    fi
    if ! ip -4 -o address show | grep -qF " $ADDRESS/"; then
        problem "no interface has $ADDRESS: see to the network first"
    fi
    if [ ! -d /sys/module/vxlan ] && ! PATH="$PATH:/usr/sbin:/sbin" modprobe -n -q vxlan; then
        problem 'the kernel has no vxlan: install the package with the extra modules and reboot'
    fi
    if [ "$(getconf PAGESIZE)" != 4096 ]; then
        say "note: pages are $(getconf PAGESIZE) bytes, with which some arm64 images do not run"
    fi
    if ! clock_is_set; then
        problem 'the clock is not set from the network: certificates would be dated wrongly'
    fi
}

# --- the token ------------------------------------------------------------------------------------------------------

# A full token is K10, the digest of the cluster's CA, and the secret; a short one is the secret alone.
check_token() {
    [ -r "$1" ] || stop "cannot read the token file $1"
    token=$(tr -d '\r\n' <"$1")
    [ -n "$token" ] || stop "the token file $1 is empty"
    case $token in
        K10*::*) ;;
        K10*) stop 'the token is cut: a full one is K10, 64 digits, ::, and the secret' ;;
        *)
            if [ "$trust_any" -eq 0 ]; then
                stop 'a short token cannot prove which cluster it belongs to: take the K10 one, or say -k'
            fi
            return 0
            ;;
    esac
    # Whoever answers at the server's address must hold the CA that the token names.
    expected=${token#K10}
    expected=${expected%%::*}
    curl -fsSk --max-time 20 -o "$work/cacerts" "$SERVER/cacerts" || stop "$SERVER does not answer"
    answered=$(sha256sum <"$work/cacerts")
    if [ "${answered%% *}" != "$expected" ]; then
        stop "the token belongs to another cluster than $SERVER: fetch the current one there"
    fi
}

place_token() {
    if [ -f /etc/rancher/k3s/token ] && [ "$token" = "$(tr -d '\r\n' </etc/rancher/k3s/token)" ]; then return 0; fi
    mkdir -p /etc/rancher/k3s
    printf '%s\n' "$token" >/etc/rancher/k3s/token.new
    mv -f /etc/rancher/k3s/token.new /etc/rancher/k3s/token
    changed="$changed /etc/rancher/k3s/token"
}

# --- files ----------------------------------------------------------------------------------------------------------

# place PATH MODE: the file beside this script, if it differs from what is there.
place() {
    source=$HERE/rootfs$1
    [ -r "$source" ] || stop "$source is missing: copy the whole folder of $NODE"
    if [ -f "$1" ] && cmp -s "$source" "$1" && [ "$(stat -c %a "$1")" = "$2" ]; then return 0; fi
    mkdir -p "$(dirname "$1")"
    install -m "$2" "$source" "$1.new"
    mv -f "$1.new" "$1"
    changed="$changed $1"
}

is_pinned() { printf '%s  %s\n' "$DIGEST" "$1" | "$DIGEST_TOOL" -c >/dev/null 2>&1; }

place_program() {
    if [ -x "$PROGRAM" ] && is_pinned "$PROGRAM"; then return 0; fi
    if [ -n "$bundle" ]; then
        cp "$bundle/k3s/k3s" "$work/k3s"
    else
        say "fetching k3s $VERSION"
        curl -fL --retry 3 --proto '=https' -o "$work/k3s" "$VENDOR_URL" || stop "cannot fetch $VENDOR_URL"
    fi
    is_pinned "$work/k3s" || stop "k3s is not what was pinned ($DIGEST): nothing was installed"
    mkdir -p "$(dirname "$PROGRAM")"
    install -m 755 "$work/k3s" "$PROGRAM.new"
    mv -f "$PROGRAM.new" "$PROGRAM"
    changed="$changed $PROGRAM"
}

# --- why a join does not get on -------------------------------------------------------------------------------------

explain() {
    journalctl -u "$UNIT" -n 400 --no-pager -o cat >"$work/journal" 2>/dev/null || return 0
    if grep -q 'Node password rejected' "$work/journal"; then
        say "reason: the cluster knows another $NODE. On a server: k3s kubectl delete node $NODE;" \
            "if that finds none: k3s kubectl -n kube-system delete secret $NODE.node-password.k3s"
    elif grep -q 'token CA hash does not match' "$work/journal"; then
        say 'reason: the token is of another or a re-installed cluster'
    elif grep -q 'not authorized' "$work/journal"; then
        say 'reason: the token is wrong or its time is over: make one on a server with k3s token create --ttl 1h'
    elif grep -q 'certificate has expired or is not yet valid' "$work/journal"; then
        say 'reason: the clock is wrong'
    elif grep -q 'find memory cgroup' "$work/journal"; then
        say 'reason: the memory cgroup is off'
    else
        say "reason unknown, the last lines of its journal:"
        tail -n 5 "$work/journal"
    fi
}

start() {
    systemctl enable --quiet "$UNIT"
    if [ -n "$changed" ]; then
        systemctl daemon-reload
        systemctl restart --no-block "$UNIT"
    elif ! systemctl is-active --quiet "$UNIT"; then
        systemctl start --no-block "$UNIT"
    else
        return 0
    fi
    say "waiting for $UNIT"
    tries=90
    while ! systemctl is-active --quiet "$UNIT"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            explain
            stop "$UNIT is not up after three minutes; it goes on trying: journalctl -fu $UNIT"
        fi
        sleep 2
    done
}

# --- all of it ------------------------------------------------------------------------------------------------------

only_check=0
trust_any=0
bundle=''
while getopts 'b:chk' option; do
    case $option in
        b) bundle=$OPTARG ;;
        c) only_check=1 ;;
        k) trust_any=1 ;;
        h)
            sed -n '2,/^set -eu/s/^#[ ]\{0,1\}//p' "$0"
            exit 0
            ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

[ "$(id -u)" -eq 0 ] || stop 'run it as root'
work=$(mktemp -d)
check_machine
[ "$problems" -eq 0 ] || stop "$problems of the above first; nothing was changed"
if [ "$only_check" -eq 1 ]; then
    say "$NODE can take k3s"
    exit 0
fi
if [ "$#" -ne 1 ]; then
    printf 'usage: join-k3s.sh [-b FOLDER] TOKEN_FILE; -h says more\n' >&2
    exit 2
fi

check_token "$1"
if [ ! -s /etc/rancher/k3s/registries.yaml ]; then
    say 'note: /etc/rancher/k3s/registries.yaml holds a password: fill rootfs/etc/rancher/k3s/registries.yaml in by hand, mode 0600'
fi
place /etc/rancher/k3s/config.yaml 600
place /etc/systemd/system/k3s-agent.service 644
place /usr/local/lib/rootstock/sleep-cordon 755
place /etc/systemd/system/rootstock-asleep.service 644
place /etc/systemd/system/rootstock-awake.service 644
place_token
place_program
if systemctl cat systemd-time-wait-sync.service >/dev/null 2>&1; then
    systemctl enable --quiet systemd-time-wait-sync.service
fi
start
if [ -n "$changed" ]; then
    say "changed:$changed"
else
    say "$NODE: nothing to do"
fi
