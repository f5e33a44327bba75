"""The schematics: where each part stands on the sheet. Values and connections come from the netlist, and are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tools.hardware.netlist import Netlist
from tools.hardware.sheet import Point, Sheet


def draw(tier: Netlist) -> Mapping[str, Sheet]:
    """File name to sheet: every part of the tier is on one of them."""
    sheets = {"panel": panel(tier)}
    sheets.update({name: layout(tier) for name, layout in _MUTE[tier.tier].items()})
    return sheets


def panel(tier: Netlist) -> Sheet:
    """Lamps, buttons and ring: the same for every tier."""
    own = [part.ref for part in tier.parts.values() if part.board in {"PANEL", "RING"} and part.ref not in _OTHERS]
    sheet = Sheet(tier, ("PANEL", "RING"), own)
    sheet.title((-3.5, 4.4), "Supplies")
    sheet.name((0, 3), "pi.17", "left", "3.3 V: pin 17")
    sheet.two("F101", (0, 3), (2.5, 3))
    sheet.line((2.5, 3), (5.5, 3))
    _to_ground(sheet, [("C101", 3.5)], 3, 1)
    sheet.name((5.5, 3), "P_3V3", text="P_3V3 (TP101)")
    sheet.name((11, 3), "pi.2", "left", "5 V: pin 2")
    sheet.two("F102", (11, 3), (13.5, 3))
    sheet.line((13.5, 3), (18, 3))
    _to_ground(sheet, [("C102", 14.3), ("C103", 16.6)], 3, 1)
    sheet.name((18, 3), "P_5V", text="P_5V (TP102)")
    sheet.title((-3.5, -0.6), "Lamps")
    _lit_undriven(sheet, 0, "mic_lamp", ("R102", "R101", "Q101", "R103", "D101"))
    _lit_undriven(sheet, 10.5, "fault_lamp", ("R105", "R104", "Q102", "R106", "D102"))
    _room_and_speak(sheet)
    sheet.title((-3.5, -19.4), "Buttons")
    buttons = [("room", 1), ("talk", 2), ("volume_up", 3), ("volume_down", 4), ("knock", 5)]
    for column, (line, number) in enumerate(buttons):
        _button(sheet, (column % 3 * 9.5, -20.5 - column // 3 * 4.2), line, number)
    _ring(sheet, -30.5)
    return sheet


_OTHERS: Final = frozenset({"R301", "S301", "R302", "R303", "D301"})
"""On the panel's board, drawn on the sheet of the mute line."""


def _to_ground(
    sheet: Sheet, parts: Iterable[tuple[str, float]], top: float, bottom: float, side: str = "bottom"
) -> None:
    """Parts side by side from a line at ``top`` down to the ground at ``bottom``."""
    for ref, x in parts:
        sheet.dot((x, top))
        sheet.two(ref, (x, top), (x, bottom), side)
        sheet.ground((x, bottom))


def _lit_undriven(sheet: Sheet, x: float, line: str, refs: tuple[str, str, str, str, str]) -> None:
    """A lamp that only a driven high makes dark."""
    gate, pull, switch, series, lamp = refs
    y = -3.25
    sheet.header((x, y), line)
    sheet.two(gate, (x, y), (x + 2.5, y))
    _to_ground(sheet, [(pull, x + 2.8)], y, y - 2.2)
    pins = sheet.three(switch, "S", (x + 5, y + 0.75), "right", reverse=True)
    sheet.line((x + 2.5, y), pins["G"])
    sheet.name(pins["S"], "P_3V3", "top")
    sheet.two(series, pins["D"], (x + 5, y - 3), "bottom")
    sheet.two(lamp, (x + 5, y - 3), (x + 5, y - 5.2), "bottom")
    sheet.ground((x + 5, y - 5.2))


def _room_and_speak(sheet: Sheet) -> None:
    sheet.header((0, -12), "room_lamp")
    sheet.two("R107", (0, -12), (2.5, -12))
    sheet.line((2.5, -12), (4, -12))
    sheet.two("D103", (4, -12), (4, -14.2), "bottom")
    sheet.ground((4, -14.2))
    y = -14.25
    sheet.header((10.5, y), "speak_lamp")
    sheet.two("R109", (10.5, y), (13, y))
    _to_ground(sheet, [("R108", 13.3)], y, y - 2.2)
    pins = sheet.three("Q103", "D", (15.5, y + 0.75), "right", reverse=True)
    sheet.line((13, y), pins["G"])
    sheet.ground(pins["S"])
    sheet.two("D104", (15.5, y + 2.6), pins["D"], "bottom")
    sheet.line((15.5, y + 2.6), (15.5, y + 3.1), (17, y + 3.1))
    sheet.two("R110", (19.5, y + 3.1), (17, y + 3.1))
    sheet.name((19.5, y + 3.1), "P_5V")


def _button(sheet: Sheet, at: Point, line: str, number: int) -> None:
    x, y = at
    sheet.header((x, y), line)
    sheet.two(f"R11{number}", (x, y), (x + 2.2, y))
    sheet.line((x + 2.2, y), (x + 4.4, y))
    _to_ground(sheet, [(f"D11{number}", x + 2.6), (f"S10{number}", x + 4.4)], y, y - 2)


def _ring(sheet: Sheet, y: float) -> None:
    sheet.title((-3.5, y + 1.4), "Ring")
    chip = sheet.block("U101", (4, y), ("1A", "2A", "GND"), ("1Y", "2Y", "VCC"), spacing=1.4)
    ring = sheet.block("DS1", (14, y), ("DI", "CI", "5V", "GND"), (), spacing=1.4)
    for line, near, far, first, second in (
        ("pixels_data", "R116", "R118", "1A", "1Y"),
        ("pixels_clock", "R117", "R119", "2A", "2Y"),
    ):
        level = chip[first][1]
        sheet.header((0, level), line)
        sheet.two(near, (0, level), (2.5, level))
        sheet.line((2.5, level), chip[first])
        sheet.line(chip[second], (8.5, level))
        sheet.two(far, (8.5, level), (11, level))
        sheet.line((11, level), ring["DI" if first == "1A" else "CI"])
    sheet.ground(chip["GND"])
    sheet.name(chip["VCC"], "P_5V")
    sheet.name(ring["5V"], "P_5V", "left")
    sheet.ground(ring["GND"])


def mute_microphones(tier: Netlist) -> Sheet:
    """Tier B: switch, red lamp, sense, clocks and microphones."""
    sheet = Sheet(tier, ("MUTE", "MIC1", "MIC2", "AMP"))
    sheet.title((-3.5, 4.2), "Supply of the microphones, red lamp, and what the Pi reads")
    sheet.name((0, 0), "pi.1", "left", "3.3 V: pin 1")
    sheet.two("F201", (0, 0), (2.5, 0))
    sheet.line((2.5, 0), (4, 0))
    sheet.name((3.2, 0), "M_3V3", "top", "TP201")
    pole = sheet.pole("S201", "A", (4, 0), text="S201 A (drawn live)")
    sheet.line(pole["A.live"], (6.5, 0.5), (6.5, 2.5), (24.5, 2.5))
    sheet.name((7, 2.5), "MIC_VDD", "top", "MIC_VDD (TP202)")
    _to_ground(sheet, [("C201", 8.3), ("C202", 10.5), ("R201", 12.7), ("R202", 14.9), ("D203", 17.1)], 2.5, 0.3)
    _lamp(sheet, pole["A.muted"], ("R205", "D201", "R206", "Q201"), "M_LAMP", 19.3)
    sheet.two("R203", (24.5, 2.5), (27, 2.5))
    sheet.line((27, 2.5), (32, 2.5))
    _to_ground(sheet, [("R204", 28), ("D202", 30.4)], 2.5, 0.3)
    sheet.header((32, 2.5), "mute", "right")
    sheet.name((27.3, 2.5), "M_SENSE", "top", "TP203")
    _data(sheet, -9.5)
    _clocks(sheet, -16)
    _microphones(sheet)
    _amplifier(sheet, -23)
    return sheet


def _lamp(sheet: Sheet, throw: Point, refs: tuple[str, str, str, str], net: str, base: float) -> None:
    """The red lamp below the throw that feeds it, and the transistor that puts it out while the supply is there."""
    series, lamp, resistor, transistor = refs
    x = throw[0] + 1
    y = -3
    sheet.line(throw, (x, throw[1]), (x, y))
    sheet.name((x, y + 1), net, "right", f"{net} (TP204)" if net == "M_LAMP" else net)
    sheet.two(series, (x, y), (x + 3, y))
    sheet.line((x + 3, y), (x + 8, y))
    sheet.two(lamp, (x + 4, y), (x + 4, y - 2.4), "bottom")
    sheet.dot((x + 4, y))
    sheet.ground((x + 4, y - 2.4))
    pins = sheet.three(transistor, "C", (x + 8, y), "left", reverse=True)
    sheet.ground(pins["E"])
    sheet.dot((base, 2.5))
    sheet.two(resistor, (base, 2.5), (base, 0), "bottom")
    sheet.line((base, 0), (base, pins["B"][1]), pins["B"])
    sheet.name((x + 6, y), f"{net}_A", "top", "TP205" if net == "M_LAMP" else "TP404")


def _data(sheet: Sheet, y: float) -> None:
    sheet.title((-3.5, y + 2), "Data line")
    sheet.header((0, y), "i2s_microphones")
    sheet.two("R212", (0, y), (2.5, y))
    sheet.line((2.5, y), (4, y))
    pole = sheet.pole("S201", "B", (4, y), text="S201 B")
    sheet.line(pole["B.live"], (10, pole["B.live"][1]))
    sheet.name((10, pole["B.live"][1]), "MIC_SD")
    _to_ground(sheet, [("R211", 8)], pole["B.live"][1], y - 1.9)
    sheet.line(pole["B.muted"], (6.2, y - 0.5))
    sheet.two("R213", (6.2, y - 0.5), (6.2, y - 2.7), "bottom")
    sheet.ground((6.2, y - 2.7))


def _clocks(sheet: Sheet, y: float) -> None:
    sheet.title((-3.5, y + 1.6), "Clocks: pass only while the microphones have a supply")
    chip = sheet.block("U201", (5, y), ("1A", "2A", "GND"), ("1Y", "2Y", "VCC"), spacing=1.4)
    for line, net, near, far, first, second in (
        ("i2s_clock", "MIC_BCLK", "R207", "R209", "1A", "1Y"),
        ("i2s_frame", "MIC_LRCLK", "R208", "R210", "2A", "2Y"),
    ):
        level = chip[first][1]
        sheet.header((0, level), line)
        sheet.two(near, (0, level), (3, level))
        sheet.line((3, level), chip[first])
        sheet.line(chip[second], (9.5, level))
        sheet.two(far, (9.5, level), (12, level))
        sheet.name((12, level), net)
    sheet.ground(chip["GND"])
    sheet.name(chip["VCC"], "MIC_VDD")


def _microphones(sheet: Sheet) -> None:
    sheet.title((16.5, -7.5), "Microphones (modules on cables W202 and W203)")
    for number, (y, capacitor) in enumerate(((-9.5, "C204"), (-16, "C205")), 1):
        module = sheet.block(f"MK{number}", (20, y), ("VDD", "BCLK", "LRCLK", "SD"), ("SEL", "GND"))
        for pin, net in (("VDD", "MIC_VDD"), ("BCLK", "MIC_BCLK"), ("LRCLK", "MIC_LRCLK"), ("SD", "MIC_SD")):
            sheet.name(module[pin], net, "left")
        sheet.ground(module["GND"])
        if number == 1:
            sheet.line(module["SEL"], module["GND"])
        else:
            sheet.name(module["SEL"], "MIC_VDD")
        sheet.name((27.5, y - 0.5), "MIC_VDD", "top")
        sheet.two(capacitor, (27.5, y - 0.5), (27.5, y - 2.7), "bottom")
        sheet.ground((27.5, y - 2.7))


def _amplifier(sheet: Sheet, y: float) -> None:
    sheet.title((-3.5, y + 1.5), "Amplifier (module on cable W204): keeps its supply, it only plays")
    sheet.name((0, y), "pi.4", "left", "5 V: pin 4")
    sheet.two("F202", (0, y), (2.5, y))
    sheet.line((2.5, y), (5, y))
    _to_ground(sheet, [("C203", 3.5)], y, y - 2.2)
    sheet.name((5, y), "M_5V", text="M_5V (TP206)")
    module = sheet.block("AMP1", (20, y + 0.5), ("VIN", "BCLK", "LRCLK", "DIN"), ("GND",))
    sheet.name(module["VIN"], "M_5V", "left")
    for pin, line in (("BCLK", "i2s_clock"), ("LRCLK", "i2s_frame"), ("DIN", "i2s_amplifier")):
        sheet.header(module[pin], line)
    sheet.ground(module["GND"])


def mute_usb(tier: Netlist) -> Sheet:
    """Tier A, variant: the array's supply through both poles."""
    sheet = Sheet(tier, ("CUT", "ARRAY"))
    sheet.title((-3.5, 4.2), "USB supply of the array, red lamp, and what the Pi reads")
    sheet.name((-3.2, 0), "usb.VBUS", "left", "USB port: VBUS")
    sheet.two("F401", (-3.2, 0), (-0.7, 0))
    sheet.line((-0.7, 0), (0.5, 0))
    sheet.name((-0.2, 0), "K_5V", "top", "TP401")
    first = sheet.pole("S401", "A", (0.5, 0), text="S401 A (drawn live)")
    second = sheet.pole("S401", "B", (4.5, 0.5), text="S401 B")
    sheet.line(first["A.live"], second["B.com"])
    sheet.line(second["B.live"], (7, 1), (7, 2.5), (24.5, 2.5))
    sheet.name((7.5, 2.5), "K_VBUS", "top", "K_VBUS (TP402)")
    _to_ground(sheet, [("C401", 8.5), ("R401", 10.6), ("R402", 12.7), ("D403", 14.8)], 2.5, 0.3)
    _lamp(sheet, first["A.muted"], ("R405", "D401", "R406", "Q401"), "K_LAMP", 17)
    sheet.two("R403", (24.5, 2.5), (27, 2.5))
    sheet.line((27, 2.5), (32.3, 2.5))
    _to_ground(sheet, [("R404", 27.8), ("D402", 30)], 2.5, 0.3)
    sheet.two("R407", (32.3, 2.5), (34.8, 2.5))
    sheet.line((34.8, 2.5), (36, 2.5))
    sheet.header((36, 2.5), "mute", "right")
    sheet.name((35.2, 2.5), "K_SENSE", "top", "TP403")
    _array(sheet, -10, "K_VBUS", capacitor="C402")
    return sheet


def mute_line(tier: Netlist) -> Sheet:
    """Tier A: a line that software reads."""
    sheet = Sheet(tier, ("PANEL", "ARRAY"), [*_OTHERS, "MK1"])
    sheet.title((-3.5, 2.5), "Mute line: the microphones stay powered, software closes the gate")
    sheet.name((0, 0.5), "pi.1", "left", "3.3 V: pin 1")
    sheet.two("R301", (0, 0.5), (2.5, 0.5))
    contacts = sheet.pole("S301", "A", (6.5, 0), text="S301 (drawn live)", mirrored=True)
    sheet.line((2.5, 0.5), contacts["A.live"])
    sheet.line(contacts["A.muted"], (4, -0.5))
    sheet.ground((4, -0.5))
    sheet.line((6.5, 0), (10.5, 0))
    _to_ground(sheet, [("D301", 8.5)], 0, -2.2)
    sheet.two("R302", (10.5, 0), (13, 0))
    sheet.line((13, 0), (16.5, 0))
    _to_ground(sheet, [("R303", 14.5)], 0, -2.2)
    sheet.header((16.5, 0), "mute", "right")
    sheet.name((13.3, 0), "L_MUTE", "top", "TP301")
    _array(sheet, -5.5, "usb.VBUS")
    return sheet


def _array(sheet: Sheet, y: float, supply: str, capacitor: str = "") -> None:
    sheet.title((-3.5, y + 1.6), "Microphone array")
    module = sheet.block("MK1", (5, y), ("VBUS", "D-", "D+", "GND"), ())
    sheet.name(module["VBUS"], supply, "left", "USB port: VBUS" if supply.startswith("usb") else supply)
    for pin in ("D-", "D+"):
        sheet.name(module[pin], f"usb.{pin}", "left", f"USB port: {pin}")
    sheet.ground(module["GND"])
    if capacitor:
        sheet.name((12, y - 0.5), supply, "top")
        sheet.two(capacitor, (12, y - 0.5), (12, y - 2.7), "bottom")
        sheet.ground((12, y - 2.7))


_MUTE: Final[Mapping[str, Mapping[str, Callable[[Netlist], Sheet]]]] = {
    "a": {"mute-line": mute_line},
    "a-cut": {"mute-usb": mute_usb},
    "b": {"mute-microphones": mute_microphones},
}
