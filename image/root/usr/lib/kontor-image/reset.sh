#!/bin/sh
# Factory reset: the data partition is made anew. The file that asks for it goes last, so that a power cut at any moment leads
# to one more reset and never to half of one. FAULT and SPEAK blink meanwhile; MIC is lit by its resistor.
# reset.sh DEVICE BOOT LEDS
set -u
device=$1 boot=$2 leds=$3
say() { echo "factory reset: $*" >&2; }

light() { # LAMP on|off
    for led in "$leds"/kontor:*:"$1"; do
        [ -w "$led/brightness" ] || continue
        if [ "$2" = on ]; then cat "$led/max_brightness"; else echo 0; fi >"$led/brightness"
    done
}

blink() {
    while :; do
        for how in on off; do
            light fault "$how"
            light speak "$how"
            sleep 0.25
        done
    done
}

# A file that could not be removed would wipe the device at every start.
for each in "$boot/factory-reset" "$boot/factory-reset.txt"; do
    [ ! -e "$each" ] || { [ -f "$each" ] && true >>"$each"; } || {
        say "$each cannot be removed: nothing is wiped"
        exit 1
    }
done

say "all data of this device is wiped"
for led in "$leds"/kontor:*:fault; do [ ! -w "$led/trigger" ] || echo none >"$led/trigger"; done
blink &
blinking=$!
# What was there is given back to the card where it can do that; the file system is a new one in any case.
mkfs.ext4 -q -F -E discard -L kontor-data -m 1 "$device" && sync "$device"
made=$?
kill "$blinking"
wait "$blinking" 2>/dev/null  # what the shell says of it is no news
light fault on
light speak off
if [ "$made" != 0 ]; then
    say "the data partition could not be made anew; it is tried again at the next start"
    exit 1
fi
rm -f "$boot/factory-reset" "$boot/factory-reset.txt"
sync -f "$boot"
say "done"
