"""A sound card by ALSA: two threads, one for the microphone and one for the loudspeaker, each with its own device and clock.

**A room never needs a hand.** A card that is not there, is in use, was unplugged, is stuck or sends nothing but one and the
same sample is said (:attr:`AlsaCard.problem`), closes the gate (``changed(False)``) and is opened again, by the id of its card,
until it works. Only settings that can never work end the card, and the process with it: :class:`CardMistakeError`.

**How little waits.** The microphone's block is handed on within a millisecond of its last sample. The loudspeaker has ``ahead``
to play when the next block is written: 15 ms in the low-delay profile, else 20; see :mod:`appliance.audio.alsa_loudspeaker`.

**Nothing waits in a driver.** Devices never block, and the threads sleep on their own: so they end within milliseconds
whatever a device does. Opening and closing alone are as long as the driver takes, and no thread but these two does them.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from appliance.audio.alsa_loudspeaker import AHEAD, AHEAD_LOW_DELAY
from appliance.audio.alsa_open import CardError, CardMistakeError, Wish
from appliance.audio.alsa_presence import Presence
from appliance.audio.alsa_sides import COUNTED, Hearing, Playing, Shared
from appliance.audio.port import CardFacts, CardUser

__all__ = ["AlsaCard", "CardError", "CardMistakeError"]


class AlsaCard:
    """Microphone and loudspeaker of ALSA, each named as ALSA names it, or ``auto``."""

    def __init__(
        self, capture: str, playback: str, *, channels: int = 0, low_delay: bool = False, watch_silence: bool = True
    ) -> None:
        """Nothing is opened before :meth:`start`.

        :param channels: of the microphones, 1 to 8; 0: as many as a known array has, else what the card gives for one.
        :param watch_silence: whether a microphone that gives one and the same sample for 1.5 s counts as lost, and one
            that never gave another as not there yet. Only for cards that are none: real ones are never that silent.
        """
        self._wish = Wish(capture, playback, channels)
        self._least = AHEAD_LOW_DELAY if low_delay else AHEAD
        self._watch = watch_silence
        self._threads: list[threading.Thread] = []
        self._finishing = threading.Lock()
        self._shared: Shared | None = None
        self.ended: Future[None] = Future()

    @property
    def name(self) -> str:
        return f"alsa ({self._wish.capture}, {self._wish.playback})"

    @property
    def counts(self) -> Mapping[str, int]:
        return dict(self._shared.counts) if self._shared else dict.fromkeys(COUNTED, 0)

    @property
    def facts(self) -> CardFacts | None:
        return self._shared.facts if self._shared else None

    @property
    def problem(self) -> str:
        """Why the card does not run, one sentence that names the setting; empty: it does, or is just being opened."""
        return self._shared.presence.problem if self._shared else ""

    def start(self, user: CardUser) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it
        shared = Shared(self._wish, user, Presence(user.changed), watch=self._watch, least=self._least)
        self._shared = shared
        lives = {"capture": Hearing(shared).run, "playback": Playing(shared).run}
        self._threads = [
            threading.Thread(target=self._guarded, args=(life, shared), name=name, daemon=True)
            for name, life in lives.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        if self._shared:
            self._end(self._shared)
        end = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    @staticmethod
    def _end(shared: Shared) -> None:
        shared.ending.set()
        shared.turn.release()

    def _guarded(self, life: Callable[[], None], shared: Shared) -> None:
        """The life of a thread: its error, or its end, is the card's."""
        error: BaseException | None = None
        try:
            life()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, sound must end with it and not go on deaf
            error = raised
        self._end(shared)
        with self._finishing:
            if self.ended.done():
                return
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)
