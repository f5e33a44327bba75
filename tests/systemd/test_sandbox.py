"""What each sandbox holds back: an option bites in the unit as it is, and without it the same thing is let through.

What a guest of this kind cannot show, limits of memory and tasks, is in test_limits.py.
"""

import json
import re
from pathlib import Path

import pytest

from tests.systemd.figures import FIGURES
from tests.systemd.guest import ROOT, SERVICES, UNITS, Guest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GOALS = {"sound": 0.4, "link": 1.2, "provision": 1.5, "host": 1.5}

BITES: dict[str, tuple[tuple[str, str], ...]] = {
    # probe: what of the unit holds it back, as a regular expression over its lines; more than one where several do
    "sound": (("AF_INET", r"RestrictAddressFamilies="), ("another device", r"DevicePolicy=|DeviceAllow=")),
    "link": (
        ("AF_VSOCK", r"RestrictAddressFamilies="),
        ("another device", r"PrivateDevices=|DevicePolicy="),
        ("/proc beside processes", r"ProcSubset="),
    ),
    "host": (
        ("AF_VSOCK", r"RestrictAddressFamilies="),
        ("another device", r"PrivateDevices=|DevicePolicy="),
        ("/proc beside processes", r"ProcSubset="),
    ),
    "provision": (
        ("AF_VSOCK", r"RestrictAddressFamilies="),
        ("another device", r"PrivateDevices=|DevicePolicy="),
    ),
}
"""Only what is special to a unit."""

ALL = (
    ("write /etc", r"ProtectSystem="),
    ("home", r"ProtectHome="),
    ("shared /tmp", r"PrivateTmp="),
    ("writable and executable memory", r"MemoryDenyWriteExecute="),
    ("own processors", r"SystemCallFilter="),
    ("trace", r"SystemCallFilter="),
    ("personality", r"LockPersonality="),
    ("set-user-id", r"RestrictSUIDSGID="),
    ("other processes", r"ProtectProc="),
    ("modules", r"ProtectKernelModules="),
    ("open to others", r"UMask="),
    ("core", r"LimitCORE="),
    ("other users", r"PrivateUsers="),
    ("namespace", r"RestrictNamespaces="),
)
"""What all of them hold back."""


def body(part: str, without: str = "$^") -> str:
    """The [Service] of a unit, less the lines that match ``without``; ready to run something else."""
    text = (UNITS / f"kontor-{part}.service").read_text().replace("\\\n", "")
    service = text.split("[Service]\n")[1].split("\n[")[0]
    ours = re.compile(r"Exec|Type=|NotifyAccess=|Restart|WatchdogSec=|Timeout|OOMScoreAdjust=|StateDirectory")
    lines = [line for line in service.splitlines() if line and not line.startswith("#") and not ours.match(line)]
    kept = [line for line in lines if not re.match(without, line)]
    assert without == "$^" or len(kept) < len(lines), f"kontor-{part}.service has none of {without}"
    return "\n".join(kept)


def probed(guest: Guest, part: str, names: list[str], without: str = "$^", more: str = "") -> dict[str, str]:
    """What comes of these probes in the place of a service."""
    quoted = " ".join(f'"{name}"' for name in names)
    unit = (
        f"[Service]\nType=oneshot\n{body(part, without)}\n{more}\n"
        f"ExecStart=/usr/bin/guest-python /usr/lib/kontor-probe.py {quoted}\nStandardOutput=file:/run/probe.out\n"
    )
    guest.path("/run/systemd/system/probe.service").write_text(unit)
    guest.run("rm -f /run/probe.out; systemctl daemon-reload; systemctl start probe.service")
    found: dict[str, str] = json.loads(guest.path("/run/probe.out").read_text())
    return found


@pytest.fixture(scope="module", autouse=True)
def things_to_find(guest: Guest) -> None:
    """What the probes look for. A device that nobody drives answers ENXIO to whoever may open it."""
    guest.path("/usr/lib/kontor-probe.py").write_text(Path(__file__).with_name("probe.py").read_text())
    guest.run(
        "mkdir -p /home/somebody /dev/snd /etc/credstore /usr/lib/modules; chmod 755 /home /home/somebody; "
        "echo x >/tmp/of-somebody; mknod -m 666 /dev/forbidden c 10 200; chmod 777 /etc/kontor"
    )


def score(guest: Guest, unit: str) -> float:
    """How exposed systemd calls a unit that runs: 0 … 10."""
    told = guest.run(f"systemd-analyze security --no-pager {unit}.service").stdout
    (found,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", told)
    return float(found)


@pytest.fixture(scope="module")
def plain(guest: Guest) -> float:
    """The score of a unit that holds nothing back."""
    guest.run("systemd-run --quiet --unit=plain sleep infinity")
    try:
        return score(guest, "plain")
    finally:
        guest.run("systemctl stop plain.service")


@pytest.mark.parametrize("part", SERVICES)
def test_the_score_of_the_running_unit_in_a_call(guest: Guest, part: str, plain: float) -> None:
    guest.until_in_call()
    found = score(guest, f"kontor-{part}")
    assert guest.in_call()
    peer = ("a unit that holds nothing back", plain)
    FIGURES.add(f"systemd.security_{part}", found, "of 10", f"<= {GOALS[part]}", peer, "in a call")
    assert found <= GOALS[part]


@pytest.mark.parametrize("part", SERVICES)
def test_each_option_bites_and_nothing_else_would(guest: Guest, part: str) -> None:
    cases = (*BITES[part], *ALL)
    held = probed(guest, part, [probe for probe, _ in cases])
    assert {probe: word for probe, word in held.items() if word == "let through"} == {}
    # one unit without each option: it must be that option, and nothing else, that held the thing back
    for options in dict.fromkeys(option for _, option in cases):
        names = [probe for probe, option in cases if option == options]
        free = probed(guest, part, names, without=options)
        assert free == dict.fromkeys(names, "let through"), f"kontor-{part}.service without {options}"


def test_sound_may_use_what_it_is_for(guest: Guest) -> None:
    """Its card, by its group and by the kind of device."""
    kind = "alsa" if " alsa\n" in Path("/proc/devices").read_text() else "misc"  # no sound here: a kind that is there
    major = {"alsa": 116, "misc": 10}[kind]
    guest.run(
        f"rm -f /dev/snd/controlC0; mknod -m 660 /dev/snd/controlC0 c {major} 200; chgrp audio /dev/snd/controlC0"
    )
    allowed = f"DeviceAllow=char-{kind} rw"
    card = ["sound card", "another device"]
    assert probed(guest, "sound", card, more=allowed)["sound card"] == "let through"
    assert probed(guest, "sound", card, without="SupplementaryGroups=", more=allowed)["sound card"] == "EACCES"
    assert probed(guest, "sound", card, without="DeviceAllow=char-alsa")["sound card"] == "EPERM"


def test_three_options_keep_sound_from_the_network_each_alone(guest: Guest) -> None:
    """No kind of socket, no interface but a loopback of its own, no address: each is enough."""
    ways = ["RestrictAddressFamilies=", "PrivateNetwork=", "IPAddressDeny="]
    assert probed(guest, "sound", ["send"], without="|".join(ways))["send"] == "let through"
    for kept in ("RestrictAddressFamilies=", "IPAddressDeny="):
        others = "|".join(way for way in ways if way != kept)
        assert probed(guest, "sound", ["send"], without=others)["send"] in ("EPERM", "EAFNOSUPPORT"), kept
    guest.run(
        "ip link add outside type veth peer name beyond; ip address add 192.0.2.1/24 dev outside; "
        "ip link set beyond up; ip link set outside up"
    )
    assert probed(guest, "sound", ["reach out"], without="|".join(ways))["reach out"] == "let through"
    others = "RestrictAddressFamilies=|IPAddressDeny="
    assert probed(guest, "sound", ["reach out"], without=others)["reach out"] == "ENETUNREACH"
    guest.run("ip link delete outside")


def test_sound_runs_in_real_time_and_cannot_change_that(guest: Guest) -> None:
    scheduling = Path(f"/proc/{guest.pid('sound')}/stat").read_text().rsplit(")", 1)[1].split()
    assert (int(scheduling[38]), int(scheduling[37])) == (1, 10), "SCHED_FIFO, 10"
    assert probed(guest, "sound", ["real time"])["real time"] == "EPERM"
    loose = probed(guest, "sound", ["real time"], without="RestrictRealtime=|SystemCallFilter=")
    assert loose["real time"] == "let through"


def test_secrets_are_read_by_one_service_alone(guest: Guest) -> None:
    guest.run(
        "cd /var/lib/kontor/secrets && for part in link host provision; do setpriv --reuid=kontor-provision "
        "--regid=kontor --clear-groups sh -c \"umask 027; echo secret >$part/of\"; done; stat -c '%n %U %G %a' */of; "
        "mkdir -p /var/lib/kontor/settings/sets && setpriv --reuid=kontor-provision --regid=kontor --clear-groups "
        "sh -c 'umask 027; echo x >/var/lib/kontor/settings/of' && "
        "touch /var/lib/kontor/host/of /var/lib/kontor/provision/of /var/lib/kontor/sound/of && "
        "chmod 644 /var/lib/kontor/*/of"
    )
    files = {
        "/var/lib/kontor/secrets/link/of": {"link", "provision"},
        "/var/lib/kontor/secrets/host/of": {"host", "provision"},
        "/var/lib/kontor/secrets/provision/of": {"provision"},
        "/var/lib/kontor/settings/of": {"sound", "link", "host", "provision"},
        "/var/lib/kontor/link/device.key": {"link"},
        "/var/lib/kontor/link/device.pub": {"sound", "link", "host", "provision"},
        "/var/lib/kontor/host/of": {"host"},
        "/var/lib/kontor/provision/of": {"provision"},
        "/var/lib/kontor/sound/of": {"sound"},
    }
    readers: dict[str, set[str]] = {path: set() for path in files}
    for part in SERVICES:
        for path, word in probed(guest, part, list(files)).items():
            if word == "let through":
                readers[path].add(part)
    assert readers == files


def test_a_credential_reaches_the_one_service_it_is_for(guest: Guest) -> None:
    guest.run("umask 077; echo token >/etc/credstore/kontor.room-token")
    try:
        assert probed(guest, "link", ["token", "token itself"]) == {"token": "let through", "token itself": "EACCES"}
        assert probed(guest, "host", ["token", "token itself"]) == {"token": "ENOENT", "token itself": "EACCES"}
    finally:
        guest.run("rm /etc/credstore/kontor.room-token")


def test_a_server_gets_port_443_as_the_guide_says(guest: Guest) -> None:
    (told,) = re.findall(
        r"```ini\n# a server on port 443.*\n\[Service\]\n((?:.*\n)+?)```", (ROOT / "docs/service.md").read_text()
    )
    assert probed(guest, "host", ["port 443"])["port 443"] == "EACCES"
    assert probed(guest, "host", ["port 443"], more=told)["port 443"] == "let through"
