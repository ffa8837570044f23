#!/bin/sh
# From a volume of Podman or Docker to a folder of this machine, for komga. As root; with rootless Podman as its
# person, who writes `podman unshare` before it:
#     migrate.sh copy VOLUME CONTAINER VARIABLE   stops CONTAINER, backs VOLUME up, copies it, compares every file
#     migrate.sh switch                           starts the Compose file, which uses the folder
#     migrate.sh rollback CONTAINER               stops that again and starts CONTAINER, which still has its volume
# VARIABLE is one of .env, such as COMICS_ROOT KOMF_CONFIG KOMGA_CONFIG KOMGA_TMP. The volume and its container are left as they are; remove them
# once all has been well for some days. Whatever stopped it, run the same again.
# Ends with 2 for wrong words, 5 if something is missing, 6 if a copy differs, 7 if the folder holds something else.
set -eu
umask 077

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
file="$here/docker-compose.komga.yml"
backups=/srv/komga/backup

fail() {
    code=$1
    shift
    echo "migrate: $*" >&2
    exit "$code"
}

engine=${ENGINE-}
if [ -z "$engine" ]; then
    for candidate in podman docker; do
        if command -v "$candidate" >/dev/null 2>&1; then
            engine=$candidate
            break
        fi
    done
fi
[ -n "$engine" ] || fail 5 'neither podman nor docker is here; set ENGINE'

# folder VARIABLE: its value in .env, read and not run.
folder() {
    [ -f "$here/.env" ] || fail 5 "$here/.env is not there; copy .env.example"
    value=$(sed -n "s/^$1=//p" "$here/.env" | tail -n 1)
    value=${value#\'}
    value=${value%\'}
    case $value in
    /?*) printf '%s\n' "$value" ;;
    *) fail 5 "$1 in $here/.env is no absolute path" ;;
    esac
}

# sums FOLDER: a line for everything in it, with what it is, its rights and its content.
sums() (
    cd -- "$1"
    find . -exec sh -c '
        for path do
            if [ -h "$path" ]; then
                content=$(readlink -- "$path")
            elif [ -f "$path" ]; then
                content=$(sha256sum <"$path")
            else
                content=-
            fi
            printf "%s %s %s\n" "$(stat -c "%A %u:%g" -- "$path")" "$content" "$path"
        done' sh {} + | LC_ALL=C sort
)

# same FOLDER FOLDER: whether both hold the same; the first one was made complete before the second.
same() {
    before=$(sums "$1") && after=$(sums "$2") && [ "$before" = "$after" ]
}

copy() {
    volume=$1 container=$2 to=$(folder "$3")
    from=$("$engine" volume inspect --format '{{.Mountpoint}}' "$volume") ||
        fail 5 "$engine has no volume $volume"
    if [ ! -d "$from" ] || [ ! -r "$from" ]; then
        fail 5 "$from can't be read; run this as the engine's owner"
    fi
    case $volume in
    */* | .*) fail 2 "$volume is no name of a volume" ;;
    esac
    # A database that is written to meanwhile would be copied torn.
    if "$engine" container inspect "$container" >/dev/null 2>&1; then
        "$engine" stop "$container" >/dev/null
        state=$("$engine" container inspect --format '{{.State.Running}}' "$container")
        [ "$state" = false ] || fail 5 "$container still runs"
    fi
    if [ -d "$to" ] && [ -n "$(ls -A -- "$to")" ]; then
        same "$from" "$to" || fail 7 "$to holds something else than $volume; move it away first"
        echo "$to holds $volume already"
        return
    fi
    mkdir -p -- "$backups" "$(dirname -- "$to")"
    backup="$backups/$volume.tar"
    part="$to.part"
    if [ ! -f "$backup" ]; then
        tar -C "$from" -cf "$backup.part" .
        sync
        mv -- "$backup.part" "$backup"
    fi
    # Out of the backup and not out of the volume: what is compared below is then the backup as well.
    rm -rf -- "$part"
    mkdir -- "$part"
    tar -C "$part" -xpf "$backup"
    if ! same "$from" "$part"; then
        mv -- "$backup" "$backup.differs"
        fail 6 "the copy of $volume differs; the backup is set aside as $backup.differs, run this again"
    fi
    sync
    [ ! -d "$to" ] || rmdir -- "$to"
    mv -- "$part" "$to"
    echo "$to holds $volume, compared file by file; the backup is $backup"
}

case ${1-} in
copy)
    [ "$#" -eq 4 ] || fail 2 'usage: migrate.sh copy VOLUME CONTAINER VARIABLE'
    copy "$2" "$3" "$4"
    ;;
switch)
    "$engine" compose --project-directory "$here" -f "$file" up -d
    ;;
rollback)
    [ "$#" -eq 2 ] || fail 2 'usage: migrate.sh rollback CONTAINER'
    "$engine" compose --project-directory "$here" -f "$file" down
    "$engine" start "$2"
    ;;
*)
    fail 2 'usage: migrate.sh copy VOLUME CONTAINER VARIABLE | switch | rollback CONTAINER'
    ;;
esac
