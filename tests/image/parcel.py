"""What a device under test has besides the image: an archive behind its first file system, which nothing in the image knows.

In it /bin/switch_root, the last that our init calls, is another one: it copies what lies below /parcel into the root's layer in
memory, and goes on. So the root comes up with simulated pins, a sound card that is a cable, and a program that does what the
host asks.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.image.layout import DATA, FIRMWARE
from tools.kernel import initrd
from tools.kernel.fetch import ROOT, Kernel

PLACE = "opt/kontor-test"
MODULES = ("gpio-sim", "snd-aloop", "ftdi_sio")
STRETCHED = 60
"""Seconds within which a service tells its watchdog something, on a processor that is emulated on a busy machine."""

_SWITCH = """#!/bin/busybox sh
/bin/busybox find /parcel -type f ! -path '*/bin/*' -exec /bin/busybox chmod 644 {} +
/bin/busybox cp -a /parcel/. "$1"/
exec /bin/busybox switch_root "$@"
"""
_MODULES_UNIT = f"""[Unit]
Description=Test: pins and a sound card
DefaultDependencies=no
After=kmod-static-nodes.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for module in /{PLACE}/modules/*; do insmod $module 2>/dev/null; done; exit 0'
"""
_AGENT_UNIT = f"""[Unit]
Description=Test: does what the host asks for
DefaultDependencies=no
After=kontor-test-modules.service systemd-udevd.service
Conflicts=shutdown.target
Before=shutdown.target
[Service]
Environment=PYTHONPATH=/{PLACE} PYTHONDONTWRITEBYTECODE=1 SYSTEMD_PAGER= LC_ALL=C.UTF-8
WorkingDirectory=/{PLACE}
ExecStart=/usr/bin/python3 -m tests.image.inside.serve
Restart=always
"""
_STRETCH = f"[Service]\nWatchdogSec={STRETCHED}\nTimeoutStartSec=600\nCPUSchedulingPolicy=other\n"
"""And no real time: on a processor that is too slow for sound, nothing else would ever get its turn."""
_SETTINGS = """schema = 1
[audio]
capture = "hw:CARD=Loopback,DEV=1"
playback = "hw:CARD=Loopback,DEV=1"
echo = "off"
noise = "off"
gain_control = false
complexity = 0
chimes = "off"
[panel]
board = "pi4"
chip = "kontor-test"
"""
"""As a machine's own: no front end, and the pins by their name. The card's own kontor.toml is as the server made it."""
_DEVICES = "[Manager]\nDefaultDeviceTimeoutSec=600\n"
_DEVICE = "[Unit]\nJobRunningTimeoutSec=600\n"
_UNITS = "etc/systemd/system"
_SOURCES = (
    *("tests/__init__.py", "tests/image/__init__.py", "tests/image/inside/*.py"),
    *(f"tools/{name}.py" for name in ("__init__", "kernel/__init__", "kernel/agent", "kernel/channel")),
    "tools/kernel/ticks.py",
)


def archive(kernel: Kernel) -> bytes:
    """The archive, not compressed.

    :param kernel: the image's kernel with all its modules, those too that the image leaves out.
    """
    files = {f"{_UNITS}/kontor-test-modules.service": _MODULES_UNIT.encode()}
    files[f"{_UNITS}/kontor-test.service"] = _AGENT_UNIT.encode()
    files["etc/kontor/conf.d/50-test.toml"] = _SETTINGS.encode()
    files["etc/systemd/system.conf.d/90-test.conf"] = _DEVICES.encode()
    for uuid in (FIRMWARE.uuid, DATA.uuid):
        device = f"dev-disk-by\\x2dpartuuid-{uuid.replace('-', chr(92) + 'x2d')}.device.d"
        files[f"{_UNITS}/{device}/90-test.conf"] = _DEVICE.encode()
    for part in ("sound", "link", "provision"):
        files[f"{_UNITS}/kontor-{part}.service.d/test.conf"] = _STRETCH.encode()
    for pattern in _SOURCES:
        files |= {f"{PLACE}/{path.relative_to(ROOT)}": path.read_bytes() for path in sorted(ROOT.glob(pattern))}
    files |= {f"{PLACE}/{name}": data for name, data in initrd.modules(kernel, MODULES).items()}
    wanted = f"{_UNITS}/sysinit.target.wants"
    links = {f"{wanted}/{unit}": f"../{unit}" for unit in ("kontor-test-modules.service", "kontor-test.service")}
    inside = {f"parcel/{name}": data for name, data in files.items()} | {"bin/switch_root": _SWITCH.encode()}
    return initrd.archive(_folders(inside, links), inside, {f"parcel/{name}": to for name, to in links.items()})


def _folders(files: dict[str, bytes], links: dict[str, str]) -> list[str]:
    names = [*files, *(f"parcel/{name}" for name in links)]
    return sorted({str(parent) for name in names for parent in Path(name).parents if str(parent) not in (".", "bin")})


def tree(base: Path, out: Path) -> Path:
    """The device tree ``base`` with tree.dts merged into it, at ``out``."""
    overlay = out.with_suffix(".dtbo")
    source = Path(__file__).with_name("tree.dts")
    subprocess.run(["dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", overlay, source], check=True)
    subprocess.run(["fdtoverlay", "-i", base, "-o", out, overlay], check=True)
    return out
