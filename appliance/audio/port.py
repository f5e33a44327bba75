"""What every sound card is to the rest of sound, real or virtual."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from appliance.core.units import Block, Blocks


class Side(StrEnum):
    """One of the two streams of a card; each counts its own samples."""

    CAPTURE = "capture"
    PLAYBACK = "playback"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What was really opened: a library of ALSA's may give something else than what was asked for."""

    capture: str
    """The device that is read, as it is named to ALSA."""
    playback: str
    """The device that is written."""
    channels: int
    """How many are captured."""
    format: str
    """Of a captured sample, as ALSA names it: S16_LE, S24_3LE, S32_LE …"""
    rate: int
    """Samples a second."""
    period: int
    """Samples between two turns of the capture stream."""
    usb_id: str = ""
    """Vendor and product, four hexadecimal digits each: 2886:0018; empty: it is no USB device, or not known."""
    card: str = ""
    """What the captured card calls itself (its name in /proc/asound/cards); empty: not known."""


class CardUser(Protocol):
    """Whoever hears and speaks through a card. The card calls; nothing here may block for longer than a block lasts."""

    def captured(self, microphones: Blocks, position: int, time: float, /) -> None:
        """Capture thread: one block of every channel.

        :param microphones: shape (n, 480); it is valid during the call only, and the card's: it is not written to.
        :param position: number of its first sample since the capture stream began, or began anew.
        :param time: monotonic seconds at which its last sample was captured: now, less what still waits in the card.
        """

    def wanted(self, out: Block, /) -> None:
        """Playback thread: fill the block that is played next, shape (480,). It is the downlink's clock."""

    def played(self, position: int, time: float, /) -> None:
        """Playback thread, right after the block of the last :meth:`wanted` was written. Not called without a card.

        :param position: number of its first sample since the playback stream began, or began anew.
        :param time: monotonic seconds at which that sample will be heard: now, and what waits in front of it.
        """

    def jumped(self, side: Side, /) -> None:
        """An xrun, a reopening, a block left out or too many: the positions and delays of that side begin anew.

        It is called on the thread of that side, before the first block that follows.
        """

    def changed(self, running: bool, /) -> None:
        """Any thread: True when the card runs, False when it is lost."""


class SoundCard(Protocol):
    """A microphone and a loudspeaker with one clock each."""

    @property
    def name(self) -> str:
        """For status and journal."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong so far, by the names of core/counters.py."""

    @property
    def facts(self) -> CardFacts | None:
        """What was opened last; None before the first time."""

    @property
    def problem(self) -> str:
        """Why the card does not run, one sentence that names the setting; empty: it does, or is just being opened."""

    def start(self, user: CardUser) -> None:
        """Start the threads. ``wanted`` goes on being called every 10 ms even when the card is lost."""

    def stop(self) -> None:
        """End the threads within one second."""

    @property
    def ended(self) -> Future[None]:
        """Done when an audio thread has ended, with its error if it had one; sound then ends with 70."""
