"""Why a microphone may be silent, in words: a mute in the card's mixer can be read, a switch on the device cannot.

A USB array whose own mute is on sends zeros, and says so to nobody: all that is known then is that the card has no other
reason to be silent. Nothing is ever switched here: a mute is for the people in the room.
"""

import contextlib

import alsaaudio

from appliance.audio import alsa_names, inventory
from appliance.audio.alsa_open import Lost, Opened


def why_silent(opened: Opened) -> str:
    """What to look at, one clause. Takes a few milliseconds: the card's mixer is opened."""
    name = alsa_names.card_of(opened.device)
    card = next((card for card in inventory.cards() if name in {card.id, str(card.number)}), None)
    if card is None:
        return "it may be muted in the sound server, or nothing is connected to it there"
    switched_off = _switched_off(card.number)
    if switched_off:
        return f'"{switched_off}" is off in the mixer of {card.id}: alsamixer -c {card.id}, F4'
    if card.loops_back:
        return f"{card.name} gives back what is played into it, and nothing is"
    if card.usb:
        return f"the mute of {card.name} itself is probably on (a button or switch on it); else plug it in anew"
    return f"the microphones of {card.name} may be unplugged or dead"


def _switched_off(number: int) -> str:
    """The mixer's control that keeps every channel silent; empty: there is none."""
    with contextlib.suppress(Lost):
        for name in dict.fromkeys(alsaaudio.mixers(cardindex=number)):
            mixer = alsaaudio.Mixer(name, cardindex=number)
            try:
                if _silences(mixer):
                    return name
            finally:
                mixer.close()
    return ""


def _silences(mixer: alsaaudio.Mixer) -> bool:
    # "Joined" and "exclusive" are there beside the plain words; the latter choose a source and silence none.
    switches, volumes = mixer.switchcap(), mixer.volumecap()
    if any(word in {"Capture Mute", "Joined Capture Mute"} for word in switches) and not any(mixer.getrec()):
        return True
    captures = any(word in {"Capture Volume", "Joined Capture Volume"} for word in volumes)
    return captures and not any(mixer.getvolume(alsaaudio.PCM_CAPTURE))
