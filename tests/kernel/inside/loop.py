"""snd-aloop: the kernel's own cable from a loudspeaker to a microphone."""

from __future__ import annotations

import time
from typing import Any

import alsaaudio
import numpy as np

from appliance.audio.alsa import AlsaCard
from appliance.audio.port import Side
from tests.kernel.inside.cards import LOOP_HEARS, LOOP_PLAYS, running
from tests.kernel.inside.listener import Listener, until

_PERIOD, _PERIODS = 240, 8


def _pcm(kind: int, device: str, **other: Any) -> alsaaudio.PCM:
    wanted: dict[str, Any] = {
        "rate": 48_000,
        "channels": 1,
        "format": alsaaudio.PCM_FORMAT_S16_LE,
        "periodsize": _PERIOD,
        "periods": _PERIODS,
    }
    return alsaaudio.PCM(kind, alsaaudio.PCM_NONBLOCK, device=device, **(wanted | other))


def library() -> dict[str, Any]:
    """What pyalsaaudio says of an over-run, an under-run and of wishes that a card cannot fulfil."""
    told: dict[str, Any] = {}
    microphone = _pcm(alsaaudio.PCM_CAPTURE, LOOP_HEARS)
    microphone.read()  # starts it
    time.sleep(0.3)
    told["over-run: avail, read, read"] = [microphone.avail(), microphone.read()[0], microphone.read()[0]]
    time.sleep(0.02)
    frames = microphone.read()[0]
    told["then it goes on"] = frames > 0
    microphone.close()
    loudspeaker = _pcm(alsaaudio.PCM_PLAYBACK, LOOP_PLAYS)
    block = bytes(2 * _PERIOD)
    told["write: frames"] = [loudspeaker.write(block) for _ in range(_PERIODS)]
    told["full: write"] = loudspeaker.write(block)
    time.sleep(0.3)
    told["under-run: avail, write, write"] = [loudspeaker.avail(), loudspeaker.write(block), loudspeaker.write(block)]
    loudspeaker.drop()
    got = loudspeaker.info()
    loudspeaker.close()
    told["buffer"] = got["buffer_size"]
    one = _pcm(alsaaudio.PCM_PLAYBACK, LOOP_PLAYS, channels=1)
    other = _pcm(alsaaudio.PCM_CAPTURE, LOOP_HEARS, channels=6, rate=16_000)
    got = other.info()
    told["asked 6 channels at 16000, got"] = [got["channels"], got["rate"]]
    one.close()
    other.close()
    return told


def round_trip(seconds: float) -> dict[str, Any]:
    """The ramp through the card for some seconds: what came back, and how well its times fit."""
    card = AlsaCard(LOOP_HEARS, LOOP_PLAYS, channels=1)
    with running(card) as user:
        until(lambda: user.sounded(0.0), 5, "the ramp is heard")
        time.sleep(seconds)
        delays, facts = user.delays() * 1000, card.facts
    assert facts is not None
    return {
        **_told(user, card),
        "blocks": len(user.heard),
        "whole": sum(one.whole for one in user.heard) / len(user.heard),
        "channels": facts.channels,
        "format": facts.format,
        "delay_ms": [float(np.median(delays)), float(np.percentile(delays, 95) - np.percentile(delays, 5))],
        "ended": card.ended.result(1),
        "threads": sorted(user.threads),
    }


def stalls() -> dict[str, Any]:
    """Users that are late: an over-run, then an under-run, each told as a jump of its side."""
    card = AlsaCard(LOOP_HEARS, LOOP_PLAYS, channels=1)
    with running(card) as user:
        until(lambda: user.sounded(0.0), 5, "the ramp is heard")
        time.sleep(4)  # the first seconds of a card do not count
        counts = [dict(card.counts)]
        jumps = []
        for side in Side:
            seen = len(user.jumps)
            user.stall[side] = 0.3
            time.sleep(1.5)
            jumps.append([str(jump[0]) for jump in user.jumps[seen:]])
            counts.append(dict(card.counts))
        sounded = user.sounded(time.monotonic() - 0.5) is not None
    return {**_told(user, card), "jumps": jumps, "counts": counts, "sounded": sounded}


def _told(user: Listener, card: AlsaCard) -> dict[str, Any]:
    return {
        "untold": user.untold(),
        "jumps_in_all": len(user.jumps),
        "counts_in_all": dict(card.counts),
        "changes": [running for running, _at in user.changes],
    }
