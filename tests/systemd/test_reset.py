"""Ten seconds on ROOM, with the rights that the units give: the file lies on the boot partition, and the machine starts anew."""

import os

import pytest

from tests.support import wait_for
from tests.systemd.conftest import box

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("image", [True, False], ids=["image", "other"])
def test_room_held_resets_an_image_and_nothing_else(image: bool) -> None:
    with box() as guest:
        guest.run(
            "mkdir -p /boot/firmware && mount -t tmpfs -o mode=700,uid=$(id -u kontor-provision) tmpfs /boot/firmware"
        )
        firmware = os.open(guest.path("/boot/firmware"), os.O_RDONLY | os.O_DIRECTORY)  # it outlives the guest
        if image:
            guest.path("/usr/lib/systemd/system/kontor-reset.service").write_text("[Unit]\n")
        guest.run(
            "systemctl daemon-reload && systemctl start dbus.socket systemd-logind.service polkit.service && "
            "systemctl restart kontor-provision.service"
        )
        guest.until_in_call(60)
        guest.ask("sound", {"do": "panel", "hold": "room"})
        wait_for(lambda: guest.status("sound").get("door") == "listening", 10, "the door has moved")
        wait_for(lambda: bool(guest.status("sound").get("reset_held")), 20, "ROOM was held")
        sound = guest.ask("sound", {"do": "panel"})
        assert (sound["door"], sound["gate"]) == ("open", "open"), "the door is as it was"
        assert sound["lamps"] == {"mic": "off", "room": "fast", "speak": "fast", "fault": "fast"}
        if image:
            assert guest.ended() == 133, "nspawn's word for a guest that wanted to be started anew"
        else:
            wait_for(lambda: "reset_refused" in guest.journal("provision"), 20, "it is refused")
        assert os.listdir(firmware) == ["factory-reset"] * image
        os.close(firmware)
