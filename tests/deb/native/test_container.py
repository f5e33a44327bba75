"""deploy/Containerfile, step by step in a clean root: what its instructions say is done as a container's builder would.

No builder of containers is asked for: what is not tried is the base image itself, layers, volumes and the network.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deb.roots import CHECKOUT, Root, root
from tools.package.targets import TARGETS, Target

pytestmark = pytest.mark.slow

PORT = 18441
SETTINGS = f"""schema = 1
[host]
port = {PORT}
[[host.rooms]]
id = "lobby"
"""


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the file, each with what follows it."""
    for line in (CHECKOUT / "deploy/Containerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


@pytest.mark.timeout(900)
def test_the_host_runs_in_a_container(package: Callable[[Target], Path]) -> None:
    """Built by the file's own lines, it runs as a user that is not root, makes its keys, answers, and is healthy."""
    target = next(target for target in TARGETS if target.name == "trixie-amd64")
    made = package(target)
    told = dict(instructions())
    assert told["FROM"] == "debian:trixie-slim"
    with root(target) as clean:
        shutil.copy("/etc/resolv.conf", clean.folder / "etc/resolv.conf")
        assert told["COPY"] == "${PACKAGE} /tmp/"
        shutil.copy(made, clean.folder / "tmp")
        # A container's /run is part of its image.
        clean.run("sh", "-ec", f"umount /run; {told['RUN']}")
        assert not (clean.folder / "usr/lib/systemd/systemd").exists(), "no init where none runs"
        assert list((clean.folder / "tmp").glob("*.deb")) == []
        (clean.folder / "etc/kontor/kontor.toml").write_text(SETTINGS)
        user, group = told["USER"].split(":")
        answers(
            clean, user, group, json.loads(told["ENTRYPOINT"]), json.loads(told["HEALTHCHECK"].removeprefix("CMD "))
        )
        (volume,) = json.loads(told["VOLUME"])
        assert list((clean.folder / volume.removeprefix("/")).iterdir()), "what it keeps is in the volume"


def answers(clean: Root, user: str, group: str, entrypoint: list[str], health: list[str]) -> None:
    """Start it as the container would, and ask it for its page and its health."""

    def inside(words: list[str]) -> list[str]:
        as_user = f"umount /run; exec setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs {shlex.join(words)}"
        return clean.command("sh", "-c", as_user)

    with subprocess.Popen(inside(entrypoint), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as host:
        try:
            end = time.monotonic() + 60
            while subprocess.run(inside(health), capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode:
                assert time.monotonic() < end
                assert host.poll() is None, host.stderr.read() if host.stderr else ""
                time.sleep(0.3)
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/lobby", timeout=10) as page:
                assert b"<html" in page.read()
        finally:
            os.kill(host.pid, signal.SIGTERM)
            host.communicate()
    assert host.returncode == 0, "it ends in order when the container is stopped"
