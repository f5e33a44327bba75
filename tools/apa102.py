"""A chain of APA102 or SK9822 LEDs as its data sheet has it: what it shows after the bytes that came over the wire.

Written from the data sheets and not from :mod:`appliance.panel.pixels`, which it is there to check.
"""

from dataclasses import dataclass

_LONGEST_ZEROS = 4
"""Bytes: 32 zero bits begin a message; four more at its end make an SK9822 show it."""


@dataclass(frozen=True, slots=True)
class Light:
    """What one LED gives."""

    current: int
    """0 to 31."""
    red: int
    green: int
    blue: int

    @property
    def linear(self) -> tuple[float, float, float]:
        """Red, green and blue as shares of full light, 0 to 1."""
        share = self.current / (31 * 255)
        return share * self.red, share * self.green, share * self.blue

    @property
    def lit(self) -> bool:
        """Whether anything is to be seen."""
        return self.current > 0 and max(self.red, self.green, self.blue) > 0


def decode(message: bytes, leds: int) -> list[Light]:
    """What a chain of ``leds`` shows after ``message``, in the order of the wire.

    :raises ValueError: a chain would not show it: wrong start, wrong LED frame, too few clock pulses behind them.
    """
    start, body, tail = message[:4], message[4 : 4 + 4 * leds], message[4 + 4 * leds :]
    if start != bytes(_LONGEST_ZEROS):
        raise ValueError("the message does not begin with 32 zero bits")
    if len(body) != 4 * leds or any(head < 0xE0 for head in body[::4]):
        raise ValueError(f"the message has not {leds} LED frames that begin with three ones")
    if tail[:4] != bytes(_LONGEST_ZEROS):
        raise ValueError("without 32 zero bits at the end an SK9822 does not show it")
    if 8 * len(tail[4:]) < leds / 2:
        raise ValueError("the last LEDs do not get the pulses to show it")
    if any(tail):
        raise ValueError("an LED behind the last one would light up")
    return [Light(head & 31, red, green, blue) for head, blue, green, red in zip(*[iter(body)] * 4, strict=True)]
