"""How loud the loudspeaker may be turned. It is never turned to silence: a room that hears nobody closes its door."""

LOWEST, HIGHEST = -30, 6
"""dB; 0 plays what the room says as it is."""
STEP = 3
"""dB of one press: what is just clearly heard as louder."""


def turned(volume: int, steps: int) -> int:
    """The volume (dB) after so many steps: up where they are positive."""
    return min(HIGHEST, max(LOWEST, volume + steps * STEP))
