"""Overlay sources from the pin map: what they say of each pin is computed here, what they are for is in firmware/README.md.

The first three boards share one text: their chips have the same labels, functions and controllers. On a Pi 5 the header hangs
on another chip (RP1), for which Debian's kernel has pins, but neither SPI, PWM nor I2S: the ring's bus is two lines there, moved
by the kernel's spi-gpio, and SPEAK stays a plain line.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

from appliance.core.wiring import Line
from tools.pinmap import PinMap

CONSTANTS = {
    "GPIO_ACTIVE_HIGH": 0,
    "GPIO_ACTIVE_LOW": 1,
    "LED_COLOR_ID_WHITE": 0,
    "LED_COLOR_ID_RED": 1,
    "LED_COLOR_ID_GREEN": 2,
    "LED_COLOR_ID_BLUE": 3,
    "LED_COLOR_ID_AMBER": 4,
}
"""Of the kernel's dt-bindings headers; `make firmware` compares them with those of the kernel it fetched."""

FUNCTIONS = {
    ("pwm0", 12): "alt0",
    ("pwm0", 18): "alt5",
    ("spi0", 7): "alt0",
    ("spi0", 8): "alt0",
    ("spi0", 9): "alt0",
    ("spi0", 10): "alt0",
    ("spi0", 11): "alt0",
    ("i2s", 18): "alt0",
    ("i2s", 19): "alt0",
    ("i2s", 20): "alt0",
    ("i2s", 21): "alt0",
}
"""Which function of a pin is which bus, on BCM2835 to BCM2711 ("BCM2711 ARM Peripherals", 5.3)."""

SPI_RATE = 4_000_000
"""Hz: 60 pixels in half a millisecond, over half a metre of wire."""

PWM_PERIOD = 1_000_000
"""ns: 1 kHz, which no eye sees, and 10,000 steps of the controller's 10 MHz."""
PWM_STEPS = 4095

CARD = "kontor"
"""What ALSA calls the sound card of tier B."""

_HEAD = """/* SPDX-License-Identifier: MIT */
/* {what} Made from hardware/pinmap.toml by `make docs`:
   do not edit. What each part is for: firmware/README.md. */
/dts-v1/;
/plugin/;

/ {{
	compatible = "{chip}"; /* of the overlay; a tree keeps its own */
}};
"""

_LEDS = """
	kontor-leds {{
		compatible = "gpio-leds";

		led-0 {{
			label = "{label}";
			function = "fault";
			color = <{number}>; /* {colour} */
			gpios = <&{chip} {gpio} {flag}>; /* {level} */
			default-state = "on";
			retain-state-shutdown;
			panic-indicator;
		}};
	}};
"""

_PWM_LEDS = """
	kontor-pwm-leds {{
		compatible = "pwm-leds";

		led-0 {{
			label = "{label}";
			color = <{number}>; /* {colour} */
			pwms = <&pwm 0 {period} 0>; /* channel, ns, not inverted */
			max-brightness = <{steps}>;
		}};
	}};
"""

_PIXELS = """
#address-cells = <1>;
#size-cells = <0>;

/* APA102 or SK9822. Linux gives a bare SPI device to names that it knows only: a plain write-only chip stands in. */
pixels@0 {{
	compatible = "rohm,bh2228fv";
	reg = <0>;
	spi-max-frequency = <{rate}>;
}};
"""


class OverlayError(ValueError):
    """The map asks for what the chip cannot do; one sentence."""


def panel(pins: PinMap) -> str:
    """kontor-panel.dts: contacts, FAULT, SPEAK and ring on a Pi 3B+, 4 and Zero 2 W."""
    contacts = [line for line in pins.lines.values() if line.direction == "in" and not line.bus]
    parts = [
        _HEAD.format(what="The panel on a Raspberry Pi 3B+, 4 and Zero 2 W.", chip="brcm,bcm2835"),
        '\n&{/aliases} {\n\tspi0 = "/soc/spi@7e204000";\n};\n',
        "\n&{/} {",
        _fault(pins, "gpio"),
        _PWM_LEDS.format(**_led(pins, "speak"), period=PWM_PERIOD, steps=PWM_STEPS),
        "};\n",
        '\n&gpio {\n\tpinctrl-names = "default";\n\tpinctrl-0 = <&kontor_contacts>; /* in place of what a tree has there */\n',
        "\n\tkontor_contacts: kontor-contacts {\n",
        *(_pulled(pull, [line for line in contacts if line.pull == pull]) for pull in ("down", "up")),
        "\t};\n",
        _muxed(pins, "pwm0"),
        _muxed(pins, "spi0"),
        "};\n",
        _controller("pwm", "pwm0"),
        "};\n",
        _controller("spi", "spi0"),
        f"\tcs-gpios = <&gpio {pins.lines['spi_select'].gpio} 1>; /* GPIO_ACTIVE_LOW */\n",
        indent(_PIXELS.format(rate=SPI_RATE), "\t"),
        "};\n",
    ]
    return "".join(parts)


def panel_pi5(pins: PinMap) -> str:
    """kontor-panel-pi5.dts: FAULT and ring on a Pi 5."""
    data, clock, select = (pins.lines[name].gpio for name in ("pixels_data", "pixels_clock", "spi_select"))
    parts = [
        _HEAD.format(what="The panel on a Raspberry Pi 5.", chip="brcm,bcm2712"),
        '\n&{/aliases} {\n\tspi0 = "/spi";\n};\n',
        "\n&{/} {",
        _fault(pins, "rp1_gpio"),
        '\n\tspi {\n\t\tcompatible = "spi-gpio";\n',
        f"\t\tsck-gpios = <&rp1_gpio {clock} 0>;\n\t\tmosi-gpios = <&rp1_gpio {data} 0>;\n",
        f"\t\tcs-gpios = <&rp1_gpio {select} 1>; /* GPIO_ACTIVE_LOW */\n\t\tnum-chipselects = <1>;\n",
        indent(_PIXELS.format(rate=SPI_RATE), "\t\t"),
        "\t};\n};\n",
    ]
    return "".join(parts)


def audio(pins: PinMap) -> str:
    """kontor-audio.dts: two microphones and an amplifier on I2S (tier B), on a Pi 3B+, 4 and Zero 2 W."""
    parts = [
        _HEAD.format(
            what="Two microphones and an amplifier on I2S, on a Raspberry Pi 3B+, 4 and Zero 2 W.", chip="brcm,bcm2835"
        ),
        "\n&{/} {",
        '\n\tkontor_microphones: kontor-microphones {\n\t\tcompatible = "dmic-codec";\n\t\t#sound-dai-cells = <0>;\n',
        "\t\tnum-channels = <2>;\n\t};\n",
        '\n\tkontor_amplifier: kontor-amplifier {\n\t\tcompatible = "maxim,max98357a";\n\t\t#sound-dai-cells = <0>;\n\t};\n',
        f'\n\tkontor-sound {{\n\t\tcompatible = "simple-audio-card";\n\t\tsimple-audio-card,name = "{CARD}";\n',
        "\t\t#address-cells = <1>;\n\t\t#size-cells = <0>;\n",
        _link(0, "amplifier"),
        _link(1, "microphones"),
        "\t};\n};\n\n&gpio {",
        _muxed(pins, "i2s"),
        "};\n",
        _controller("i2s", "i2s"),
        "\t#sound-dai-cells = <0>;\n",
        '\tdmas = <&dma 2>, <&dma 3>; /* PCM out and in; a Pi 4\'s tree lacks them */\n\tdma-names = "tx", "rx";\n};\n',
    ]
    return "".join(parts)


def led(pins: PinMap, lamp: str) -> str:
    """What the kernel calls a lamp below /sys/class/leds: the project, its colour, what it is for."""
    return f"kontor:{pins.lines[f'{lamp}_lamp'].colour}:{lamp}"


def _led(pins: PinMap, lamp: str) -> dict[str, str | int]:
    """Name and colour of a lamp, for its node.

    :raises OverlayError: the kernel has no number for the colour.
    """
    colour = f"LED_COLOR_ID_{pins.lines[f'{lamp}_lamp'].colour.upper()}"
    if colour not in CONSTANTS:
        raise OverlayError(f"{lamp}_lamp: the kernel has no {colour}")
    return {"label": led(pins, lamp), "colour": colour, "number": CONSTANTS[colour]}


def _fault(pins: PinMap, chip: str) -> str:
    lamp = pins.lines["fault_lamp"]
    level = f"GPIO_ACTIVE_{lamp.active.upper()}"
    return _LEDS.format(**_led(pins, "fault"), chip=chip, gpio=lamp.gpio, flag=CONSTANTS[level], level=level)


def _names(lines: Iterable[Line]) -> str:
    return ", ".join(f'"gpio{line.gpio}"' for line in sorted(lines, key=lambda line: line.gpio))


def _pulled(pull: str, lines: list[Line]) -> str:
    """Inputs with this pull."""
    return (
        f"\t\tpins-{pull} {{\n\t\t\tpins = {_names(lines)};\n"
        f'\t\t\tfunction = "gpio_in";\n\t\t\tbias-pull-{pull};\n\t\t}};\n'
    )


def _muxed(pins: PinMap, bus: str) -> str:
    """The group of a bus: its pins and their function.

    :raises OverlayError: one of them cannot have it.
    """
    lines = [line for line in pins.lines.values() if line.bus == bus]
    functions = {FUNCTIONS.get((bus, line.gpio)) for line in lines}
    if len(functions) != 1 or None in functions:
        raise OverlayError(f"{bus} cannot be at GPIO {', '.join(str(line.gpio) for line in lines)}")
    return (
        f"\n\tkontor_{bus}: kontor-{bus} {{\n\t\tpins-{bus} {{\n\t\t\tpins = {_names(lines)};\n"
        f'\t\t\tfunction = "{functions.pop()}";\n\t\t\tbias-disable;\n\t\t}};\n\t}};\n'
    )


def _controller(label: str, bus: str) -> str:
    """The beginning of a controller that is switched on, with its pins."""
    return f'\n&{label} {{\n\tpinctrl-names = "default";\n\tpinctrl-0 = <&kontor_{bus}>;\n\tstatus = "okay";\n'


def _link(number: int, codec: str) -> str:
    """One direction of the sound card; the board makes both clocks."""
    return (
        f'\n\t\tsimple-audio-card,dai-link@{number} {{\n\t\t\treg = <{number}>;\n\t\t\tformat = "i2s";\n'
        f"\t\t\tbitclock-master = <&kontor_cpu{number}>;\n\t\t\tframe-master = <&kontor_cpu{number}>;\n"
        f"\n\t\t\tkontor_cpu{number}: cpu {{\n\t\t\t\tsound-dai = <&i2s>;\n\t\t\t}};\n"
        f"\n\t\t\tcodec {{\n\t\t\t\tsound-dai = <&kontor_{codec}>;\n\t\t\t}};\n\t\t}};\n"
    )
