"""Who may have the machine started anew: provisioning, and nobody else; and nobody may do more (systemd/polkit)."""

import pytest

from tests.systemd.conftest import box
from tests.systemd.guest import Guest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_RULE = "usr/share/polkit-1/rules.d/50-kontor.rules"


def asked(guest: Guest, part: str, *words: str) -> str:
    """What logind answers somebody in the place of a service, in as narrow a sandbox."""
    sandbox = (
        f"-p User=kontor-{part} -p Group=kontor -p NoNewPrivileges=yes -p CapabilityBoundingSet= -p PrivateUsers=yes "
        "-p PrivateNetwork=yes -p RestrictAddressFamilies=AF_UNIX -p ProtectSystem=strict -p SystemCallFilter=@system-service"
    )
    login = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"
    done = guest.run(f"systemd-run -q --wait --pipe {sandbox} busctl call {login} {' '.join(words)}", check=False)
    return (done.stdout + done.stderr).strip().rpartition("\n")[2]


def test_provisioning_alone_may_reboot_and_nobody_may_do_more() -> None:
    with box() as guest:
        guest.run("systemctl start dbus.socket systemd-logind.service polkit.service")
        for part in ("sound", "link", "host"):
            assert asked(guest, part, "CanReboot") != 's "yes"', part
            assert "Interactive authentication required" in asked(guest, part, "Reboot", "b", "false")
        assert asked(guest, "provision", "CanReboot") == 's "yes"'
        for verb in ("PowerOff", "Suspend", "Halt"):
            told = asked(guest, "provision", verb, "b", "false")
            assert "Interactive authentication required" in told or "not supported" in told.lower(), (verb, told)

        rule = guest.path(_RULE)
        text = rule.read_text()
        rule.unlink()
        guest.run("systemctl restart polkit.service")
        assert asked(guest, "provision", "CanReboot") != 's "yes"', "it is the rule that allows it"
        rule.write_text(text)
        guest.run("systemctl restart polkit.service")

        asked(guest, "provision", "Reboot", "b", "false")
        assert guest.ended() == 133, "nspawn's word for a guest that wanted to be started anew"
