"""A private sound server for tests of ALSA: a microphone "mic" that hears what the loudspeaker "spk" plays."""

import os
from pathlib import Path
from typing import Self

from appliance.audio.port import SoundCard
from tools.bench.graph import Graph


class Server:
    """While it runs, this process reaches it by the names of its nodes."""

    def __init__(self, folder: Path) -> None:
        self._graph = Graph(folder, ["mic"], ["spk"])
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        try:
            self._graph.start()
            self._graph.link("spk:monitor_MONO", "mic:input_MONO")
        except BaseException:
            self._graph.stop()
            raise
        for name, value in self._graph.environment.items():
            if value != os.environ.get(name):
                self._before[name] = os.environ.get(name)
                os.environ[name] = value
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        self._graph.stop()

    def kill(self) -> None:
        """End the server under whoever uses it."""
        self._graph.stop()


def alsa_card(capture: str, playback: str, *, low_delay: bool = False) -> SoundCard:
    """ALSA's card; its library may be missing where nothing asks for it."""
    from appliance.audio.alsa import AlsaCard

    return AlsaCard(capture, playback, low_delay=low_delay)
