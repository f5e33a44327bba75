"""The units as files: what can be seen without a systemd that runs them."""

import configparser
import fnmatch
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from appliance.app import bundle
from appliance.app.process import PRIORITY
from appliance.app.supervisor import WATCHDOG
from appliance.panel.leds import led_of
from appliance.provisioning.sets import Sets
from tests.support.need import need
from tests.systemd.guest import SERVICES, UNITS
from tests.systemd.test_sandbox import GOALS

_COMMON = "# what follows is the same in all units"


def text(part: str) -> str:
    return (UNITS / f"kontor-{part}.service").read_text()


def setting(part: str, name: str) -> list[str]:
    """All values of a setting, in the order of the unit."""
    return re.findall(rf"^{name}=(.*)$", text(part), re.MULTILINE)


def test_systemd_understands_them_all(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd is not installed")
    for path in UNITS.glob("kontor*.*"):
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/kontor", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "kontor" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("part", SERVICES)
def test_the_score_is_within_its_goal(part: str) -> None:
    """As written; the one of the running unit, in a call, is measured by ``make test-systemd``."""
    analyze = need("systemd-analyze", "systemd is not installed")
    unit = str(UNITS / f"kontor-{part}.service")
    limit = str(round(GOALS[part] * 10))
    command = [analyze, "security", "--offline=true", f"--threshold={limit}", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_the_same_in_all_units_is_the_same() -> None:
    common = {text(part).split(_COMMON)[1].split("\n\n[Install]")[0].strip() for part in (*SERVICES, "settled")}
    assert len(common) == 1


@pytest.mark.parametrize("part", SERVICES)
def test_users_and_folders_fit_what_is_made_at_the_start(part: str) -> None:
    users = re.findall(r"^u (\S+)", (UNITS / "sysusers.d/kontor.conf").read_text(), re.MULTILINE)
    groups = re.findall(r"^g (\S+)", (UNITS / "sysusers.d/kontor.conf").read_text(), re.MULTILINE)
    folders = {
        place: (mode, user, group)
        for place, mode, user, group in re.findall(
            r"^d (\S+) (\S+) (\S+) (\S+)", (UNITS / "tmpfiles.d/kontor.conf").read_text(), re.MULTILINE
        )
    }
    assert setting(part, "User") == [f"kontor-{part}"]
    assert setting(part, "Group") == ["kontor"]
    assert f"kontor-{part}" in users
    further = " ".join(setting(part, "SupplementaryGroups")).split()
    assert set(further) <= {*groups, *users}
    (state,), (mode,) = setting(part, "StateDirectory"), setting(part, "StateDirectoryMode")
    assert folders[f"/var/lib/{state}"] == (mode, f"kontor-{part}", "kontor")
    for path in " ".join(setting(part, "ReadWritePaths")).split():
        assert path in folders or path.startswith("-"), f"{path} may not be there, and the service would not start"


def test_whoever_has_the_network_may_not_read_the_journal() -> None:
    """A support bundle from afar is made by link: it has no journal, and says so (docs/adr/0193)."""
    groups = " ".join([*setting("link", "SupplementaryGroups"), *setting("link", "Group")]).split()
    assert not {"systemd-journal", "adm", "root"} & set(groups)
    assert setting("link", "User") == ["kontor-link"]
    assert setting("link", "CapabilityBoundingSet") == [""]
    files = bundle.collect("", {}, [], lambda _command: "-- No entries --\n", afar=True)
    for name in ("journal.txt", "units.txt"):
        assert b"made by link, the process with the network. That may read\nneither the journal" in files[name]
        assert b"sudo kontor doctor --bundle" in files[name]


def test_a_bridge_is_as_shut_in_as_a_server_and_keeps_no_user() -> None:
    analyze = need("systemd-analyze", "systemd is not installed")
    assert (
        text("bridge@").split(_COMMON)[1].split("\n\n[Install]")[0]
        == text("host").split(_COMMON)[1].split("\n\n[Inst")[0]
    )
    assert setting("bridge@", "DynamicUser") == ["yes"]
    assert not setting("bridge@", "User") and not setting("bridge@", "StateDirectory")
    command = [
        analyze,
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
        str(UNITS / "kontor-bridge@.service"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _settled(folder: Path) -> subprocess.CompletedProcess[str]:
    """What kontor-settled.service does, in ``folder``."""
    unit = text("settled").replace("\\\n", "")
    (script,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    plain = script.replace("$$", "$").replace("\\\\", "\\")
    return subprocess.run(["/bin/sh", "-c", plain], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("active", "good"), [("b", "a"), ("b", ""), ("", "a")])
def test_a_trial_that_was_cut_off_is_taken_back_before_anybody_reads_it(tmp_path: Path, active: str, good: str) -> None:
    """As provision itself would."""
    sets, expected = Sets(tmp_path / "settings"), Sets(tmp_path / "expected")
    for made in (sets, expected):
        (made._sets).mkdir(parents=True)
        made.point("active", active)
        made.point("good", good)
    done = _settled(tmp_path / "settings")
    expected.point("active", good)
    assert done.returncode == 0
    assert done.stdout == f'event=settings_reverted digest={active} why="the trial was cut off"\n'
    names = [sorted(path.name for path in made._folder.iterdir()) for made in (sets, expected)]
    assert names[0] == names[1]
    assert sets.linked("active") == good
    assert good == "" or os.readlink(tmp_path / "settings/active") == os.readlink(tmp_path / "expected/active")


@pytest.mark.parametrize("link", ["", "a"])
def test_settings_that_were_kept_stay(tmp_path: Path, link: str) -> None:
    sets = Sets(tmp_path)
    for name in ("active", "good"):
        sets.point(name, link)
    done = _settled(tmp_path)
    assert (done.returncode, done.stdout, sets.linked("active")) == (0, "", link)


def test_what_unit_and_program_both_say_they_say_alike() -> None:
    assert setting("sound", "CPUSchedulingPriority") == [str(PRIORITY)]
    for part in ("sound", "link"):
        assert float(setting(part, "WatchdogSec")[0]) == WATCHDOG, "kontor run and systemd are as patient"
    for lamp in ("fault", "speak"):
        (pattern,) = re.findall(rf"/sys/class/leds/(kontor:\*:{lamp});", text("sound"))
        assert fnmatch.fnmatchcase(led_of(lamp).name, pattern)


def test_the_machines_watchdog_is_within_what_a_board_can() -> None:
    parser = configparser.ConfigParser()
    parser.read(UNITS / "system.conf.d/50-kontor.conf")
    assert int(parser["Manager"]["RuntimeWatchdogSec"]) < 15, "a Raspberry Pi's counts to 15 s (bcm2835_wdt)"


_JUDGE = """
const rules = [];
globalThis.polkit = {Result: {YES: "yes", NOT_HANDLED: null}, addRule: (rule) => rules.push(rule)};
await import(process.argv[1]);
const asked = JSON.parse(process.argv[2]);
console.log(JSON.stringify(asked.map(([id, user]) => rules[0]({id}, {user}))));
"""


def test_polkit_lets_provisioning_reboot_and_nobody_do_anything_else(tmp_path: Path) -> None:
    node = need("node", "Node is not installed")
    rule = tmp_path / "rule.mjs"
    rule.write_text((UNITS / "polkit/50-kontor.rules").read_text())
    login = "org.freedesktop.login1."
    verbs = [
        f"{login}{verb}"
        for verb in ("reboot", "reboot-multiple-sessions", "reboot-ignore-inhibit", "power-off", "halt")
    ]
    verbs += ["org.freedesktop.systemd1.manage-units", "org.freedesktop.login1.rebootx", ""]
    users = ["kontor-provision", "kontor-link", "kontor-sound", "kontor-host", "kontor-provisionx", "pi", ""]
    asked = [[verb, user] for verb in verbs for user in users]
    done = subprocess.run(
        [node, "--input-type=module", "-e", _JUDGE, str(rule), json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    allowed = [tuple(pair) for pair, word in zip(asked, json.loads(done.stdout), strict=True) if word is not None]
    assert allowed == [(f"{login}reboot", "kontor-provision"), (f"{login}reboot-multiple-sessions", "kontor-provision")]
