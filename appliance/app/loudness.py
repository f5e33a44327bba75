"""How loud the loudspeaker is, and what rings in it: the volume buttons, what they leave for the next start, and the chimes.

A volume is no secret and no safety: a file that cannot be read or written is told once and otherwise does no harm.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from appliance.app import kept
from appliance.audio.chimes import Chimes
from appliance.audio.volume import Volume
from appliance.core.chimes import Chime
from appliance.core.events import EventName
from appliance.core.volume import HIGHEST, LOWEST, turned
from appliance.health.journal import Journal
from appliance.settings import AudioSettings, ChimeLevel

_LEVELS = {ChimeLevel.OFF: None, ChimeLevel.SOFT: -36.0, ChimeLevel.NORMAL: -30.0, ChimeLevel.LOUD: -24.0}
"""dBov. A voice of the room is at about -26."""
_AGAIN = 3.0
"""Seconds in which a knock is not heard twice: somebody far away may knock as often as he likes."""
_SETTLED = 1.0
"""Seconds after which a volume is stored: a button that is held moves it many times."""


class VolumeMemory:
    """The file ``volume.json`` in the state directory. A setting that was changed since then is newer than the buttons."""

    def __init__(self, directory: Path, setting: int) -> None:
        self._path, self._setting = directory / "volume.json", setting

    def load(self) -> int:
        """What the buttons left, dB; the setting where they left nothing since it was changed.

        :raises OSError, ValueError: there is something, and it cannot be read.
        """
        stored = kept.read(self._path)
        if stored is None:
            return self._setting
        volume, setting = stored.get("volume"), stored.get("setting")
        if type(volume) is not int or type(setting) is not int or not LOWEST <= volume <= HIGHEST:
            raise ValueError("it holds no volume")
        return volume if setting == self._setting else self._setting

    def save(self, volume: int) -> None:
        """Keep it for the next start. Blocks until it is on the disk: call it off the loop.

        :raises OSError: the disk refuses.
        """
        kept.write(self._path, {"volume": volume, "setting": self._setting})


class Loudness:
    """Loop only, but for :attr:`chimes`, which the playback thread uses, and its volume."""

    def __init__(
        self, settings: AudioSettings, state: Path, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal, self._clock = journal, clock
        self._memory = VolumeMemory(state, settings.volume_db)
        try:
            self.volume = self._memory.load()
            """dB."""
        except (OSError, ValueError) as error:
            self.volume = settings.volume_db
            journal.tell(EventName.VOLUME_NOT_KEPT, error=str(error))
        self._stored = self.volume
        self._to_store = asyncio.Event()
        self._knocked_at = -_AGAIN
        self.chimes = Chimes(_LEVELS[settings.chimes], Volume(self.volume))

    def turn(self, steps: int) -> None:
        """The volume buttons; a tick tells how loud it is now. At either end nothing is heard any more."""
        volume = turned(self.volume, steps)
        if volume == self.volume:
            return
        self.volume = volume
        self.chimes.volume.set(volume)
        self.chimes.ring(Chime.VOLUME)
        self._to_store.set()

    def ring(self, chime: Chime) -> None:
        """Let the room hear it."""
        if chime is Chime.KNOCK:
            now = self._clock()
            if now - self._knocked_at < _AGAIN:
                return
            self._knocked_at = now
        self.chimes.ring(chime)

    async def keep(self) -> None:
        """Store the volume when it has been turned and left alone. Vital."""
        while True:
            await self._to_store.wait()
            await asyncio.sleep(_SETTLED)
            self._to_store.clear()
            await self.store()

    async def store(self) -> None:
        """Store now what is not stored yet, off the loop."""
        volume = self.volume
        if volume == self._stored:
            return
        try:
            await asyncio.to_thread(self._memory.save, volume)
        except OSError as error:
            self._journal.tell(EventName.VOLUME_NOT_KEPT, error=str(error))
            return
        self._stored = volume
        self._journal.tell(EventName.VOLUME_CHANGED, db=volume)
