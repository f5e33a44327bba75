"""A room on a private sound server: the microphone hears what the loudspeaker plays, through an echo path, and somebody near."""

import contextlib
import os
import subprocess
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from appliance.core.units import RATE, Block
from tests.support.waiting import wait_for
from tools.bench.graph import Graph

_FILTER = """
context.spa-libs = {{ audio.convert.* = audioconvert/libspa-audioconvert support.* = support/libspa-support }}
context.modules = [
  {{ name = libpipewire-module-rt args = {{ }} flags = [ ifexists nofail ] }}
  {{ name = libpipewire-module-protocol-native }}
  {{ name = libpipewire-module-client-node }}
  {{ name = libpipewire-module-adapter }}
  {{ name = libpipewire-module-filter-chain args = {{
      filter.graph = {{
        nodes = [ {{ type = builtin name = room label = convolver config = {{ filename = "{response}" }} }} ]
        inputs = [ "room:In" ] outputs = [ "room:Out" ]
      }}
      audio.channels = 1 audio.position = [ MONO ]
      capture.props = {{ node.name = "room_in" node.autoconnect = false }}
      playback.props = {{ node.name = "room_out" node.autoconnect = false }}
  }} }}
]
"""


def response(reverberation: float = 0.3, seconds: float = 0.25, seed: int = 5) -> Block:
    """An impulse response: the loudspeaker a metre away, and a room that rings out (RT60 in seconds). Shape (n,) float32."""
    count = int(seconds * RATE)
    tail = np.random.default_rng(seed).standard_normal(count) * 10 ** (-3 * np.arange(count) / RATE / reverberation)
    tail[: RATE // 200] = 0
    tail *= 0.25 / np.sqrt(np.sum(tail**2))
    tail[RATE // 343] = 0.4
    return tail.astype(np.float32)


def write_wav(path: Path, samples: Block) -> Path:
    """16 bits, mono, 48 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name, value in wanted.items() if os.environ.get(name) != value}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Room:
    """While it runs, ALSA's "mic" and "spk" of this process are in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._graph = Graph(folder, ["mic"], ["spk", "near"])
        self._processes: list[subprocess.Popen[bytes]] = []

    @contextlib.contextmanager
    def __call__(self) -> Iterator["Room"]:
        try:
            self._graph.start()
            self._echo()
            self._graph.link("near:monitor_MONO", "mic:input_MONO")
            with _environment(self._graph.environment):
                yield self
        finally:
            for process in self._processes:
                process.terminate()
                process.wait()
            self._graph.stop()

    def _echo(self) -> None:
        path = write_wav(self._folder / "response.wav", response())
        filter_ = self._folder / "room.conf"
        filter_.write_text(_FILTER.format(response=path))
        self._run("pipewire", "-c", str(filter_))
        wait_for(lambda: "room_out:output_MONO" in self._graph.ports(), 10)
        self._graph.link("spk:monitor_MONO", "room_in:input_MONO")
        self._graph.link("room_out:output_MONO", "mic:input_MONO")

    def talk(self, samples: Block) -> None:
        """Let somebody near say this, shape (n,) float32 at 48 kHz, from about now on."""
        path = write_wav(self._folder / f"near{len(self._processes)}.wav", samples)
        self._run("pw-cat", "--playback", "--target", "near", str(path))

    def _run(self, *command: str) -> None:
        with (self._folder / "room.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=dict(self._graph.environment), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._processes.append(process)
