"""A private PipeWire graph: microphones and loudspeakers that are not there, all on one clock.

Every node of it is driven by the same timer, so what is written into a microphone and what comes out of a loudspeaker have
sample positions that can be compared. Programs reach it by ALSA, PulseAudio or JACK; each needs :attr:`Graph.environment`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.system import SOUND, find

_HEADERS = "/usr/include/"
PRIORITY = 30
"""Of the graph's own threads, where real time is allowed."""
_RATE = 48_000
_UP = 15.0
_HUM = "hum"

_SERVER = """context.properties = {{
    default.clock.rate = {rate} default.clock.allowed-rates = [ {rate} ]
    default.clock.quantum = {quantum} default.clock.min-quantum = {quantum} default.clock.max-quantum = {quantum}
}}
context.objects = [ {nodes} ]
"""
_NODE = (
    "{{ factory = adapter args = {{ factory.name = support.null-audio-sink node.name = {name} node.description = {name}"
    " media.class = {kind} audio.position = [ MONO ] monitor.channel-volumes = false }} }}"
)
_ALSA = """
pcm.{name} {{ type pipewire capture_node "{name}" playback_node "{name}" }}
"""


def missing() -> list[str]:
    """The packages that are not installed."""
    needed = {program: package for program, package in SOUND.items() if not program.startswith(_HEADERS)}
    return [package for program, package in needed.items() if find(program) is None]


def real_time(priority: int) -> list[str]:
    """The words before a command that give it this priority, or none where that is not allowed."""
    words = ["chrt", "-f", str(priority)]
    if shutil.which("chrt") is None:
        return []
    allowed = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    return words if allowed else []


def ordinary() -> list[str]:
    """The words before a command that is not to have the priority of whoever starts it."""
    return ["chrt", "-o", "0"] if shutil.which("chrt") else []


class Graph:
    """The running graph. ``microphones`` are fed at ``NAME:input_MONO``, ``loudspeakers`` heard at ``NAME:monitor_MONO``."""

    def __init__(
        self,
        folder: Path,
        microphones: Sequence[str],
        loudspeakers: Sequence[str],
        quantum: int = 256,
        *,
        hums: bool = False,
    ) -> None:
        """:param hums: whether every microphone hears a faint noise all the time, as a real one does."""
        if hums:
            loudspeakers = [*loudspeakers, _HUM]
        self._hearing = microphones if hums else ()
        self._folder, self._names = folder, (*microphones, *loudspeakers)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._configure(microphones, loudspeakers, quantum)
        self.environment: Mapping[str, str] = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PIPEWIRE_RUNTIME_DIR": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder / 'bus'}",
            "PULSE_SERVER": f"unix:{folder / 'pulse' / 'native'}",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        """For every program that is to use it."""

    def _configure(self, microphones: Sequence[str], loudspeakers: Sequence[str], quantum: int) -> None:
        place = self._folder / "config" / "pipewire" / "pipewire.conf.d"
        place.mkdir(parents=True)
        self._folder.chmod(0o700)
        nodes = [_NODE.format(name=name, kind="Audio/Source/Virtual") for name in microphones]
        nodes += [_NODE.format(name=name, kind="Audio/Sink") for name in loudspeakers]
        (place / "kontor.conf").write_text(_SERVER.format(rate=_RATE, quantum=quantum, nodes=" ".join(nodes)))
        system = "</usr/share/alsa/alsa.conf>\n"
        (self._folder / "asound.conf").write_text(system + "".join(_ALSA.format(name=name) for name in self._names))

    def start(self) -> None:
        """Start it, and wait until every node is there.

        :raises TimeoutError: a node did not come.
        """
        self._run("pipewire", [*real_time(PRIORITY), "pipewire"])
        self._wait((self._folder / "pipewire-0").exists, "the graph's socket")
        self._run("bus", ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={self._folder / 'bus'}"])
        self._wait((self._folder / "bus").exists, "the session bus")
        self._run("wireplumber", ["wireplumber"])
        self._run("pulse", [*real_time(PRIORITY - 5), "pipewire-pulse"])
        self._wait((self._folder / "pulse" / "native").exists, "the PulseAudio socket")
        self._wait(lambda: all(f"{name}:" in self.ports() for name in self._names), "the nodes")
        if self._hearing:
            self._run(_HUM, [sys.executable, "-m", "tools.bench.hum", _HUM])
        for name in self._hearing:
            self.link(f"{_HUM}:monitor_MONO", f"{name}:input_MONO")

    def _run(self, name: str, command: list[str]) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=dict(self.environment), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._processes.append(process)

    @staticmethod
    def _wait(done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _UP
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{what} did not come up")
            time.sleep(0.05)

    def ports(self) -> str:
        """Every port, one a line."""
        done = subprocess.run(
            ["pw-link", "-io"], env=dict(self.environment), capture_output=True, text=True, check=False
        )
        return done.stdout

    def link(self, source: str, target: str) -> None:
        """Join two ports.

        :raises subprocess.CalledProcessError: there is no such port.
        """
        subprocess.run(["pw-link", source, target], env=dict(self.environment), check=True, capture_output=True)

    def unlink(self, source: str, target: str) -> None:
        """Part two ports."""
        subprocess.run(["pw-link", "-d", source, target], env=dict(self.environment), check=True, capture_output=True)

    def stop(self) -> None:
        """End it."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
