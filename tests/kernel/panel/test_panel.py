"""The panel on pins that are real to Linux: the real gpiozero, gpiod and spidev, on the kernel's gpio-sim."""

import json
import signal
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from appliance.panel.lines import CONTACTS
from tests.contract.panel_suite import CHECKS
from tests.kernel.conftest import need_kernel
from tests.kernel.inside import contract, panel, panel_process
from tools.apa102 import Light, decode
from tools.kernel import spi_wire
from tools.kernel.machine import Machine
from tools.kernel.spi_wire import SpiWire
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PRESSES = 300
REPLUGS = 5


@pytest.fixture(scope="module")
def wire() -> Iterator[SpiWire]:
    """What goes over the wires of the guest's spidev."""
    with tempfile.TemporaryDirectory() as folder:  # ten megabytes, which pytest would keep in its own
        yield SpiWire(Path(folder) / "notes")


@pytest.fixture(scope="module")
def device(wire: SpiWire) -> Iterator[Machine]:
    """A guest of its own: no card ticks in it, and the figures of this file are those of a quiet machine."""
    need_kernel()
    with Machine(wire.options, echo=lambda said: print(said, end="", flush=True)) as machine:
        print(f"kernel {machine.release}, up in {machine.boot_seconds:.0f} s")
        yield machine


@pytest.fixture(scope="module")
def spidev(device: Machine) -> str:
    """Its path in the guest."""
    return device.call(spi_wire.spidev)


def test_pins_keep_the_contract_of_lines(device: Machine) -> None:
    told = device.call(contract.checks, seconds=180)
    assert len(told) == len(CHECKS)
    assert "".join(told.values()) == ""


def test_a_switch_that_bounces_closes_first_and_opens_last(device: Machine) -> None:
    told = device.call(panel.mute_switch)
    print(told)
    assert told["started"] == ["panel found", "switch found closed"]
    gate_lamp_room = [["gate closed", "MIC dark"], ["switch closed", "MIC lit"]]
    assert told["closing"] == gate_lamp_room, "in this order, and once, however often it bounced"
    assert told["opening"] == ["switch opened"]
    assert 0.025 < told["opened_after"] < 0.2, "when it has been quiet for 30 ms"
    assert told["name"] == "gpio (latching)"
    assert not told["problem"]


def test_a_button_mutes_at_once_and_a_spike_opens_nothing(device: Machine) -> None:
    muted, opened, spike = device.call(panel.mute_button)
    assert muted == ["gate closed", "press while open"]
    assert opened == ["press while closed"]
    assert spike == []


def test_buttons_do_what_their_length_says(device: Machine) -> None:
    told = device.call(panel.buttons)
    print(told)
    assert told["ROOM, short"] == []
    assert told["ROOM, long"] == ["door pressed", "door released"]
    assert told["TALK"] == ["hand"]
    assert told["KNOCK"] == ["knock"]
    assert told["VOLUME +, short"] == ["turn +1"]
    assert set(told["VOLUME +, held"]) == {"turn +1"}
    assert 5 <= len(told["VOLUME +, held"]) <= 11


def test_an_edge_that_the_kernel_lost_is_made_up_for(device: Machine, panel_figures: list[Figure]) -> None:
    told = device.call(panel.lost_edges)
    print(told)
    assert told["deaf"], "the panel has the line for itself, and its edges are off"
    assert told["closed"] < 0.5, "levels are read again every quarter of a second"
    assert told["closing"][0] == "gate closed"
    assert len(told["closing"]) == 2, "one event decides"
    assert told["opening"][-1] in {"switch opened", "switch found open"}
    note = "the kernel tells no edge of the switch; until the gate is closed all the same"
    panel_figures.append(Figure("panel.kernel_lost_edge_s", round(told["closed"], 3), "s", "<= 0.5", note=note))


def test_a_pin_in_use_is_said_and_taken_when_it_is_free(device: Machine) -> None:
    told = device.call(panel.claimed)
    print(told)
    assert "17" in told["problem"]
    assert "\n" not in told["problem"]
    assert "panel found" not in told["told"]
    assert told["lit"]
    assert told["then"][-1] == "switch opened"
    assert not told["well"]


def test_a_broken_wire_reads_as_muted_and_no_button_as_pressed(device: Machine) -> None:
    told = device.call(panel.broken_wires)
    print(told)
    assert told["loose"] == ["panel found", "switch found closed"]
    assert told["pulls"].pop("17") == "down"
    assert set(told["pulls"].values()) == {"up"}
    assert told["broken"] == ["gate closed", "switch closed"]


def test_the_chip_is_found_by_its_label_under_whatever_number(device: Machine) -> None:
    told = device.call(panel.another_number)
    print(told)
    assert told["numbers"] == [1, 0]
    assert told["closed"]
    assert told["problem"]
    assert told["again"] == ["panel found", "switch found closed", "switch opened"]
    assert not told["well"]


def test_a_chip_that_goes_closes_the_gate_and_is_taken_again(device: Machine, panel_figures: list[Figure]) -> None:
    told = device.call(panel.gone, REPLUGS)
    print(told)
    assert all(row["closed"] and row["problem"] and row["lit"] for row in told["rows"])
    assert all(row["found"] == ["panel found", "switch found closed"] for row in told["rows"])
    noticed, back = [row["noticed"] for row in told["rows"]], [row["back"] for row in told["rows"]]
    assert max(noticed) < 1
    assert max(back) < 5
    note = f"the GPIO chip goes away while the microphone is open, {REPLUGS} times; until panel lost is told"
    panel_figures.append(Figure("panel.kernel_loss_noticed_s", round(median(noticed), 3), "s", "<= 0.5", note=note))
    panel_figures.append(
        Figure("panel.kernel_back_s", round(median(back), 3), "s", "<= 2", note="since it is there again")
    )


def test_a_lamp_is_half_lit_by_its_pin_and_mic_stays_lit(device: Machine) -> None:
    told = device.call(panel.lamps)
    print(told)
    dark, half, lit = told["shares"]
    assert (dark, lit) == (0, 1)
    assert 0.05 < half < 0.6, "half of the brightness is less than half of the light"
    assert told["lit_after"]


def test_what_the_ring_shows_goes_over_the_wires_of_a_real_spidev(device: Machine, wire: SpiWire, spidev: str) -> None:
    wire.sent()
    wanted = {name: bytes.fromhex(told) for name, told in device.call(panel.ring, spidev).items()}
    sent = wire.sent()
    print(f"{len(sent)} messages, the second: {sent[1].hex()}")
    shown = [decode(message, 12) for message in sent]
    for name, lights in (("nobody", shown[0]), ("three talk", shown[1]), ("nobody", shown[-1])):
        frames = [wanted[name][at : at + 4] for at in range(0, 4 * 12, 4)]
        assert lights == [Light(head & 31, red, green, blue) for head, blue, green, red in frames], name
    assert all(one != another for one, another in pairwise(shown[:-1])), "what is shown is sent again at the end only"
    assert wanted["three talk"] != wanted["nobody"]


def test_a_press_closes_the_gate_as_fast_as_a_thread_wakes(
    device: Machine, spidev: str, panel_figures: list[Figure]
) -> None:
    told = device.call(panel.presses, PRESSES, spidev, seconds=300)
    gate, lamp, bare = (round(float(np.percentile(told[name], 99)), 3) for name in ("gate", "lamp", "bare"))
    print(gate, lamp, bare)
    assert len(told["gate"]) == PRESSES
    peer = "a thread that only waits for an edge"
    note = f"{PRESSES} presses of a switch while three talk, worst {max(told['gate']):.2f} ms; "
    note += "an emulated processor of 1000 million instructions a second"
    panel_figures += [
        Figure("panel.kernel_press_to_gate_p99_ms", gate, "ms", "", peer, bare, note),
        Figure("panel.kernel_press_to_gate_over_baseline_ms", round(gate - bare, 3), "ms", "<= 10", peer, bare),
        Figure("panel.kernel_press_to_lamp_p99_ms", lamp, "ms", "<= 50"),
    ]


def test_the_device_as_a_whole_follows_its_switch_and_its_chip(device: Machine) -> None:
    told = device.call(panel_process.whole, seconds=180)
    print(told)
    assert told["at the start"] == {"MIC lit": True}
    assert told["claimed"] == [*CONTACTS, "mic_lamp", "room_lamp", "speak_lamp"], "FAULT's pin is left to its driver"
    assert told["lit_after"] < 0.1
    assert told["lost_after"] < 1
    assert told["back_after"] < 5
    assert told["ended"] == 0
    assert told["at the end"] == {"MIC lit": True, "FAULT lit": True}


def test_a_device_that_is_killed_shows_a_closed_microphone_and_starts_as_it_was(device: Machine) -> None:
    told = device.call(panel_process.killed, seconds=180)
    print(told)
    assert told["started again"] == {"opened": False, "MIC lit": True}
    assert told["ended"] == -signal.SIGKILL
    assert told["killed while open"] == {"MIC lit": True}


def test_commands_look_at_the_pins_of_this_machine(device: Machine) -> None:
    there, examined, missing = device.call(panel_process.commands, seconds=180)
    print(there, missing, examined["said"])
    assert there["code"] == 0
    assert missing["code"] == 78
    assert "pinctrl-bcm2711" in missing["said"]
    assert "panel.chip" in missing["said"]
    told = json.loads(examined["said"])
    findings = {finding["check"]: finding for finding in told["findings"]}
    assert told["panel"]["levels"] == {name: "low" if name == "mute" else "high" for name in CONTACTS}
    assert findings["contacts"]["state"] == "good"
    assert "at-rest" not in findings
    wires = {findings[f"{lamp}-lamp-wire"]["state"] for lamp in ("mic", "fault", "speak")}
    assert wires == {"bad"}, "no lamp is wired, and that is found with nobody looking"
    assert examined["code"] == 69
