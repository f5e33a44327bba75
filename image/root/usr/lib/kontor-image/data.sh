#!/bin/sh
# The data partition: grown to the end of the card, checked, mounted, with its folders. One that is beyond repair is made
# anew; where there is none that could be used, memory takes its place, and the box is in its room until it is switched off.
# Each step can be cut off by a power cut and is done again at the next start.
# data.sh DEVICE FOLDER TOLD: what became of it (kept, anew, memory) is written to the file TOLD.
set -u
device=$1 folder=$2 told=$3
say() { echo "$*" >&2; }

# A partition may end where the image ended: the rest of the card belongs to it.
grow() {
    block=/sys/class/block/$(basename "$(readlink -f "$device")")
    [ -r "$block/partition" ] || return 0
    number=$(cat "$block/partition")
    disk=$(basename "$(dirname "$(readlink -f "$block")")")
    free=$(($(cat "/sys/class/block/$disk/size") - $(cat "$block/start") - $(cat "$block/size")))
    [ "$free" -ge 8192 ] || return 0
    python3 -I /usr/lib/kontor-image/grow.py "/dev/$disk" "$number" &&
        say "the data partition has $((free / 2048)) MiB more"
}

# 0: it can be mounted; what was wrong is mended.
check() {
    timeout 600 e2fsck -p "$device"
    [ $? -ge 4 ] || return 0
    say "the data partition is damaged: mending all that can be mended"
    # Of a superblock that was cut off in the middle the first look makes a copy good, the second what the copy did not know.
    for _ in 1 2 3; do
        timeout 600 e2fsck -f -y "$device"
        [ $? -ge 4 ] || return 0
    done
    return 1
}

attach() { mount -t ext4 -o nosuid,nodev,noexec,noatime,errors=remount-ro "$device" "$folder"; }

anew() {
    how=anew
    say "the data partition is beyond repair: it is made anew, and what it held is gone"
    mkfs.ext4 -q -F -L kontor-data -m 1 "$device" && attach
}

how=kept
mkdir -p "$folder"
grow || say "the data partition could not be grown"
# What is not there (yet) is not damaged, and is not made anew either.
if [ -e "$device" ] && { { check && attach; } || anew; }; then
    /usr/lib/systemd/systemd-growfs "$folder" || say "the file system could not be grown"
else
    how=memory
    say "no data partition can be used: nothing is kept beyond this start"
    mount -t tmpfs -o nosuid,nodev,noexec,mode=0755,size=32M kontor-data "$folder" || exit 1
fi
chmod 0755 "$folder"
for each in kontor timesync log; do mkdir -p -m 0755 "$folder/$each" || exit 1; done
for each in network network-state ssh; do mkdir -p -m 0700 "$folder/$each" || exit 1; done
chown systemd-timesync:systemd-timesync "$folder/timesync"
echo "$how" >"$told"
