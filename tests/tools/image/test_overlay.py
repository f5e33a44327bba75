"""What image/root adds to Debian's packages, as files: what can be seen of it without a machine that runs it."""

import configparser
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from appliance.app.surroundings import COUNTRY, IMAGE, KEYS, SSH
from appliance.settings import AudioBackend, load
from appliance.settings.model_panel import PanelKind
from tests.settings.support import source
from tests.support.need import need
from tools.image import layout

ROOT = Path("image/root")
UNITS = ROOT / "usr/lib/systemd/system"
MASKED = ROOT / "etc/systemd/system"
PACKAGE = Path("systemd")
DEBIAN = Path("/lib/systemd/system")
FSTAB = ROOT / "etc/fstab"

SCORES = {
    "kontor-boot-check.service": 3.5,
    "kontor-country@.service": 1.5,
    "kontor-data.service": 4.0,
    "kontor-hostname.service": 3.5,
    "kontor-journal-end.service": 1.0,
    "kontor-journal.service": 1.0,
    "kontor-reset.service": 4.0,
    "kontor-ssh.service": 3.5,
    "kontor-update-trial.service": 10.0,  # it is /bin/true: what counts is that the machine starts anew after it
    "kontor-update@.service": 2.0,
}
"""What ``systemd-analyze security`` may say of each, as written; an ordinary service has 9.6."""


def mounts(folder: Path) -> Path:
    """The units that systemd makes of the image's fstab."""
    generator = need(Path("/lib/systemd/system-generators/systemd-fstab-generator"), "systemd is not installed")
    made = folder / "mounts"
    made.mkdir()
    environment = os.environ | {"SYSTEMD_FSTAB": str(FSTAB.absolute())}
    subprocess.run([generator, made, made, made], env=environment, check=True, timeout=30)
    return made


def test_systemd_understands_all_units(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd is not installed")
    given = tmp_path / "units"
    given.mkdir()
    for path in [*UNITS.glob("kontor*.*"), *PACKAGE.glob("kontor*.*"), *mounts(tmp_path).glob("*.mount")]:
        if path.is_file():
            text = path.read_text()
            # programs of the image are not here: /usr/sbin/iw and the like
            text = re.sub(r"^(Exec\w+=[-+!@]*)\S+", r"\1/bin/true", text, flags=re.MULTILINE)
            (given / path.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", *sorted(map(str, given.iterdir()))],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{given}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "kontor" in line or ".mount" in line]
    assert (done.returncode, ours) == (0, [])


def test_every_service_has_a_score_that_it_keeps() -> None:
    analyze = need("systemd-analyze", "systemd is not installed")
    assert set(SCORES) == {path.name for path in UNITS.glob("*.service")}
    for name, goal in SCORES.items():
        command = [
            analyze,
            "security",
            "--offline=true",
            f"--threshold={round(goal * 10)}",
            "--no-pager",
            str(UNITS / name),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout[-300:]}{done.stderr}"


def test_fstab_names_the_card_as_it_is_laid_out(tmp_path: Path) -> None:
    rows = [line.split() for line in FSTAB.read_text().splitlines() if line and not line.startswith("#")]
    by_place = {row[1]: row for row in rows}
    assert by_place["/boot/firmware"][0] == f"PARTUUID={layout.FIRMWARE.uuid}"
    data = (UNITS / "kontor-data.service").read_text()
    assert f"/dev/disk/by-partuuid/{layout.DATA.uuid} /data" in data
    device = "dev-disk-by\\x2dpartuuid-" + layout.DATA.uuid.replace("-", "\\x2d") + ".device"
    assert data.count(device) == 2
    script = (ROOT / "usr/lib/kontor-image/data.sh").read_text()
    assert f"-L {layout.DATA_LABEL} " in script
    kept = {Path(row[0]).name for row in rows if row[0].startswith("/data/")}
    made = set(re.search(r"for each in (kontor[^;]*);", script)[1].split())  # type: ignore[index]
    made |= set(re.search(r"for each in (network[^;]*);", script)[1].split())  # type: ignore[index]
    assert kept <= made, "each folder is there before it is mounted elsewhere"
    for path in mounts(tmp_path).glob("*.mount"):
        if "What=/data/" in path.read_text():
            assert "Requires=kontor-data.service" in path.read_text()


def test_a_boot_partition_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    made = mounts(tmp_path)
    needed = {path.name for path in (made / "local-fs.target.requires").iterdir()}
    assert "boot-firmware.mount" not in needed
    assert "var-lib-kontor.mount" in needed, "its folders are made in it, and not below it"


def test_a_check_that_takes_too_long_is_ended_by_the_script_and_not_by_systemd() -> None:
    """What fstab needs would be missing at every start, and emergency.target starts the machine anew."""
    bounds = re.findall(r"\btimeout (\d+) ", (ROOT / "usr/lib/kontor-image/data.sh").read_text())
    unit = re.search(r"^TimeoutStartSec=(\d+)min$", (UNITS / "kontor-data.service").read_text(), re.MULTILINE)
    assert len(bounds) == 2
    assert unit is not None and int(unit[1]) * 60 >= sum(map(int, bounds)) + 300, (
        "and a new file system, and its growing"
    )


def test_what_is_in_memory_has_a_bound() -> None:
    sizes = {
        place: int(size)
        for place, size in re.findall(r"^tmpfs\s+(\S+)\s.*size=(\d+)M", FSTAB.read_text(), re.MULTILINE)
    }
    assert set(sizes) == {"/dev/shm", "/run", "/tmp"}
    journal = configparser.ConfigParser()
    journal.read(ROOT / "etc/systemd/journald.conf.d/50-kontor.conf")
    memory = sum(sizes.values())
    assert memory < 512 / 4, "of the smallest board's memory"
    assert int(journal["Journal"]["RuntimeMaxUse"].removesuffix("M")) < sizes["/run"]


def masked() -> set[str]:
    """Units that systemd never starts (systemd.unit(5): an empty file)."""
    return {path.name for path in MASKED.iterdir() if path.is_file() and path.stat().st_size == 0}


def test_nobody_can_log_in_at_a_console() -> None:
    """What Debian's systemd has for it is masked, whoever asks for it: every getty and every shell."""
    need(DEBIAN, "systemd is not installed")
    shells = {path.name for path in DEBIAN.glob("*getty*") if path.suffix in (".service", ".target")}
    shells |= {"rescue.service", "debug-shell.service", "autovt@.service"}
    shells -= {"getty-pre.target"}
    assert shells <= masked(), sorted(shells - masked())
    emergency = (MASKED / "emergency.service").read_text()
    assert "sulogin" not in emergency
    assert "--force reboot" in emergency
    assert "NAutoVTs=0" in (ROOT / "etc/systemd/logind.conf.d/50-kontor.conf").read_text()


def test_nobody_leaves_a_sandbox_by_a_manager_of_ones_own() -> None:
    """Of logind every user gets one (set-self-linger): programs of that user which no unit of ours bounds."""
    assert {"user@.service", "user-runtime-dir@.service"} <= masked()


def test_no_generator_makes_units_of_what_it_finds() -> None:
    """A shell for whoever writes cmdline.txt, sshd for every socket (systemd 256), Debian's scripts of old."""
    folder = ROOT / "etc/systemd/system-generators"
    off = {path.name for path in folder.iterdir() if str(path.readlink()) == "/dev/null"}
    assert {f"systemd-{name}-generator" for name in ("debug", "getty", "run", "ssh", "sysv", "rc-local")} <= off
    assert "systemd-fstab-generator" not in off


def test_presets_enable_what_the_image_needs_and_nothing_of_debians(tmp_path: Path) -> None:
    systemctl = need("systemctl", "systemd is not installed")
    units = tmp_path / "usr/lib/systemd/system"
    shutil.copytree(DEBIAN, units, symlinks=True)
    for path in [*UNITS.iterdir(), *PACKAGE.glob("kontor*.*")]:
        if path.is_file():
            shutil.copy(path, units)
    presets = tmp_path / "usr/lib/systemd/system-preset"
    presets.mkdir(parents=True)
    (presets / "90-debian.preset").write_text("enable *\n")
    shutil.copy(ROOT / "usr/lib/systemd/system-preset/00-kontor.preset", presets)
    subprocess.run([systemctl, f"--root={tmp_path}", "preset-all"], check=True, capture_output=True, timeout=60)
    made = {path.name for path in (tmp_path / "etc/systemd/system").rglob("*.wants/*")}
    asked = re.findall(r"^enable (\S+)$", (presets / "00-kontor.preset").read_text(), re.MULTILINE)
    along = {"NetworkManager-wait-online.service"}  # what NetworkManager brings with it
    assert {name for name in made if name.startswith("kontor")} == {name for name in asked if name.startswith("kontor")}
    assert made <= {*asked, *along}
    assert not made & {"ssh.service", "ssh.socket", "kontor-ssh.service", "kontor-host.service"}


def test_the_settings_of_the_image_hold_and_are_those_of_a_box_with_a_panel() -> None:
    path = ROOT / "etc/kontor/kontor.toml"
    settings = load([source(path.read_text(), str(path), schema=False)])
    assert settings.audio.backend is AudioBackend.ALSA
    assert (settings.audio.capture, settings.audio.playback) == ("auto", "auto")
    assert settings.panel.kind is PanelKind.GPIO
    assert settings.room.url == ""


_JUDGE = """
const rules = [];
globalThis.polkit = {Result: {YES: "yes", NOT_HANDLED: null}, addRule: (rule) => rules.push(rule)};
await import(process.argv[1]);
const asked = JSON.parse(process.argv[2]);
const answer = ([id, user, unit, verb]) => rules[0]({id, lookup: (key) => ({unit, verb})[key]}, {user});
console.log(JSON.stringify(asked.map(answer)));
"""


def test_polkit_lets_provision_start_ssh_and_the_country_and_nothing_else(tmp_path: Path) -> None:
    node = need("node", "Node is not installed")
    rule = tmp_path / "rule.mjs"
    shutil.copy(ROOT / "usr/share/polkit-1/rules.d/53-kontor-image.rules", rule)
    manage, name = "org.freedesktop.systemd1.manage-units", "org.freedesktop.hostname1.set-hostname"
    units = [SSH, COUNTRY.format("DE"), COUNTRY.format("../x"), COUNTRY.format("DEU"), "ssh.service", f"x{SSH}", ""]
    verbs = ["start", "stop", "restart", "kill", "set-property", ""]
    users = ["kontor-provision", "kontor-link", "kontor-sound", "admin", ""]
    asked = [[manage, user, unit, verb] for user in users for unit in units for verb in verbs]
    others = ["org.freedesktop.systemd1.manage-unit-files", "org.freedesktop.hostname1.set-static-hostname", name]
    asked += [[action, user, "", ""] for user in users for action in others]
    command = [node, "--input-type=module", "-e", _JUDGE, str(rule), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    allowed = [question for question, word in zip(asked, json.loads(done.stdout), strict=True) if word is not None]
    who = "kontor-provision"
    assert allowed == [
        *([manage, who, SSH, verb] for verb in ("start", "stop", "restart")),
        [manage, who, COUNTRY.format("DE"), "start"],
        [name, who, "", ""],
    ]


PRIVILEGES = Path("/run/sshd")


def effective(tmp_path: Path) -> Mapping[str, str]:
    """How sshd understands its file."""
    sshd = need(Path("/usr/sbin/sshd"), "sshd (Debian: openssh-server) is what the image has")
    if not PRIVILEGES.is_dir():  # its service makes it, which has not been started here
        need(os.geteuid() == 0, f"sshd looks for {PRIVILEGES}, which root has to make")
        PRIVILEGES.mkdir(mode=0o755)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
    text = (ROOT / "usr/lib/kontor-image/sshd_config").read_text()
    config = tmp_path / "sshd_config"
    config.write_text(text.replace("/data/ssh/ssh_host_ed25519_key", str(key)))
    who = "user=admin,host=laptop,addr=192.0.2.7"
    done = subprocess.run([sshd, "-T", "-f", config, "-C", who], capture_output=True, text=True, timeout=30, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_ssh_is_for_admin_and_by_key_alone(tmp_path: Path) -> None:
    says = effective(tmp_path)
    assert says["allowusers"] == "admin"
    assert says["authenticationmethods"] == "publickey"
    for way in ("passwordauthentication", "kbdinteractiveauthentication", "permitrootlogin", "permitemptypasswords"):
        assert says[way] == "no", way
    assert says["authorizedkeysfile"] == "none"
    assert says["authorizedkeyscommand"] == f"/usr/bin/cat /var/lib/kontor/provision/{KEYS}"
    assert says["authorizedkeyscommanduser"] == "kontor-provision"
    assert says["disableforwarding"] == "yes"
    unit = (UNITS / SSH).read_text()
    assert f"{IMAGE}/sshd_config" in unit
    assert "[Install]" not in unit, "nothing but provision starts it"


def test_admin_can_become_nobody_else() -> None:
    unit = (UNITS / SSH).read_text()
    assert "NoNewPrivileges=yes" in unit
    groups = re.findall(r"^m admin (\S+)$", (ROOT / "usr/lib/sysusers.d/kontor-image.conf").read_text(), re.MULTILINE)
    assert groups == ["systemd-journal", "kontor"]
