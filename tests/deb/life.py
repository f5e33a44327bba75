"""What happens to a package from its installation until it is purged, each with what must be true then."""

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

from tests.deb.roots import Root

SITE = "usr/lib/kontor/lib"
USERS = ("kontor-sound", "kontor-link", "kontor-provision", "kontor-host")
IMPORTS = """
import aiohttp, alsaaudio, cryptography, dbus_fast, gpiod, gpiozero, numpy, prometheus_client, pywebrtc_audio, segno
import webrtc_noise_gain, zeroconf
import appliance.media.webrtc, appliance.host.dtls
from appliance.media import opus
print(alsaaudio.__file__, numpy.__file__, opus.version())
"""
HOST = """schema = 1
[host]
listen = "127.0.0.1"
port = {port}
[device]
state_dir = "/tmp/host"
runtime_dir = "/tmp/host"
[[host.rooms]]
id = "lobby"
"""


NETWORKS = "etc/NetworkManager/system-connections"


def untouched(root: Root) -> dict[str, str]:
    """The state of a root that has never seen the package."""
    (root.folder / NETWORKS).mkdir(parents=True)
    return root.state()


def install(root: Root, package: Path) -> None:
    """Install it as an admin would, with nothing left to fetch."""
    done = root.run("apt-get", "install", "-y", "--no-install-recommends", root.put(package))
    assert "0 upgraded, 1 newly installed, 0 to remove" in done.stdout, "what it depends on is there already"
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if re.search("(?i)warning|error", line)]
    assert not [line for line in complaints if "legacy.conf" not in line], "\n".join(complaints)


def works(root: Root, version: str) -> None:
    """Every library loads, the command answers, Python is compiled, and each service has its user and folder."""
    assert root.run("kontor", "--version").stdout == f"kontor {version}\n"
    assert root.run("dpkg", "--verify", "kontor").stdout == "", "a file is not as the package has it"
    imported = root.run("/usr/lib/kontor/bin/python3", "-I", "-W", "error", "-c", IMPORTS).stdout.split()
    assert imported[0].startswith("/usr/lib/python3/dist-packages/"), "ALSA's library is Debian's"
    assert imported[1].startswith(f"/{SITE}/"), "numpy is the locked one, whatever the system has"
    assert imported[2] == "libopus"
    libraries = [f"/{path.relative_to(root.folder)}" for path in (root.folder / SITE).rglob("*.so*")]
    assert len(libraries) > 30
    assert "not found" not in root.run("ldd", *libraries, check=False).stdout
    sources = set((root.folder / SITE).rglob("*.py"))
    compiled = {path.parent.parent / f"{path.name.partition('.')[0]}.py" for path in _compiled(root)}
    assert sources == compiled, "the services cannot write what they compile"
    for user in USERS:
        entry = root.run("getent", "passwd", user).stdout.split(":")
        assert entry[6].strip() == "/usr/sbin/nologin"
        folder = root.folder / f"var/lib/kontor/{user.removeprefix('kontor-')}"
        assert (folder.stat().st_uid, folder.stat().st_mode & 0o077) in {(int(entry[2]), 0), (int(entry[2]), 0o050)}


def _compiled(root: Root) -> list[Path]:
    return list((root.folder / SITE).rglob("__pycache__/*.pyc"))


def units_are_right(root: Root) -> None:
    """The units are without a mistake by systemd's own check, and none is enabled: who installs a package opens no microphone."""
    units = sorted((root.folder / "usr/lib/systemd/system").glob("kontor*"))
    assert len(units) >= 6
    done = root.run(
        "systemd-analyze", "verify", "--man=no", *(f"/usr/lib/systemd/system/{unit.name}" for unit in units)
    )
    assert "kontor" not in done.stderr + done.stdout, done.stderr
    assert not list((root.folder / "etc/systemd/system").rglob("kontor*"))


def is_set_up_at_a_terminal(root: Root, port: int, patience: float) -> None:
    """``kontor setup`` at a terminal: an address that is none, then one of a room; the settings it writes are right."""
    (root.folder / "tmp/host.toml").write_text(HOST.format(port=port))
    with subprocess.Popen(
        root.command("timeout", "-s", "TERM", "600", "kontor", "host", "--config", "/tmp/host.toml"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as host:
        try:
            _until_answered(root, port, patience)
            said = _typed(
                root.command("kontor", "setup"),
                [
                    ("Address", f"http://127.0.0.1:{port}/cellar"),
                    ("nevertheless? [y/N] ", "n"),
                    ("Address", f"http://127.0.0.1:{port}/lobby"),
                    ("Name", "Small room"),
                    ('"none" to go on', "none"),
                ],
                patience,
            )
        finally:
            host.terminate()
            host.wait()
    assert "Written: /etc/kontor/kontor.toml" in said
    settings = (root.folder / "etc/kontor/kontor.toml").read_text()
    assert f'"http://127.0.0.1:{port}"' in settings
    assert '"lobby"' in settings
    assert '"Small room"' in settings
    root.run("kontor", "config", "check")


def _until_answered(root: Root, port: int, patience: float) -> None:
    ask = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    end = time.monotonic() + patience
    while root.run("python3", "-c", ask, check=False).returncode:
        assert time.monotonic() < end, "the host does not answer"
        time.sleep(0.3)


def _typed(command: list[str], talk: list[tuple[str, str]], patience: float) -> str:
    """Run a command at a terminal of its own and type each answer when its question stands there; all that it said.

    Its end status may be anything: no device is here to be started.
    """
    ours, theirs = pty.openpty()
    said, seen, asked = "", 0, list(talk)
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        end = time.monotonic() + patience
        try:
            while True:
                assert time.monotonic() < end, f"it waits:\n{said}"
                if not select.select([ours], [], [], 1.0)[0]:
                    continue
                try:
                    said += os.read(ours, 4096).decode(errors="replace")
                except OSError:  # EIO: it has ended
                    break
                if asked and asked[0][0] in said[seen:]:
                    seen = len(said)
                    os.write(ours, asked.pop(0)[1].encode() + b"\n")
        finally:
            if asked and process.poll() is None:
                process.kill()
            os.close(ours)
    assert not asked, f"it never asked {asked[0][0]!r}:\n{said}"
    return said


def later_version(package: Path, folder: Path, version: str) -> Path:
    """The same package as a later version that has one file more and one less."""
    tree = folder / "later"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    appliance = next((tree / SITE).glob("python3.*/site-packages/appliance"))
    (appliance / "__init__.py").write_text(f'__version__ = "{version}"\n')
    (appliance / "later.py").write_text("")
    (tree / "DEBIAN/md5sums").unlink()
    later = folder / f"kontor_{version}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(tree), str(later)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return later


def is_upgraded(root: Root, later: Path, version: str) -> None:
    """A later version takes over; what the device keeps stays as it was."""
    kept = {
        "etc/kontor/conf.d/20-ours.toml": "schema = 1\n",
        "var/lib/kontor/sound/mute.json": "{}",
        "var/lib/kontor/link/device.key": "a key",
    }
    for path, text in kept.items():
        (root.folder / path).write_text(text)
    before = {path: (root.folder / path).stat() for path in ["var/lib/kontor/link", *kept]}
    root.run("dpkg", "-i", root.put(later))
    assert root.run("kontor", "--version").stdout == f"kontor {version}\n"
    assert {path: (root.folder / path).read_text() for path in kept} == kept
    for path, was in before.items():
        now = (root.folder / path).stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (was.st_mode, was.st_uid, was.st_gid)
    appliance = next((root.folder / SITE).glob("python3.*/site-packages/appliance"))
    assert list((appliance / "__pycache__").glob("later.*.pyc"))


def is_removed(root: Root) -> None:
    """The program is gone whole; settings and state are there for the next installation."""
    root.run("apt-get", "remove", "-y", "kontor")
    assert not (root.folder / "usr/lib/kontor").exists()
    assert not (root.folder / "usr/bin/kontor").exists()
    assert (root.folder / "etc/kontor/kontor.toml").exists()
    assert (root.folder / "var/lib/kontor/link/device.key").read_text() == "a key"


def is_purged(root: Root, before: dict[str, str]) -> None:
    """Nothing is left: every path, every account and every word below /etc is as before the installation."""
    (root.folder / "etc/systemd/system/multi-user.target.wants").mkdir(parents=True, exist_ok=True)
    (root.folder / "etc/systemd/system/multi-user.target.wants/kontor.target").symlink_to(
        "/usr/lib/systemd/system/kontor.target"
    )
    (root.folder / NETWORKS / "kontor-wifi-Office.nmconnection").write_text("[wifi-security]\npsk=secret\n")
    assert "kontor-wifi-Office" in root.run("apt-get", "purge", "-y", "kontor").stdout
    assert root.run("dpkg-query", "-W", "kontor", check=False).returncode != 0
    after = root.state()
    differences = {path: (before.get(path), after.get(path)) for path in before.keys() | after.keys()}
    assert {path: found for path, found in differences.items() if found[0] != found[1]} == {}
