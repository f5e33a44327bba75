"""Debian's packages that run beside ours: ``python3 -m tools.system SET|NAME…``, where SET is one of those below (``tests``).

Installed where we may, as root or with a sudo that asks nothing; else it says what to type. For ``tests`` their absence is no
failure here: what needs them skips with its reason, and fails in CI.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools import debian

SOUND = {
    "pipewire": "pipewire",
    "pw-link": "pipewire-bin",
    "pipewire-pulse": "pipewire-pulse",
    "pw-jack": "pipewire-jack",
    "/usr/lib/*/alsa-lib/libasound_module_pcm_pipewire.so": "pipewire-alsa",
    "wireplumber": "wireplumber",
    "dbus-daemon": "dbus-daemon",
    "/usr/include/alsa/asoundlib.h": "libasound2-dev",  # pyalsaaudio has no wheels
}
"""A sound server with microphones and loudspeakers that are not there, and what builds ALSA's library for Python."""

TESTS = SOUND | {
    "chromium": "chromium",
    "/usr/share/fonts/opentype/inter": "fonts-inter",  # of the page's pictures
    "/usr/share/fonts/truetype/dejavu": "fonts-dejavu-core",
    "turnserver": "coturn",
    "janus": "janus",  # the short cases of its engine
    "nginx": "nginx-light",
    "caddy": "caddy",
    "ip": "iproute2",
    "nft": "nftables",
    "openssl": "openssl",
    "node": "nodejs",
    "npm": "npm",
    "lego": "lego",
    "curl": "curl",
    "certutil": "libnss3-tools",
    "zbarimg": "zbar-tools",
    "rsvg-convert": "librsvg2-bin",
    "systemd-analyze": "systemd",
    "fdtoverlay": "device-tree-compiler",
    "strace": "strace",
    "mkfs.ext4": "e2fsprogs",  # the factory reset of the image
    "mcopy": "mtools",  # cards on which updates are cut off
    "fsck.fat": "dosfstools",
    "sfdisk": "fdisk",  # whose tools the card, its hash tree and U-Boot's files are compared with
    "veritysetup": "cryptsetup-bin",
    "mkimage": "u-boot-tools",
    "promtool": "prometheus",  # checks the figures and the alerts
    "minisign": "minisign",  # signatures of ours and its, each checked by the other
    "/usr/lib/*/libspeexdsp.so.1": "libspeexdsp1",  # a canceller that ours is compared with
}
"""What the suite runs for real: a program each, and the package that has it."""

RUNS = Path("/run/systemd/system").is_dir()
"""Whether this is a machine with a system of its own, and no container."""

TAKE_OVER = {
    "NetworkManager": "network-manager",
    "/lib/systemd/systemd-timesyncd": "systemd-timesyncd",
    "/usr/sbin/sshd": "openssh-server",
}
"""What would take over the network and the clock of a machine that runs, or let people in: left to whoever types it."""

if not RUNS:
    TESTS |= TAKE_OVER

BENCH = SOUND | {
    "janus": "janus",
    "chromium": "chromium",
    "valgrind": "valgrind",
    "qemu-aarch64": "qemu-user",
    "cc": "gcc",
    "/usr/lib/*/libspeexdsp.so.1": "libspeexdsp1",
}
"""The same for benchmarks."""

ENGINES = {
    "redis-server": "redis-server",
    "janus": "janus",
    "ip": "iproute2",
}
"""The servers of other engines: Janus, and what LiveKit's nodes share (its server is built, make tools-livekit)."""

PAGE = {
    "firefox-esr": "firefox-esr",
    "node": "nodejs",
    "npm": "npm",
    "cc": "gcc",  # links Firefox's driver
}
"""What the page is tried in beside Chromium."""

KERNEL = {
    "qemu-system-x86_64": "qemu-system-x86",
    "depmod": "kmod",
}
"""What runs a kernel of its own for the tests of cards and pins."""

NETWORK = TAKE_OVER | {
    "wpa_supplicant": "wpasupplicant",
    "hostapd": "hostapd",
    "iw": "iw",
    "ip": "iproute2",
    "dbus-daemon": "dbus-daemon",
    "/usr/lib/polkit-1/polkitd": "polkitd",
}
"""The network of a device and what is around it, for a kernel of its own."""

FIRMWARE = {
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "cc": "gcc",  # dtschema reads trees with a library that has no wheels
}
"""What compiles device trees and what checks them."""

HARDWARE = {"dot": "graphviz"}
"""What lays out the picture of the cables."""

BOARDS = {"qemu-system-aarch64": "qemu-system-arm", "depmod": "kmod"}
"""What starts a kernel on a Raspberry Pi that is none."""

IMAGE_TESTS = BOARDS | {
    "mcopy": "mtools",
    "zstd": "zstd",
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "ip": "iproute2",
    "curl": "curl",
}
"""What starts the image in an office of its own and looks into its card."""

UPDATES = IMAGE_TESTS | {
    "/usr/lib/u-boot/qemu_arm64/u-boot.bin": "u-boot-qemu",
    "fsck.fat": "dosfstools",
    "debugfs": "e2fsprogs",
}
"""What takes updates under QEMU, and judges what power cuts leave."""

SYSTEMD = {
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "dbus-daemon": "dbus-daemon",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper": "dbus",
    "/usr/lib/polkit-1/polkitd": "polkitd",
    "/usr/lib/*/security/pam_systemd.so": "libpam-systemd",
}
"""What a guest with a systemd of its own has from this machine, and what starts it."""

PACKAGING = {
    "dpkg-deb": "dpkg",
    "eu-strip": "elfutils",  # takes symbols out of libraries of any processor
}
"""What makes the Debian packages."""

ELSEWHERE = PACKAGING | {"/usr/lib/*/faketime/libfaketime.so.1": "libfaketime"}
"""What makes the image a second time, on another day."""

PACKAGES = PACKAGING | {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "systemd-nspawn": "systemd-container",
    "lintian": "lintian",
}
"""What tries them in clean roots."""

SETS = {
    "tests": TESTS,
    "bench": BENCH,
    "engines": ENGINES,
    "page": PAGE,
    "kernel": KERNEL,
    "network": NETWORK,
    "firmware": FIRMWARE,
    "boards": BOARDS,
    "images": IMAGE_TESTS,
    "updates": UPDATES,
    "hardware": HARDWARE,
    "systemd": SYSTEMD,
    "packaging": PACKAGING,
    "elsewhere": ELSEWHERE,
    "packages": PACKAGES,
}
_PLACES = ("/usr/sbin", "/sbin", "/usr/local/sbin")


def find(program: str) -> str | None:
    """Path of a program, also of one that only root has in its PATH; or of a file, named from / on, maybe with a *."""
    if program.startswith("/"):
        return next((str(path) for path in Path("/").glob(program[1:])), None)
    return shutil.which(program) or next((str(p) for d in _PLACES if (p := Path(d) / program).exists()), None)


def main(arguments: list[str]) -> int:
    """Install what is missing of the named sets or packages; 75 when a named package is missing still."""
    wanted: dict[str, str] = {}
    for name in arguments or ["tests"]:
        wanted.update(SETS.get(name, {name: name}))
    missing = sorted({package for program, package in wanted.items() if find(program) is None})
    if RUNS:
        missing = [package for package in missing if package not in TAKE_OVER.values()]
    if missing and debian.available() and debian.elevation() is not None:
        print(f"kontor: installing Debian's {', '.join(missing)}.", flush=True)
        debian.install(*missing)
    left = sorted({package for program, package in wanted.items() if find(program) is None})
    if left:
        print(f"kontor: missing {', '.join(left)}; type: sudo apt-get install {' '.join(left)}", flush=True)
    return 75 if left and arguments not in ([], ["tests"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
