#!/bin/sh
# Factory reset: the data partition is made anew. The file that asks for it goes last, so that a power cut at any moment leads
# to one more reset and never to half of one. FAULT and SPEAK blink meanwhile; MIC is lit by its resistor.
# reset.sh DEVICE BOOT LEDS
set -u
device=$1 boot=$2 leds=$3
say() { echo "$*" >&2; }

light() { # FAULT and SPEAK: 0, or anything else for as bright as they get
    for led in "$leds"/kontor:*:fault "$leds"/kontor:*:speak; do
        [ -w "$led/brightness" ] || continue
        [ "$1" = 0 ] && echo 0 >"$led/brightness" || cat "$led/max_brightness" >"$led/brightness"
    done
}

blink() {
    while :; do
        light 1
        sleep 0.25
        light 0
        sleep 0.25
    done
}

say "factory reset: all data of this device is wiped"
for led in "$leds"/kontor:*:fault; do [ -w "$led/trigger" ] && echo none >"$led/trigger"; done
blink &
blinking=$!
# What was there is given back to the card where it can do that; the file system is a new one in any case.
mkfs.ext4 -q -F -E discard -L kontor-data -m 1 "$device" && sync "$device"
made=$?
kill "$blinking"
wait "$blinking" 2>/dev/null
for led in "$leds"/kontor:*:fault; do [ -w "$led/brightness" ] && cat "$led/max_brightness" >"$led/brightness"; done
for led in "$leds"/kontor:*:speak; do [ -w "$led/brightness" ] && echo 0 >"$led/brightness"; done
if [ "$made" != 0 ]; then
    say "factory reset: the data partition could not be made anew; it is tried again at the next start"
    exit 1
fi
rm -f "$boot/factory-reset" "$boot/factory-reset.txt"
sync -f "$boot"
say "factory reset: done"
