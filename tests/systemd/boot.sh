#!/bin/sh
# boot.sh FOLDER: systemd as PID 1 over a throw-away overlay of this machine's own root, in namespaces of its own; needs root.
#
# FOLDER has root/ (files that are put into the guest), links (places of the guest, each with what is bound there), and masks
# (units that do not run there). The console's log goes to FOLDER/console.
set -eu
FOLDER=$1
NAME=kontor$$
# A cgroup of its own, or nspawn makes "payload" and "supervisor" at the top of this machine's tree, where two would meet.
# Inside everything is cgroup v2, whatever is outside: only then are device and address filters (BPF) there.
CGROUPS=$(while read -r _ at kind options _; do
    case $kind,$options in cgroup2,* | cgroup,*name=systemd*) echo "$at/$NAME" ;; esac
done </proc/mounts)
for group in $CGROUPS; do mkdir -p "$group"; done
tidy() {
    for group in $CGROUPS; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "$group" ] || break
            sleep 0.2
        done
    done
}
trap tidy EXIT
trap '' INT TERM # whoever started us ends the guest, and we tidy up after it
export FOLDER NAME CGROUPS
unshare -m --propagation private sh -eu -c '
for group in $CGROUPS; do echo $$ >"$group/cgroup.procs"; done
at=$(mktemp -d)
mount -t tmpfs tmpfs "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay -o lowerdir=/,upperdir="$at/upper",workdir="$at/work" overlay "$at/root"
new=$at/root
# nothing of this machine runs in the guest, and nothing in it is written to
for place in tmp var/tmp var/log var/cache root home etc/systemd/system; do mount -t tmpfs tmpfs "$new/$place"; done
chmod 1777 "$new/tmp" "$new/var/tmp"
rm -rf "$new/var/lib/kontor" "$new/etc/kontor" "$new/etc/.updated" "$new/.dockerenv" "$new/run/.containerenv"
: >"$new/etc/fstab"
mkdir -p "$new/etc/systemd/system-generators"
for generator in "$new"/lib/systemd/system-generators/*; do
    ln -sf /dev/null "$new/etc/systemd/system-generators/${generator##*/}"
done
while read -r unit; do ln -sf /dev/null "$new/etc/systemd/system/$unit"; done <"$FOLDER/masks"
cp -R "$FOLDER/root/." "$new/"
while read -r place what; do
    mkdir -p "$new$place"
    mount --rbind -o ro "$what" "$new$place"
done <"$FOLDER/links"
# Without these capabilities and calls the options of a sandbox are left out, and nobody is told.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --directory="$new" --boot --register=no --keep-unit \
    --private-network --machine="$NAME" --capability=all --system-call-filter="bpf add_key keyctl" \
    systemd.unit=guest.target systemd.show_status=0 </dev/null >"$FOLDER/console" 2>&1
' || echo "$?" >"$FOLDER/code"
