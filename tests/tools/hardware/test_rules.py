"""The electrical rules: the circuits keep them, and whoever breaks one is told which."""

from collections.abc import Callable

import pytest

from tools.hardware import rules
from tools.hardware.netlist import Netlist, NetlistError

Change = Callable[..., Netlist]


@pytest.mark.parametrize("tier", ["a", "a-cut", "b"])
def test_the_circuits_keep_every_rule(netlists: dict[str, Netlist], tier: str) -> None:
    assert rules.check(netlists[tier]) == []


MUTE, PANEL, USB = "mute-microphones", "panel", "mute-usb"
WRONG = [
    (MUTE, '"M_LAMP", "M_SD"', '"M_LAMQ", "M_SD"', "M_LAMQ joins nothing"),
    (MUTE, '["MIC_SD", "M_GND"]', '["M_GND", "M_GND"]', "R211: all its pins are on M_GND"),
    (MUTE, '["M_GND", "BK", "A_GND"]', '["MIC_VDD", "BK", "A_GND"]', "MK1 GND: A_GND is no ground"),
    (MUTE, '["pin 6", "BK", "M_GND"]', '["pin 17", "BK", "M_GND"]', "3.3 V and ground are joined"),
    (MUTE, '["pin 4", "OG", "M_5V_IN"]', '["pin 6", "OG", "M_5V_IN"]', "AMP1 VIN: no supply reaches AMP_5V"),
    (MUTE, '["line i2s_clock", "GN"', '["line i2s_frame", "GN"', "has 2 wires"),
    (MUTE, '    ["line i2s_amplifier", "VT", "M_DOUT"],\n', "", "AMP1 DIN: nobody drives AMP_DIN"),
    (MUTE, '"M_LRCLK_A", "M_LRCLK_Y"', '"M_LRCLK_A", "M_BCLK_Y"', "drive the same net"),
    (MUTE, '["A_VDD", "A_GND", "A_BCLK"', '["A_VDD", "A_GND", "A_LRCLK"', "W202.3 ends at A_BCLK, where nothing is"),
    (MUTE, '"ptc-50mA", ohm = 10', '"ptc-50mA", ohm = 500', "no supply reaches A_VDD"),
    (MUTE, "ohm = 4_700, nets", "ohm = 47_000, nets", "has no sure level while live"),
    (MUTE, '1_500, nets = ["MIC_VDD", "M_GND"], does = "the', '50, nets = ["MIC_VDD", "M_GND"], does = "the', "F201 carries"),
    (MUTE, '"74LVC2G17"', '"74HCT2G34"', "microphones that are cut get"),
    (MUTE, "farad = 1e-6", "farad = 1e-4", "microphones that are cut are dead after"),
    (MUTE, '["M_LIVE_B", "M_LAMP_A", "M_GND"]', '["M_LAMP_A", "M_LIVE_B", "M_GND"]', "D201 has"),
    (MUTE, '"M_LAMP", "M_SD", "MIC_SD"', '"MIC_VDD", "M_SD", "MIC_SD"', "M_LAMP joins nothing"),
    (MUTE, 'R206 = { part = "resistor", ohm = 10', 'R206 = { part = "resistor", ohm = 33', "D201 is lit until the micro"),
    (PANEL, '    ["line talk", "VT", "P_TALK"],\n', "", "line talk of the pin map has no wire"),
    (PANEL, '["P_MIC_G", "P_GND"]', '["P_MIC_G", "P_3V3"]', "D101 is dark while nobody drives GPIO25"),
    (PANEL, 'ohm = 470, nets = ["P_ROOM"', 'ohm = 47, nets = ["P_ROOM"', "D103 has"),
    (PANEL, '["P_UP_S", "P_GND"], does = "VOL', '["P_DOWN_S", "P_GND"], does = "VOL', "no button presses line volume_up"),
    (PANEL, 'ohm = 1_000, nets = ["P_DOOR"', 'ohm = 1, nets = ["P_DOOR"', "when it is driven and pressed"),
    (PANEL, '"led-green"', '"led-white"', "room_lamp is green in the pin map"),
    (PANEL, '"led-green", nets = ["P_ROOM_A", "P_GND"]', '"led-green", nets = ["P_GND", "P_ROOM_A"]', "lights nothing"),
    (USB, 'ohm = 10_000, nets = ["K_DIV"', 'ohm = 100_000, nets = ["K_DIV"', "(MUTE) gets"),
    (USB, 'R401 = { part = "resistor", ohm = 470', 'R401 = { part = "resistor", ohm = 47', "R401 has"),
]  # fmt: skip


@pytest.mark.parametrize(("sheet", "old", "new", "told"), WRONG, ids=[f"{one[3] or one[2]}" for one in WRONG])
def test_a_broken_rule_is_told(changed: Change, sheet: str, old: str, new: str, told: str) -> None:
    tier = "a-cut" if sheet == "mute-usb" else "b"
    findings = rules.check(changed(tier, sheet, old, new))
    assert findings
    assert any(told in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('part = "BC847"', 'part = "BC846"', "hardware/parts.toml has no BC846"),
        ('nets = ["M_PARK", "M_GND"]', 'nets = ["M_PARK"]', "R213"),
        ('nets = ["M_PARK", "M_GND"]', 'nets = ["M_PARK", "P_GND"]', "P_GND is on MUTE and PANEL without a wire"),
        ('["line mute", "WH", "M_SENSE"]', '["line deaf", "WH", "M_SENSE"]', "no line deaf"),
        ('["line mute", "WH", "M_SENSE"]', '["pin 11", "WH", "M_SENSE"]', "pin 11 of the header is no supply"),
        ('["line mute", "WH", "M_SENSE"]', '["line mute", "WH", "P_TALK"]', "P_TALK is not on MUTE"),
        ('TP201 = { net = "M_3V3"', 'TP201 = { net = "M_4V3"', "TP201: there is no net M_4V3"),
        ("R213 =", "R111 =", "R111 is there twice"),
    ],
)  # fmt: skip
def test_a_circuit_that_cannot_be_read_is_told_where(changed: Change, old: str, new: str, told: str) -> None:
    with pytest.raises(NetlistError, match=told):
        changed("b", "mute-microphones", old, new)
