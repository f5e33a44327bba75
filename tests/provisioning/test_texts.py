"""What provisioning says of a boot file and of a network that cannot be, word for word, with file and line."""

from pathlib import Path

import pytest

from appliance.provisioning import boot
from appliance.provisioning.candidate import compose
from appliance.provisioning.network_check import check
from appliance.provisioning.sets import BOOT_LAYER, Layer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[room]\ntoken_file = "t"\ntoken = "hunter2"\n',
            "4: room.token = (hidden): is written beside token_file. Leave one of them out.",
        ),
        ("[room]\ntoken = 5\n", '3: room.token = (hidden): must be a text. Write it in quotes: token = "…"'),
        ('[room]\ntoken = " "\n', '3: room.token = (hidden): must be a text. Write it in quotes: token = "…"'),
        (
            '[room]\ntoken = "(moved)"\n',
            "3: room.token = (hidden): was moved into another device. Write the secret here again for this one.",
        ),
        (
            'room = { token = "hunter2" }\n',
            '2: room.token = (hidden): must stand on a line of its own. Write it as: token = "…"',
        ),
        (
            '[room]\ntoken = """\nhunter2"""\n',
            '3: room.token = (hidden): must stand on a line of its own. Write it as: token = "…"',
        ),
        (
            '[[network.wifi]]\nssid = "a"\n[[network.wifi]]\nssid = "b"\npassword = 12345678\n',
            '6: network.wifi[2].password = (hidden): must be a text. Write it in quotes: password = "…"',
        ),
    ],
)
def test_a_secret_that_cannot_be_moved(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text(f"schema = 1\n{text}")
    taken = boot.take(path, tmp_path / "secrets")
    assert [str(problem) for problem in taken.problems] == [f"{path}:{says}"]
    assert path.read_text() == f"schema = 1\n{text}"


def test_a_network_that_cannot_be_is_told_with_its_place(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("short")
    password.chmod(0o600)
    text = f"""schema = 1
[[network.wifi]]
ssid = "Office"
password_file = "{password}"
[network.ethernet]
security = "peap"
identity = "box"
password_file = "{password}"
ca = "/nowhere/ca.pem"
"""
    layer = Layer(BOOT_LAYER, "/boot/firmware/kontor.toml", text.encode(), tmp_path)
    candidate = compose(tmp_path, [layer], {}, check)
    boot_file = "/boot/firmware/kontor.toml"
    words = "must hold a Wi-Fi password: 8 to 63 printable ASCII characters"
    assert sorted(candidate.why.splitlines()) == [
        f"{boot_file}:4: network.wifi[1].password_file = {password}: {words}.",
        f"{boot_file}:9: network.ethernet.ca = /nowhere/ca.pem: cannot be read.",
    ]
