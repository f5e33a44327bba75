"""Plays into microphones and records loudspeakers of a graph, sample for sample on one clock: ``probe SECONDS JSON``.

A JACK client (JACK's C API by ctypes, libjack from PipeWire): what is played and what is recorded belong to the same turn of
the graph, so positions in the two can be compared. JSON on the command line: ``[[WAV, port, port, target.npy], …]``, each
played at the first port and recorded from the second. Tells what it was on standard output, as JSON.
"""

import ctypes
import ctypes.util
import json
import sys
import time
from pathlib import Path

import numpy as np

from appliance.audio.virtual import read_wav
from appliance.core.units import RATE, Block

_PLACES = ("/usr/lib/*/pipewire-0.3/jack/libjack.so.0",)
_NO_START, _OUTPUT, _INPUT = 0x01, 0x2, 0x1
_AUDIO = b"32 bit float mono audio"
_EXISTS = 17
_PROCESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)
_XRUN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def library() -> Path | None:
    """PipeWire's libjack, or None."""
    return next((path for path in sorted(Path("/usr/lib").glob("*/pipewire-0.3/jack/libjack.so.0"))), None)


class Jack:
    """The few calls that are needed, with their types."""

    def __init__(self, path: Path) -> None:
        lib = ctypes.CDLL(str(path))
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
        for name, result, arguments in (
            ("jack_client_open", pointer, [text, ctypes.c_int, pointer]),
            ("jack_port_register", pointer, [pointer, text, text, ctypes.c_ulong, ctypes.c_ulong]),
            ("jack_port_name", text, [pointer]),
            ("jack_port_get_buffer", pointer, [pointer, number]),
            ("jack_set_process_callback", ctypes.c_int, [pointer, _PROCESS, pointer]),
            ("jack_set_xrun_callback", ctypes.c_int, [pointer, _XRUN, pointer]),
            ("jack_activate", ctypes.c_int, [pointer]),
            ("jack_connect", ctypes.c_int, [pointer, text, text]),
            ("jack_get_buffer_size", number, [pointer]),
            ("jack_client_close", ctypes.c_int, [pointer]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self.lib = lib


class _Way:
    """One microphone, what is played into it, one loudspeaker, and what came out of it."""

    def __init__(self, jack: Jack, client: int, number: int, played: Block, length: int) -> None:
        lib = jack.lib
        self.played = np.zeros(length, np.float32)
        self.played[: min(length, len(played))] = played[:length]
        self.heard = np.zeros(length, np.float32)
        self.out = lib.jack_port_register(client, f"out{number}".encode(), _AUDIO, _OUTPUT, 0)
        self.into = lib.jack_port_register(client, f"in{number}".encode(), _AUDIO, _INPUT, 0)


class Probe:
    """Runs for ``length`` samples.

    :raises OSError: there is no graph, or a port is not there.
    """

    def __init__(self, path: Path, length: int, plays: list[tuple[Block, str, str]]) -> None:
        self._jack, self._length, self.at, self.xruns = Jack(path), length, 0, 0
        lib = self._jack.lib
        self._client = lib.jack_client_open(b"probe", _NO_START, None)
        if not self._client:
            raise OSError("there is no graph to play into")
        self._ways = [_Way(self._jack, self._client, n, play[0], length) for n, play in enumerate(plays)]
        self._process, self._xrun = _PROCESS(self._turn), _XRUN(self._late)  # kept: C calls them
        lib.jack_set_process_callback(self._client, self._process, None)
        lib.jack_set_xrun_callback(self._client, self._xrun, None)
        lib.jack_activate(self._client)
        self.quantum = int(lib.jack_get_buffer_size(self._client))
        for way, (_, microphone, loudspeaker) in zip(self._ways, plays, strict=True):
            self._connect(lib.jack_port_name(way.out), microphone.encode())
            self._connect(loudspeaker.encode(), lib.jack_port_name(way.into))

    def _connect(self, source: bytes, target: bytes) -> None:
        code = self._jack.lib.jack_connect(self._client, source, target)
        if code not in (0, _EXISTS):
            raise OSError(f"{source.decode()} cannot be joined to {target.decode()}: {code}")

    def _turn(self, frames: int, _argument: object) -> int:
        """The graph's real-time thread: one quantum out and one in, at the same place."""
        lib, start = self._jack.lib, self.at
        size = min(frames, self._length - start)
        for way in self._ways:
            out = lib.jack_port_get_buffer(way.out, frames)
            into = lib.jack_port_get_buffer(way.into, frames)
            if size > 0:
                ctypes.memmove(out, way.played.ctypes.data + 4 * start, 4 * size)
                ctypes.memmove(way.heard.ctypes.data + 4 * start, into, 4 * size)
            else:
                ctypes.memset(out, 0, 4 * frames)
        self.at = start + max(0, size)
        return 0

    def _late(self, _argument: object) -> int:
        self.xruns += 1
        return 0

    def run(self) -> list[Block]:
        """Wait for the end; what was heard."""
        while self.at < self._length:
            time.sleep(0.05)
        self._jack.lib.jack_client_close(self._client)
        return [way.heard for way in self._ways]


def main(seconds: str, ways: str) -> int:
    """Play, record, write."""
    path = library()
    if path is None:
        print("PipeWire's libjack is not installed: apt-get install pipewire-jack", file=sys.stderr)
        return 69
    sys.setswitchinterval(0.0002)
    given = json.loads(ways)
    probe = Probe(path, int(float(seconds) * RATE), [(read_wav(Path(wav)), mic, ear) for wav, mic, ear, _ in given])
    for heard, (*_, target) in zip(probe.run(), given, strict=True):
        np.save(target, heard)
    print(json.dumps({"quantum": probe.quantum, "xruns": probe.xruns}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
