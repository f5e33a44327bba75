"""What every sound card is to the rest of sound, real or virtual."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from appliance.core.units import Block

Captured = Callable[[Block], None]
"""Called on the capture thread with one block, shape (480,) float32; the array is only valid during the call."""

Wanted = Callable[[Block], None]
"""Called on the playback thread; fills the block that is played next, shape (480,) float32. It is the downlink's clock."""

CardChanged = Callable[[bool], None]
"""Called from any thread: True when the card runs, False when it is lost."""


class SoundCard(Protocol):
    """A microphone and a loudspeaker with one clock each."""

    @property
    def name(self) -> str:
        """For status and journal."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong so far, by the names of core/counters.py."""

    def start(self, captured: Captured, wanted: Wanted, changed: CardChanged) -> None:
        """Start the threads. ``wanted`` goes on being called every 10 ms even when the card is lost."""

    def stop(self) -> None:
        """End the threads within one second."""

    @property
    def ended(self) -> Future[None]:
        """Done when an audio thread has ended, with its error if it had one; sound then ends with 70."""
