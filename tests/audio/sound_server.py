"""A private sound server for tests of ALSA: a microphone "mic" that hears what the loudspeaker "spk" plays."""

import os
import shutil
from pathlib import Path
from typing import Self

from appliance.audio.port import SoundCard
from tools.bench.graph import Graph

_FIXED = {
    "mic_16": "format S16_LE channels 1",
    "mic_24": "format S24_LE channels 2",
    "mic_24_3": "format S24_3LE channels 4",
    "mic_32": "format S32_LE",
    "mic_float": "format FLOAT_LE",
    "mic_two": "channels 2",
    "mic_44": "rate 44100",
}
_MORE = """
pcm.mic8 {{ type route slave {{ pcm "mic" channels 1 }} {halves} }}
pcm.spk_24_3 {{ type pipewire playback_node "spk" format S24_3LE channels 1 }}
pcm.no_clock {{ type null }}
pcm.no_card {{ type hw card NoSuchCard }}
{fixed}
"""


class Server:
    """While it runs, this process reaches it by the names of its nodes.

    More devices of the same nodes: ``mic8`` has eight channels, each half as loud as the one before; ``mic_16`` and so on
    have one format or rate and no other; ``no_clock`` is alsa-lib's null, and ``no_card`` a card that nobody has.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._starts = folder, 0
        self._before: dict[str, str | None] = {}
        self._graph = self._new()

    def _new(self) -> Graph:
        """Each start has a folder of its own, behind one link: programs find it where they found the last one."""
        self._starts += 1
        place = self._folder / str(self._starts)
        place.mkdir(parents=True)
        link = self._folder / "now"
        link.unlink(missing_ok=True)
        link.symlink_to(place, target_is_directory=True)
        graph = Graph(link, ["mic"], ["spk"])
        fixed = "".join(f'pcm.{name} {{ type pipewire capture_node "mic" {rest} }}\n' for name, rest in _FIXED.items())
        halves = " ".join(f"ttable.{channel}.0 {0.5**channel}" for channel in range(8))
        with (link / "asound.conf").open("a") as file:
            file.write(_MORE.format(fixed=fixed, halves=halves))
        return graph

    def __enter__(self) -> Self:
        self._up()
        for name, value in self._graph.environment.items():
            if value != os.environ.get(name):
                self._before[name] = os.environ.get(name)
                os.environ[name] = value
        return self

    def _up(self) -> None:
        try:
            self._graph.start()
            self.hears(True)
        except BaseException:
            self._graph.stop()
            raise

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        self._graph.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def hears(self, whether: bool) -> None:
        """Let the microphone hear the loudspeaker, or nothing at all."""
        (self._graph.link if whether else self._graph.unlink)("spk:monitor_MONO", "mic:input_MONO")

    def kill(self) -> None:
        """End the server under whoever uses it."""
        self._graph.stop()

    def restart(self) -> None:
        """Start it again."""
        self._graph = self._new()
        self._up()


def alsa_card(
    capture: str, playback: str, *, channels: int = 0, low_delay: bool = False, watch_silence: bool = True
) -> SoundCard:
    """ALSA's card; its library may be missing where nothing asks for it."""
    from appliance.audio.alsa import AlsaCard

    return AlsaCard(capture, playback, channels=channels, low_delay=low_delay, watch_silence=watch_silence)
