"""USB cards that come and go, hang, are muted, in use, or not what the settings say."""

from __future__ import annotations

import time
from typing import Any

import alsaaudio

from appliance.audio.alsa import AlsaCard
from tests.kernel.inside.cards import LOOP_HEARS, LOOP_PLAYS, UP, Stream, frames, load, numbers, running
from tests.kernel.inside.listener import Listener, until
from tools.kernel import guest

ARRAY = "Array"
"""The id that Linux makes of the array's name."""
_BACK = 15.0
"""Seconds within which a card has to be back, on a processor that is emulated."""


def present(card: str = ARRAY) -> None:
    """Wait until the guest has the card."""
    until(lambda: card in numbers(), UP, f"the card {card} is there")


def _change(user: Listener, *, running: bool, since: float) -> float:
    """When the card is told to run, or not to; waits for it."""
    until(lambda: user.when(running=running, since=since), _BACK, f"changed({running}) comes")
    return user.when(running=running, since=since) or 0.0


def _sound(user: Listener, since: float, card: AlsaCard) -> float:
    """When what is played was heard first; waits for it."""
    until(lambda: user.sounded(since), _BACK, f"sound comes ({card.problem})")
    return user.sounded(since) or 0.0


def _replug(user: Listener, card: AlsaCard, between: float) -> dict[str, float]:
    """Pull the array out and put it in again: seconds until the loss was told, and until its own sound was heard."""
    pulled = time.monotonic()
    guest.unplug_card("array")
    lost = _change(user, running=False, since=pulled)
    time.sleep(between)
    gone = time.monotonic()
    asked = len([at for at in user.asked if pulled <= at < gone])
    guest.plug_card("array")
    back = _sound(user, gone, card)
    told = _change(user, running=True, since=gone)
    return {
        "noticed": lost - pulled,
        "back": back - gone,
        "told_back": told - gone,
        "asked_a_second": asked / (gone - pulled),
    }


def replugs(times: int) -> dict[str, Any]:
    """The array, both directions, unplugged and plugged again and again."""
    present()
    card = AlsaCard(f"hw:CARD={ARRAY}", f"hw:CARD={ARRAY}")
    rows = []
    with running(card) as user:
        until(lambda: user.sounded(0.0), UP, "the ramp is heard")
        for turn in range(times):
            rows.append(_replug(user, card, 0.3 + 0.1 * (turn % 5)))
            print(f"  {turn + 1:2}: " + ", ".join(f"{name} {value:.3f}" for name, value in rows[-1].items()))
            time.sleep(0.5 + 0.3 * (turn % 4))
        facts, jumps = card.facts, [str(side) for side, _at, _count in user.jumps]
    assert facts is not None
    return {
        "rows": rows,
        "jumps": jumps,
        "counts": dict(card.counts),
        "usb_id": facts.usb_id,
        "channels": facts.channels,
        "alike": all(one.alike for one in user.heard),
    }


def another_number() -> dict[str, Any]:
    """The array comes back while another card has its number."""
    present()
    before = numbers()[ARRAY]
    card = AlsaCard(f"hw:{before},0", f"hw:{before},0")
    with running(card) as user:
        until(lambda: user.sounded(0.0), UP, "the ramp is heard")
        guest.unplug_card("array")
        until(lambda: not user.running, _BACK, "the loss is told")
        until(lambda: ARRAY not in numbers(), _BACK, "Linux has given the number back")
        guest.modprobe("snd-dummy", f"index={before}")
        gone = time.monotonic()
        guest.plug_card("array")
        _sound(user, gone, card)
        facts, after = card.facts, numbers()
    guest.modprobe("-r", "snd-dummy")
    assert facts is not None
    return {"before": before, "after": after[ARRAY], "in_between": after.get("Dummy"), "device": facts.capture}


def plugged_late(settings: str) -> dict[str, Any]:
    """Started without any card; then the array comes."""
    guest.modprobe("-r", "snd-aloop")
    card = AlsaCard(settings, settings)
    try:
        with running(card, up=False) as user:
            time.sleep(1.5)
            asked, problem = len(user.asked), card.problem
            gone = time.monotonic()
            guest.plug_card("array")
            back, facts = _sound(user, gone, card) - gone, card.facts
            guest.unplug_card("array")
            until(lambda: not user.running, _BACK, "the loss is told")
            began = time.monotonic()
            card.stop()
            took = time.monotonic() - began
    finally:
        load()
    assert facts is not None
    return {
        "asked": asked,
        "problem": problem,
        "changes": [running for running, _at in user.changes],
        "back": back,
        "device": [facts.capture, facts.playback],
        "stop_took": took,
    }


def goes_wrong(what: str) -> dict[str, Any]:
    """The array stays on the bus and gives ``what`` instead of sound; then sound again."""
    present()
    card = AlsaCard(f"hw:CARD={ARRAY}", f"hw:CARD={ARRAY}")
    with running(card) as user:
        until(lambda: user.sounded(0.0), UP, "the ramp is heard")
        time.sleep(1)
        asked = time.monotonic()
        guest.let_card_hear("array", what)
        began = time.monotonic()  # the host may have taken its time
        noticed, problem = _change(user, running=False, since=asked) - began, card.problem
        heard = len(user.heard)
        time.sleep(3)
        silent = len(user.heard) - heard
        mended = time.monotonic()
        guest.let_card_hear("array", "echo")
        back = _sound(user, mended, card) - mended
    return {"noticed": noticed, "problem": problem, "back": back, "handed_on": silent, "counts": dict(card.counts)}


def in_use() -> dict[str, Any]:
    """Another program has the microphones open; then it lets them go."""
    present()
    other = alsaaudio.PCM(
        alsaaudio.PCM_CAPTURE,
        device=f"hw:CARD={ARRAY}",
        rate=48_000,
        channels=6,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=480,
        periods=4,
    )
    card = AlsaCard(f"hw:CARD={ARRAY}", f"hw:CARD={ARRAY}")
    with running(card, up=False) as user:
        until(lambda: card.problem, UP, "it is told")
        time.sleep(1)
        problem, told = card.problem, [running for running, _at in user.changes]
        let_go = time.monotonic()
        other.close()
        back = _sound(user, let_go, card) - let_go
    return {"problem": problem, "told": told, "back": back}


def mistakes() -> dict[str, str]:
    """Settings that cannot be right: how each ends."""
    for plugged in (ARRAY, "Slow", "Speaker", "Microphone"):
        present(plugged)
    array = f"hw:CARD={ARRAY}"
    wishes = {
        "channels": AlsaCard(array, array, channels=4),
        "rate": AlsaCard("hw:CARD=Slow", array),
        "no microphone": AlsaCard("hw:CARD=Speaker", array),
        "no loudspeaker": AlsaCard(array, "hw:CARD=Microphone"),
        "no device": AlsaCard("microphone", array),
    }
    told = {}
    for name, wish in wishes.items():
        with running(wish, up=False):
            error = wish.ended.exception(UP)
        told[name] = f"{type(error).__name__}: {error}"
    return told


def formats(card: str) -> dict[str, Any]:
    """A card with other channels and a wider format: what was opened, and whether the ramp comes through."""
    present(card)
    wide = AlsaCard(f"hw:CARD={card}", f"hw:CARD={card}")
    with running(wide) as user:
        until(lambda: user.sounded(0.0), UP, "the ramp is heard")
        time.sleep(1)
        facts = wide.facts
        blocks = user.heard[-100:]
    assert facts is not None
    return {
        "channels": facts.channels,
        "format": facts.format,
        "whole": sum(one.whole for one in blocks),
    }


def loudspeaker_alone(times: int) -> dict[str, Any]:
    """QEMU's own USB loudspeaker, unplugged again and again, beside a microphone that stays."""
    present("Audio")
    card, stream = AlsaCard(LOOP_HEARS, "hw:CARD=Audio"), Stream(LOOP_PLAYS)
    rows = []
    with stream, running(card) as user:
        for turn in range(times):
            time.sleep(0.5 + 0.2 * turn)
            pulled = time.monotonic()
            guest.unplug("speaker")
            lost = _change(user, running=False, since=pulled)
            until(lambda: "Audio" not in numbers(), _BACK, "it is gone")
            heard, asked, began = len(user.heard), len(user.asked), time.monotonic()
            time.sleep(0.5)
            passed = time.monotonic() - began
            gone = time.monotonic()
            paces = [(len(user.heard) - heard) / passed, (len(user.asked) - asked) / passed]
            guest.plug("usb-audio", "speaker", bus="usb.0", audiodev="sound")
            until(lambda: frames("Audio") > 480, _BACK, f"the loudspeaker plays ({card.problem})")
            rows.append({"noticed": lost - pulled, "back": time.monotonic() - gone, "paces": paces})
            until(lambda: user.running, _BACK, "it is told")
    return {"rows": rows, "counts": dict(card.counts)}


def loop_torn(times: int) -> dict[str, Any]:
    """A card on no bus goes and comes: snd-aloop is unbound and bound."""
    driver = "/sys/bus/platform/drivers/snd_aloop"
    rows = []
    card = AlsaCard(LOOP_HEARS, LOOP_PLAYS)
    with running(card) as user:
        for _ in range(times):
            until(lambda: user.sounded(time.monotonic() - 0.1), _BACK, "the ramp is heard")
            pulled = time.monotonic()
            guest.write(f"{driver}/unbind", "snd_aloop.0")
            lost = _change(user, running=False, since=pulled)
            time.sleep(0.5)
            gone = time.monotonic()
            guest.write(f"{driver}/bind", "snd_aloop.0")
            rows.append({"noticed": lost - pulled, "back": _sound(user, gone, card) - gone})
    return {"rows": rows}
