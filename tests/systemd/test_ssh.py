"""The image's ssh, as provision starts it: who comes in, as whom, what can be done there, and that it goes with the key."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.need import need
from tests.systemd.conftest import SETTINGS, box
from tests.systemd.guest import ROOT, Guest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_IMAGE = ROOT / "image/root"
_TAKEN = (
    "etc/pam.d/sshd",
    "usr/lib/kontor-image/sshd_config",
    "usr/lib/systemd/system/kontor-ssh.service",
    "usr/lib/sysusers.d/kontor-image.conf",
    "usr/lib/tmpfiles.d/kontor-image.conf",
    "usr/share/polkit-1/rules.d/53-kontor-image.rules",
)
_CONFIG = "/etc/kontor/kontor.toml"


def key(guest: Guest, name: str) -> str:
    """Make a pair in the guest's /root; gives the public half."""
    path = guest.files / "opt/keys" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True, timeout=30)
    return path.with_suffix(".pub").read_text().strip()


def with_keys(*keys: str) -> str:
    return SETTINGS.replace("[host]", f"ssh_keys = {list(keys)}\n[host]")


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    """A box as the image has it, with Ada's key in its settings."""
    need(Path("/usr/sbin/sshd"), "sshd (Debian: openssh-server) is what the image has")
    guest = box()
    for place in _TAKEN:
        guest.put(place, (_IMAGE / place).read_text())
    ada, _ = key(guest, "ada"), key(guest, "eve")
    guest.put(_CONFIG[1:], with_keys(ada))
    guest.put("etc/hostname", "")  # as on the image: a machine that has a name of its own keeps it
    guest.put("data/ssh/about", "The data partition has this folder.\n")
    with guest:
        guest.run("systemctl start dbus.socket systemd-logind.service polkit.service systemd-hostnamed.service")
        yield guest


def wait(guest: Guest, script: str) -> None:
    """Until a shell in the guest says yes."""
    guest.run(f"for _ in $(seq 300); do if {script}; then exit 0; fi; sleep 0.1; done; {script}", seconds=90)


def ssh(guest: Guest, who: str, command: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
    options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    return guest.run(
        f"ssh {options} -o IdentitiesOnly=yes -i /opt/keys/{who} {user}@127.0.0.1 '{command}'", check=False
    )


def test_whose_key_is_in_the_settings_comes_in_and_can_only_look(guest: Guest) -> None:
    wait(guest, "systemctl -q is-active kontor-ssh.service && ss -ltn | grep -q :22")
    done = ssh(guest, "ada", "id -un; id -Gn; pwd; grep NoNewPrivs /proc/self/status")
    assert done.stdout.split("\n")[:4] == [
        "admin",
        "admin kontor systemd-journal",
        "/run/kontor-admin",
        "NoNewPrivs:\t1",
    ], done
    for command in (
        "touch /etc/x",
        "touch /usr/x",
        "cat /etc/shadow",
        "cat /var/lib/kontor/link/device.key",
        "ls /data/network",
    ):
        assert ssh(guest, "ada", command).returncode != 0, command
    assert ssh(guest, "ada", "touch x && ls").stdout == "x\n", "its own folder is its own"
    said = ssh(guest, "ada", "kontor status")
    assert said.stdout.startswith("microphone "), said


def test_nobody_else_comes_in(guest: Guest) -> None:
    for who, user in (("eve", "admin"), ("ada", "root"), ("ada", "kontor-provision")):
        done = ssh(guest, who, "id", user)
        assert (done.returncode, done.stdout) == (255, ""), (who, user, done)
    tried = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o PubkeyAuthentication=no admin@127.0.0.1 id"
    done = guest.run(f"{tried} 2>&1", check=False)
    assert "Permission denied (publickey)." in done.stdout, "no other way is offered"


def test_the_machine_has_the_name_of_the_device(guest: Guest) -> None:
    about = guest.status("provision")["machine"]
    assert about == {"data": "", "ssh": True, "hostname": "amber", "failed": {}}
    wait(guest, '[ "$(hostname)" = amber ]')


def test_with_the_key_whoever_is_in_goes_too(guest: Guest) -> None:
    known = "-o BatchMode=yes -o StrictHostKeyChecking=no"
    guest.run(f"ssh {known} -i /opt/keys/ada admin@127.0.0.1 sleep 600 >/dev/null 2>&1 &")
    wait(guest, "pgrep -u admin sleep >/dev/null")
    guest.run(f"cat >{_CONFIG} <<'EOF'\n{SETTINGS}\nEOF\nkontor config pull")
    wait(guest, "! pgrep -u admin sleep >/dev/null")
    wait(guest, "! ss -ltn | grep -q :22")
    assert guest.show("kontor-ssh.service", "ActiveState")["ActiveState"] == "inactive"
    assert ssh(guest, "ada", "id").returncode == 255
