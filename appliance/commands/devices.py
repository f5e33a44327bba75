"""``kontor devices``: the sound cards of this machine, what they can do, which would be used and why."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit

if TYPE_CHECKING:
    from appliance.audio.choice import Choice
    from appliance.audio.inventory import Card, Stream
    from appliance.core.arrays import Array
    from appliance.settings import AudioSettings

_WHAT = {"capture": "microphone", "playback": "loudspeaker"}


def register(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("devices", help="list the sound cards, and which would be used and why")
    add_config(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--report", action="store_true", help="print a line for each USB card, to send in")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """List them; 0 when what the settings ask for is there, 69 when it is not, 78 when the settings are wrong."""
    from appliance.audio.choice import choose

    if given.report:
        return _report()
    settings = load_settings(given.config, ())
    if settings is None:
        return Exit.CONFIGURATION
    audio, (cards, names) = settings.audio, _cards()
    choices = choose(cards, audio.capture, audio.playback, audio.channels)
    array = _array(audio, choices[0])
    if given.json:
        print(json.dumps(_as_dict(audio, cards, names, choices, array), indent=2))
    else:
        print("\n".join([*_describe(cards), *_describe_names(names), "", *_describe_use(audio, choices, array)]))
    wrong = any(choice.problem for choice in choices) or bool(_misfit(choices[0], array))
    return Exit.UNAVAILABLE if audio.backend == "alsa" and wrong else Exit.OK


def _cards() -> "tuple[list[Card], list[str]]":
    """The cards, and what else ALSA knows by name."""
    from appliance.audio import inventory

    try:
        from appliance.audio import probe
    except ImportError:  # without ALSA's library, what the kernel says is all there is
        return inventory.cards(), []
    return probe.asked(inventory.cards()), probe.names()


def _report() -> int:
    """A line for each USB card, for hardware/sound_cards.toml; 69 when there is none."""
    from appliance.app.card_report import report

    cards = [card for card in _cards()[0] if card.usb]
    print("\n".join(report(card).line() for card in cards) if cards else "No USB sound card is here.")
    return Exit.OK if cards else Exit.UNAVAILABLE


def _array(audio: "AudioSettings", heard: "Choice") -> "Array":
    """The array that the front end would take the chosen card for."""
    from appliance.app.hearing import array_of
    from appliance.audio.port import CardFacts
    from appliance.core.units import BLOCK, RATE  # numpy: no other command shall wait for it

    card, stream = heard.card, heard.stream
    if card is None or stream is None:
        return array_of(audio, None)
    channels = audio.channels or stream.channels or (card.array.channels if card.array else 1)
    facts = CardFacts(
        capture=heard.device,
        playback="",
        channels=channels,
        format="",
        rate=RATE,
        period=BLOCK,
        usb_id=card.usb_id,
        card=card.name,
    )
    return array_of(audio, facts)


def _misfit(heard: "Choice", array: "Array") -> str:
    """That the array needs more channels than the card has; empty: nothing is known against it."""
    has = heard.stream.channels if heard.stream else None
    if has is None or max(array.microphones) < has:
        return ""
    count = len(array.microphones)
    return f"[audio] array, geometry_mm: {array.name} has {count} microphones, and {heard.device} {has} channels"


def _describe_names(names: "Sequence[str]") -> Iterator[str]:
    if names:
        yield f"Other names of ALSA's: {', '.join(names)}"


def _describe(cards: "Sequence[Card]") -> Iterator[str]:
    if not cards:
        yield "No sound card is here."
    for card in cards:
        marks = [f"USB {card.usb_id}"] if card.usb else []
        marks += [f"the array {card.array.name}"] if card.array else []
        marks += ["no real card: it gives back what is played"] if card.loops_back else []
        yield f"{card.number}  {card.id}: {', '.join([card.name, *marks])}"
        if not card.streams:
            yield "   neither microphone nor loudspeaker"
        for stream in card.streams:
            use = f"in use by {stream.holder}" if stream.holder else "free"
            yield f"   {_WHAT[stream.side]:<12} {card.pcm(stream):<34} {_abilities(stream)}; {use}"


def _abilities(stream: "Stream") -> str:
    if not stream.abilities:
        return "what it can do is told when it is free" if stream.holder else "nobody tells what it can do"
    from appliance.app.card_report import described

    return " or ".join(dict.fromkeys(map(described, stream.abilities)))


def _describe_use(audio: "AudioSettings", choices: "Sequence[Choice]", array: "Array") -> Iterator[str]:
    if audio.backend != "alsa":
        yield f'None is used: [audio] backend = "{audio.backend}". With backend = "alsa" it would be'
    else:
        yield "Used:"
    for choice in choices:
        yield f"   {_WHAT[choice.side]:<12} {choice.device:<34} {choice.why}"
        if choice.problem:
            yield f"   {'':<12} -> {choice.problem}"
    count = len(array.microphones)
    finished = ", which cancels echo by itself" if array.cancels else ""
    yield f"   {'array':<12} {array.name:<34} {count} microphone{'s' if count > 1 else ''}{finished}"
    misfit = _misfit(choices[0], array)
    if misfit:
        yield f"   {'':<12} -> {misfit}"


def _as_dict(
    audio: "AudioSettings", cards: "Sequence[Card]", names: "Sequence[str]", choices: "Sequence[Choice]", array: "Array"
) -> dict[str, Any]:
    def stream(card: "Card", one: "Stream") -> dict[str, Any]:
        return asdict(one) | {"pcm": card.pcm(one), "native": one.native}

    def listed(card: "Card") -> dict[str, Any]:
        streams = [stream(card, one) for one in card.streams]
        return asdict(card) | {"array": card.array.name if card.array else None, "streams": streams}

    return {
        "backend": audio.backend,
        "cards": [listed(card) for card in cards],
        "names": list(names),
        "use": {
            choice.side: {
                "device": choice.device,
                "card": choice.card.id if choice.card else None,
                "why": choice.why,
                "problem": choice.problem,
            }
            for choice in choices
        },
        "array": {"name": array.name, "microphones": list(array.microphones), "cancels": array.cancels},
    }
