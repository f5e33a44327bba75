"""The three questions of ``kontor setup``: room, name, sound card. Each is asked again until its answer is one."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from appliance.app.doctor_findings import Finding
from appliance.app.setup import NONE, Answers, Draft, best
from appliance.app.setup_room import EXAMPLE, NOWHERE, Way, authority_of, look, trusting, way_of
from appliance.audio.choice import AUTO
from appliance.audio.inventory import Card
from appliance.audio.port import Side
from appliance.settings import DeviceSettings

_ROOM = """\
1. The room
   The address of its page, like https://rooms.example.org/lobby, or a link that you were sent.
   Left empty there is none yet: the device then says that it needs a room."""
_NEARBY = "   Announced in this network, by whoever it may be:"
_NAME = """\
2. The name
   What the others in the room read; mostly the meeting room that the device stands in."""
_CARD = """\
3. The sound card"""
_FACTORY_NAMES = frozenset({"localhost", "raspberrypi", "debian"})


class Person(Protocol):
    """Somebody at a terminal."""

    def tell(self, text: str) -> None:
        """Lines to read."""

    def answer(self, question: str) -> str:
        """One line, without white space around it.

        :raises Gone: nobody is there any more.
        """


class Gone(Exception):
    """The terminal was closed."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line said already; None is asked for."""

    room: str | None = None
    name: str | None = None
    card: str | None = None
    authority: str = ""
    """PEM."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a device can find out by itself."""

    cards: Callable[[], Sequence[Card]]
    rooms: Callable[[], Sequence[tuple[str, str]]]
    """Those that are announced nearby: title and address."""


def ask(person: Person, given: Given, draft: Draft, around: Around) -> Answers:
    """All three answers.

    :raises Gone: the terminal was closed.
    """
    way = _room(person, given, draft, around.rooms)
    name = given.name if given.name is not None else _name(person, draft)
    card = given.card if given.card is not None else _card(person, around.cards)
    return Answers(way, name, card)


# ---- the room


def _room(person: Person, given: Given, draft: Draft, rooms: Callable[[], Sequence[tuple[str, str]]]) -> Way:
    person.tell(_ROOM)
    near = rooms() if given.room is None else ()
    if near:
        listed = (f"   {number}  {title}: {address}" for number, (title, address) in enumerate(near, 1))
        person.tell("\n".join([_NEARBY, *listed]))
    before = draft.settings.room
    default = f"{before.url}/{before.id}" if before.url else ""
    text = given.room
    while True:
        text = text if text is not None else _asked(person, "Address, or a number" if near else "Address", default)
        text = _numbered(text, [address for _, address in near])
        try:
            way = way_for(text, draft, given.authority, lambda: _asked(person, "Which room of it", before.id))
        except ValueError as error:
            person.tell(f"   -> {str(error)[:1].upper()}{str(error)[1:]}.")
            text = None
            continue
        checked = _checked(person, way)
        if checked is not None:
            return checked
        text = None


def _numbered(text: str, choices: Sequence[str]) -> str:
    """The choice of that number, from 1, or ``text`` as it is."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return choices[number - 1] if 1 <= number <= len(choices) else text


def way_for(text: str, draft: Draft, authority: str = "", which: Callable[[], str] = lambda: "") -> Way:
    """The way that ``text`` tells, in the form that the settings take.

    :param authority: of the server, PEM; "" for one that everybody knows.
    :param which: tells the room when the address does not.
    :raises ValueError: it is none; one sentence without a full stop.
    """
    way = way_of(text)
    if way.url and not way.room:
        way = replace(way, room=which())
    if not way.url:
        return way
    if not way.room:
        raise ValueError(f"the address has to end with the room: {EXAMPLE}")
    refused = draft.refusal({"room.url": way.url, "room.id": way.room})
    if refused:
        raise ValueError(f"the name of the room {refused}")
    return trusting(way, authority) if authority else way


def _checked(person: Person, way: Way) -> Way | None:
    """The way, when the server says that it is one, or somebody insists; else None."""
    if way == NOWHERE:
        return way

    def note(finding: Finding) -> None:
        person.tell(f"   {finding.says}")
        if finding.way_out:
            person.tell(f"   -> {finding.way_out}")

    if asyncio.run(look(way, note)):
        return way
    if way.url.startswith("https:") and not way.authority:
        own = asyncio.run(authority_of(way))
        if own is not None:
            person.tell(f"   It names an authority of its own. Its fingerprint (SHA-256):\n   {own[1]}")
            if _yes(person, "Is that the one that whoever runs the server has told you, digit by digit"):
                return _checked(person, trusting(way, own[0]))
    return way if _yes(person, "Take this address nevertheless") else None


# ---- the name


def _name(person: Person, draft: Draft) -> str:
    person.tell(f"\n{_NAME}")
    default = draft.settings.device.name
    if default == DeviceSettings().name:
        host = socket.gethostname().partition(".")[0]
        default = default if host in _FACTORY_NAMES else host
    while True:
        name = _asked(person, "Name", default)
        refused = draft.refusal({"device.name": name})
        if not refused:
            return name
        person.tell(f"   -> The name {refused}.")


# ---- the sound card


def _card(person: Person, find: Callable[[], Sequence[Card]]) -> str:
    person.tell(f"\n{_CARD}")
    while True:
        cards = [card for card in find() if card.stream(Side.CAPTURE) and not card.loops_back]
        if cards:
            return _chosen(person, cards)
        person.tell("   None with a microphone is here. Plug one in, and press Enter; or go on without one.")
        if _asked(person, f'Enter to look again, "{NONE}" to go on', "").lower() == NONE:
            return NONE


def _chosen(person: Person, cards: Sequence[Card]) -> str:
    likely = best(cards)
    for number, card in enumerate(cards, 1):
        person.tell(f"   {number}  {_described(card)}")
    own = next((number for number, card in enumerate(cards, 1) if card is likely), 1)
    while True:
        answer = _asked(person, f'Which one, or "{NONE}"', str(own))
        if answer.lower() == NONE:
            return NONE
        chosen = next((card for card in cards if card.id == _numbered(answer, [card.id for card in cards])), None)
        if chosen is not None:
            # The best one is not named: whatever is plugged in in its place later shall do as well.
            return AUTO if chosen is likely else chosen.id
        person.tell(f"   -> Type a number from 1 to {len(cards)}.")


def _described(card: Card) -> str:
    facts = [f"USB {card.usb_id}"] if card.usb else []
    if card.array is not None:
        facts.append("cancels echo by itself" if card.array.cancels else f"{len(card.array.microphones)} microphones")
    facts += [] if card.stream(Side.PLAYBACK) else ["no loudspeaker"]
    told = ", ".join(facts)
    return f"{card.name} ({told})" if told else card.name


# ---- lines


def _asked(person: Person, question: str, default: str) -> str:
    return person.answer(f"{question} [{default}]: " if default else f"{question}: ") or default


def _yes(person: Person, question: str) -> bool:
    return person.answer(f"{question}? [y/N] ").lower() in {"y", "yes"}
