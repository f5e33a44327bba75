"""Overlays and boot files: made from the pin map, compiled, applied to small trees, and compared with the map from there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.need import need
from tools.firmware import build, checks, fdt, overlays, sources
from tools.pinmap import PinMap, load

OLD = """/dts-v1/;
/ {
	model = "Raspberry Pi 4 Model B";
	compatible = "brcm,bcm2711";
	#address-cells = <1>;
	#size-cells = <1>;
	aliases { serial1 = "/soc/serial@7e215040"; };
	chosen { stdout-path = "serial1:115200n8"; };
	leds {
		compatible = "gpio-leds";
		led-act { gpios = <&gpio 42 0>; };
	};
	soc {
		compatible = "simple-bus";
		#address-cells = <1>;
		#size-cells = <1>;
		ranges;
		gpio: gpio@7e200000 {
			reg = <0x7e200000 0xb4>;
			gpio-controller;
			#gpio-cells = <2>;
			pinctrl-names = "default";
			pinctrl-0 = <&gpioout>;
			gpioout: gpioout { brcm,pins = <6>; brcm,function = <1>; };
			uart1_pins: uart1 { brcm,pins = <14 15>; brcm,function = <2>; };
		};
		serial@7e215040 { reg = <0x7e215040 0x40>; pinctrl-0 = <&uart1_pins>; };
		dma: dma-controller@7e007000 { reg = <0x7e007000 0xb00>; #dma-cells = <1>; };
		pwm: pwm@7e20c000 { reg = <0x7e20c000 0x28>; #pwm-cells = <3>; status = "disabled"; };
		i2s: i2s@7e203000 { reg = <0x7e203000 0x24>; status = "disabled"; };
		spi: spi@7e204000 {
			compatible = "brcm,bcm2835-spi";
			reg = <0x7e204000 0x200>;
			#address-cells = <1>;
			#size-cells = <0>;
			status = "disabled";
		};
	};
};
"""
"""What our overlays refer to on a Pi 4, with the entry of a Zero 2 W's that drives GPIO 6."""

NEW = """/dts-v1/;
/ {
	model = "Raspberry Pi 5";
	compatible = "raspberrypi,5-model-b", "brcm,bcm2712";
	#address-cells = <1>;
	#size-cells = <1>;
	aliases { serial10 = "/serial@7d001000"; };
	chosen { stdout-path = "serial10:115200n8"; };
	rp1_gpio: pinctrl@400d0000 { reg = <0x400d0000 0xc000>; gpio-controller; #gpio-cells = <2>; };
	serial@7d001000 { reg = <0x7d001000 0x200>; };
};
"""
"""The same of a Pi 5."""

PINS = load()


def panel(pins: PinMap) -> str:
    return overlays.source("kontor-panel", pins)


def panel_pi5(pins: PinMap) -> str:
    return overlays.source("kontor-panel-pi5", pins)


def audio(pins: PinMap) -> str:
    return overlays.source("kontor-audio", pins)


class Bench:
    """Compiles and applies, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        need("fdtoverlay", "device trees are compiled with dtc (Debian's device-tree-compiler)")
        self.folder = folder

    def findings(self, tree: str, *sources: str, audio: bool = False, pins: PinMap = PINS) -> list[str]:
        """What does not hold of ``tree`` with these overlays."""
        base, after = self.folder / "base.dtb", self.folder / "after.dtb"
        build.compiled(tree, base)
        for number, source in enumerate(sources):
            build.compiled(source, self.folder / f"{number}.dtbo")
        build.applied(base, [self.folder / f"{number}.dtbo" for number in range(len(sources))], after)
        return checks.findings(fdt.read(base.read_bytes()), fdt.read(after.read_bytes()), pins, audio=audio)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1
    return text.replace(old, new, 1)


def test_the_files_are_current() -> None:
    for name, text in sources.files(PINS).items():
        assert (sources.TARGET / name).read_text() == text, f"{name} is old: make docs"


def test_the_panel_is_as_the_pin_map_says(bench: Bench) -> None:
    assert bench.findings(OLD, panel(PINS)) == []


def test_the_panel_of_a_pi_5_is_as_the_pin_map_says(bench: Bench) -> None:
    assert bench.findings(NEW, panel_pi5(PINS)) == []


def test_tier_b_is_as_the_pin_map_says(bench: Bench) -> None:
    assert bench.findings(OLD, panel(PINS), audio(PINS), audio=True) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<&gpio 23 1>", "<&gpio 23 0>", "GPIO 23 for /kontor-leds/led-0 as a line, active high"),
        ("<&gpio 23 1>", "<&gpio 16 1>", "missing: GPIO 23 for /kontor-leds/led-0 as a line, active low"),
        ("<&gpio 23 1>", "<&gpio 25 1>", "not as the pin map says: GPIO 25 for /kontor-leds/led-0"),
        ('default-state = "on"', 'default-state = "off"', "kontor:amber:fault is not lit from the start to the end"),
        ("retain-state-shutdown;", "", "kontor:amber:fault is not lit from the start to the end"),
        ("kontor:amber:fault", "fault", "there is no lamp kontor:amber:fault"),
        ("bias-pull-down;", "bias-pull-up;", "missing: GPIO 17 for /soc/gpio@7e200000 as gpio_in pull-down"),
        ('"gpio5", ', "", "missing: GPIO 5 for /soc/gpio@7e200000 as gpio_in pull-up"),
        ('function = "gpio_in"', 'function = "gpio_out"', "GPIO 17 for /soc/gpio@7e200000 as gpio_out pull-down"),
        ("	pinctrl-0 = <&kontor_contacts>;", "", "GPIO 6 for /soc/gpio@7e200000 as function 1"),
        ('"gpio12"', '"gpio12", "gpio22"', "not as the pin map says: GPIO 22 for /soc/pwm@7e20c000 as alt0"),
        ('function = "alt0"', 'function = "alt5"', "missing: GPIO 12 for /soc/pwm@7e20c000 as alt0"),
        ("cs-gpios = <&gpio 8 1>;", "", "missing: GPIO 8 for /soc/spi@7e204000 as a line, active low"),
        ("&pwm 0 1000000 0", "&pwm 1 1000000 0", "kontor:white:speak is not at the first channel of the PWM"),
        ('	status = "okay";', "", "missing: GPIO 12 for /soc/pwm@7e20c000 as alt0"),
        ("&{/} {", '&{/} {\n\tmodel = "Another";', "/: model is not what it was"),
        ("&spi {", '&spi {\n\tcompatible = "x";', "/soc/spi@7e204000: compatible is not what it was"),
    ],
)
def test_what_an_overlay_gets_wrong_is_found(bench: Bench, old: str, new: str, said: str) -> None:
    found = bench.findings(OLD, changed(panel(PINS), old, new))
    assert any(said in text for text in found), found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sck-gpios = <&rp1_gpio 11 0>", "sck-gpios = <&rp1_gpio 13 0>", "missing: GPIO 11 for /spi as a line"),
        ("cs-gpios = <&rp1_gpio 8 1>", "cs-gpios = <&rp1_gpio 8 0>", "GPIO 8 for /spi as a line, active high"),
        ("<&rp1_gpio 23 1>", "<&rp1_gpio 23 0>", "GPIO 23 for /kontor-leds/led-0 as a line, active high"),
    ],
)
def test_the_same_on_a_pi_5(bench: Bench, old: str, new: str, said: str) -> None:
    found = bench.findings(NEW, changed(panel_pi5(PINS), old, new))
    assert any(said in text for text in found), found


def test_microphones_at_other_pins_are_found(bench: Bench) -> None:
    wrong = changed(audio(PINS), '"gpio20", ', "")
    found = bench.findings(OLD, panel(PINS), wrong, audio=True)
    assert found == ["missing: GPIO 20 for /soc/i2s@7e203000 as alt0"]


def test_another_map_is_another_overlay(bench: Bench) -> None:
    """A key moved to GPIO 16: the overlay made from the old map no longer fits, the one made from the new map does."""
    moved = replace(PINS, lines={**PINS.lines, "talk": replace(PINS.lines["talk"], gpio=16, pin=36)})
    assert "missing: GPIO 16 for /soc/gpio@7e200000 as gpio_in pull-up" in bench.findings(OLD, panel(PINS), pins=moved)
    assert bench.findings(OLD, panel(moved), pins=moved) == []


def test_what_a_tree_loses_is_found() -> None:
    base, after = fdt.Node("/"), fdt.Node("/")
    base.children["memory"] = fdt.Node("/memory")
    assert "/memory is gone" in checks.findings(base, after, PINS, audio=False)


def test_a_bus_at_pins_that_cannot_have_it_is_refused() -> None:
    moved = replace(PINS, lines={**PINS.lines, "speak_lamp": replace(PINS.lines["speak_lamp"], gpio=22, pin=15)})
    with pytest.raises(overlays.OverlayError, match="pwm0 cannot be at GPIO 22"):
        panel(moved)


def test_a_lamp_of_another_colour_has_another_name_and_one_without_a_number_is_refused(bench: Bench) -> None:
    blue = replace(PINS, lines={**PINS.lines, "fault_lamp": replace(PINS.lines["fault_lamp"], colour="blue")})
    assert bench.findings(OLD, panel(blue), pins=blue) == []
    assert "there is no lamp kontor:amber:fault" in bench.findings(OLD, panel(blue))
    beige = replace(PINS, lines={**PINS.lines, "fault_lamp": replace(PINS.lines["fault_lamp"], colour="beige")})
    with pytest.raises(overlays.OverlayError, match="fault_lamp: the kernel has no LED_COLOR_ID_BEIGE"):
        panel(beige)


def test_an_overlay_that_dtc_refuses_is_said_in_one_line(bench: Bench) -> None:
    with pytest.raises(build.BuildError, match=r"^dtc: .*syntax error"):
        build.compiled("/dts-v1/;\n/plugin/;\nno tree\n", bench.folder / "wrong.dtbo")


def test_an_overlay_without_its_label_in_the_tree_is_refused(bench: Bench) -> None:
    with pytest.raises(build.BuildError, match=r"^fdtoverlay: "):
        bench.findings(NEW, panel(PINS))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:60], lambda data: b"\0" * 200])
def test_bytes_that_are_no_tree_are_refused(bench: Bench, damage: Callable[[bytes], bytes]) -> None:
    path = bench.folder / "base.dtb"
    build.compiled(OLD, path)
    whole = path.read_bytes()
    assert fdt.read(whole).text("model") == "Raspberry Pi 4 Model B"
    with pytest.raises(fdt.TreeError):
        fdt.read(damage(whole))


def test_lamps_and_contacts_before_the_kernel() -> None:
    """MIC and FAULT driven to where they are lit, the others dark, contacts as the kernel has them later."""
    assert sources.early(PINS).splitlines() == [
        "gpio=17=ip,pd",
        "gpio=5,6,24,26,27=ip,pu",
        "gpio=12,22,23,25=op,dl",
    ]
    high = replace(PINS, lines={"mic_lamp": replace(PINS.lines["mic_lamp"], active="high")})
    assert sources.early(high) == "gpio=25=op,dh"


def test_no_board_keeps_outputs_of_a_program_that_ended() -> None:
    made = sources.files(PINS)
    for board, soc in PINS.socs.items():
        module = "pinctrl_rp1" if soc == "bcm2712" else "pinctrl_bcm2835"
        assert made[f"{board}/cmdline.txt"].split().count(f"{module}.persist_gpio_outputs=0") == 1
    assert "\ndtparam=strict_gpiod\n" in made["raspberry-pi-os.txt"]


def test_check_tells_what_is_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main([], tmp_path) == 0
    assert sources.main(["--check"], tmp_path) == 0
    (tmp_path / "pi4" / "config.txt").write_text("other\n")
    assert sources.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "firmware/ is current.",
        "firmware/pi4/config.txt: old, make it anew.",
    ]
