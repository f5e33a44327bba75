"""Facts about the machine, from a tree like that of a Raspberry Pi, and from the machine at hand."""

import os
from pathlib import Path

import pytest

from appliance.health.machine import Machine, machine, own_process, throttling


def put(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = machine(tmp_path / "gone", tmp_path)
    assert found == Machine(found.uptime, found.load, found.memory_free)
    assert found.uptime > 0
    assert found.load is not None
    assert found.load >= 0
    assert found.memory_free is not None
    assert found.memory_free > 0


def test_a_raspberry_pi_tells_temperature_throttling_and_wear(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51121\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "62500\n")
    put(tmp_path, "sys/class/thermal/thermal_zone2/temp", "broken\n")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    put(tmp_path, "sys/block/mmcblk0/device/life_time", "0x02 0x01\n")
    put(tmp_path, "sys/block/mmcblk1/device/life_time", "0x00 0x00\n")
    put(tmp_path, "sys/block/sda/device/life_time", "junk\n")
    device = tmp_path.stat().st_dev
    stat = "   100 1 800 20 30 2 4096 50 0 60 70 0 0 0 0 0 0\n"
    put(tmp_path, f"sys/dev/block/{os.major(device)}:{os.minor(device)}/stat", stat)
    found = machine(tmp_path, tmp_path)
    assert found.temperature == 62.5
    assert found.tells_throttling
    assert (found.throttled, found.throttled_before) == (("under_voltage", "throttled"), ("under_voltage", "throttled"))
    assert found.life_used == {"mmcblk0": 0.2}
    assert found.written == 4096 * 512
    assert found.free is not None
    assert found.free > 0


@pytest.mark.parametrize(
    ("bits", "now", "before"),
    [
        ("0", (), ()),
        ("0x8", ("hot",), ()),
        ("20000", (), ("frequency_capped",)),
        ("f000f", ("under_voltage", "frequency_capped", "throttled", "hot"), None),
    ],
)
def test_every_bit_of_the_firmware_has_a_word(
    tmp_path: Path, bits: str, now: tuple[str, ...], before: tuple[str, ...] | None
) -> None:
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", bits)
    assert throttling(tmp_path) == (now, now if before is None else before)


def test_a_mainline_kernel_tells_low_voltage(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert throttling(tmp_path) == (("under_voltage",), ())
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    assert throttling(tmp_path) == ((), ())
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "?\n")
    assert throttling(tmp_path) == (None, None)


def test_this_process() -> None:
    facts = own_process()
    assert facts["pid"] == os.getpid()
    assert float(str(facts["cpu_s"])) > 0
    assert int(str(facts["rss_bytes"])) > 1_000_000
