#!/bin/sh
# Joins this machine to cluster {{{ cluster|message }}} as {{{ node|message }}}, once.
# Made by rootstock; rootstock-first-boot.service runs it again, later each time, until it has succeeded.
#
# In: the boot partition with passport, secrets and, where it fits, the bundle. Out: a joined node, a line in
# rootstock/status.txt there, and nothing left of what must not stay on a card (FIELD S1, S2).
set -eu
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

NODE={{{ node|sh }}}
BUNDLE={{{ bundle|sh }}}
DIGEST={{{ digest|sh }}}
# Where the bundle is fetched from; empty where it lies on the card. Its digest is compared either way.
ADDRESS={{{ address|sh }}}

STATE=/var/lib/rootstock/first-boot
TRIES=/run/rootstock-first-boot.tries
boot=''

say() { printf '%s\n' "$*"; }

# One word and why, for whoever holds the card; the journal has all of it.
report() {
    say "$1: $2"
    [ -n "$boot" ] || return 0
    {
        printf '%s\nnode %s\n%s\n' "$1" "$NODE" "$2"
        date -u '+at %Y-%m-%dT%H:%M:%SZ'
    } > "$boot/rootstock/status.txt" 2>/dev/null || say 'the boot partition takes no report'
}

stop() {
    report waiting "$1"
    exit 1
}

# Twice as long before each try, up to ten minutes; a fresh boot begins again.
wait_a_while() {
    tries=0
    if [ -f "$TRIES" ]; then tries=$(cat "$TRIES"); fi
    echo $((tries + 1)) > "$TRIES"
    [ "$tries" -gt 0 ] || return 0
    if [ "$tries" -gt 6 ]; then tries=6; fi
    sleep $((10 << tries > 600 ? 600 : 10 << tries))
}

find_boot() {
    for folder in /boot/firmware /boot/efi /boot; do
        # An automount shows its content only to those who ask for it.
        if [ -f "$folder/rootstock/passport.json" ]; then
            boot=$folder
            return
        fi
    done
    own=/run/rootstock-boot
    for device in /dev/disk/by-label/*; do
        case $device in
            */bootfs | */system-boot | */CIDATA | */cidata) ;;
            *) continue ;;
        esac
        mkdir -p "$own"
        mount -t vfat -o umask=0077 "$device" "$own" || continue
        if [ -f "$own/rootstock/passport.json" ]; then
            boot=$own
            return
        fi
        umount "$own"
    done
    stop 'no partition holds rootstock/passport.json'
}

# The bundle's place is left in $archive.
find_bundle() {
    archive=$boot/rootstock/$BUNDLE
    if [ -f "$archive" ]; then
        matches "$archive" || stop "$BUNDLE on the boot partition is damaged; flash the card again"
        return
    fi
    archive=$STATE/$BUNDLE
    if [ -f "$archive" ] && matches "$archive"; then return; fi
    [ -n "$ADDRESS" ] || stop "$BUNDLE is not on the boot partition, and nothing says where it is to be had"
    command -v curl >/dev/null || stop "$BUNDLE has to be fetched, and this system has no curl"
    report fetching "$ADDRESS"
    # What an interrupted try left is gone on with; if it is wrong in the end, it is forgotten.
    curl --fail --silent --show-error --location --retry 2 --connect-timeout 20 --speed-limit 1024 --speed-time 60 \
        --continue-at - --output "$archive.part" "$ADDRESS" || matches "$archive.part" ||
        stop "$ADDRESS can't be fetched; on the desk: cargo xtask serve"
    if ! matches "$archive.part"; then
        rm -f "$archive.part"
        stop "what $ADDRESS answers is not the bundle this card was made for"
    fi
    mv "$archive.part" "$archive"
}

matches() {
    [ -f "$1" ] && printf '%s  %s\n' "$DIGEST" "$1" | sha256sum --check --status -
}

join() {
    rm -rf "$STATE/bundle"
    mkdir "$STATE/bundle"
    tar -xzf "$archive" -C "$STATE/bundle" --no-same-owner || stop "$BUNDLE can't be unpacked, is the disk full?"
    report joining "as $NODE"
    code=0
    if [ -f "$boot/rootstock/secrets.json" ]; then
        "$STATE/bundle/rootstock/bootstrap" join --yes --node "$NODE" --secrets-stdin \
            < "$boot/rootstock/secrets.json" || code=$?
    else
        "$STATE/bundle/rootstock/bootstrap" join --yes --node "$NODE" < /dev/null || code=$?
    fi
    [ "$code" = 0 ] || stop "bootstrap join ended with $code; why: journalctl -u rootstock-first-boot"
    : > "$STATE/joined"
}

# Deleted alone, the bytes would stay on the medium: they are written over first.
wipe() {
    for stale in "$@"; do
        [ -f "$stale" ] || continue
        size=$(wc -c < "$stale")
        head -c "$size" /dev/zero | dd of="$stale" conv=notrunc,fsync 2>/dev/null || true
        rm -f "$stale"
    done
}

wipe_all() {
    # cloud-init is left alone while it works.
    if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null 2>&1 || true; fi
    wipe "$boot/rootstock/secrets.json" "$boot/userconf.txt" "$boot/firstrun.sh" "$boot/rootstock/wifi.nmconnection"
    # The instance's name stays, and so do its files: without them cloud-init would take the node for a new one.
    if [ -f "$boot/meta-data" ]; then
        for name in user-data network-config; do
            [ -f "$boot/rootstock/after/$name" ] || continue
            wipe "$boot/$name"
            cp "$boot/rootstock/after/$name" "$boot/$name"
        done
    fi
    for instance in /var/lib/cloud/instances/*; do
        wipe "$instance/user-data.txt" "$instance/user-data.txt.i" "$instance/cloud-config.txt" \
            "$instance/obj.pkl" "$instance/network-config.json"
    done
    wipe /run/cloud-init/instance-data-sensitive.json /run/cloud-init/combined-cloud-config.json \
        /run/cloud-init/network-config.json
    # A kernel's update needs the room.
    rm -f "$boot/rootstock/$BUNDLE"
    rm -rf "$STATE/bundle" "${STATE:?}/$BUNDLE"
    sync
}

mkdir -p "$STATE"
find_boot
if [ ! -f "$STATE/joined" ]; then
    wait_a_while
    find_bundle
    join
fi
wipe_all
report joined "as $NODE"
: > "$STATE/done"
