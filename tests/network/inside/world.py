"""The guest as a device with a network around it: cables, Wi-Fi networks, a login server, DHCP, all of it real to Linux.

The device is the guest itself: D-Bus, polkit with our rule, NetworkManager and wpa_supplicant, as on Debian but for systemd.
Around it, in a network namespace: Debian's hostapd on the kernel's simulated radios and at the far ends of the cables.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.network.inside import certificates
from tools.kernel import fetch
from tools.kernel.guest import modprobe

FOLDER = Path("/run/world")
FAR = "far"
USERS = {"kontor-provision": 61001, "kontor-link": 61002}
PASSWORD = "correct horse battery"
IDENTITY = "meeting-room"
SERVER = "radius.kontor.test"
VLAN = 20
_UP = 60.0

WIFI = {
    "wpa2": "wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase={password}\n",
    "wpa3": "wpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nsae_password={password}\nieee80211w=2\n",
    "enterprise": "wpa=2\nwpa_key_mgmt=WPA-EAP\nrsn_pairwise=CCMP\nieee8021x=1\n{login}",
    "open": "",
}
"""Networks in range, by their name."""
_RADIO = "interface={interface}\ndriver=nl80211\nssid={ssid}\nhw_mode=g\nchannel={channel}\nauth_algs=1\n"
_LOGIN = """eap_server=1
eapol_version=2
eap_user_file={folder}/users
ca_cert={folder}/ca.pem
server_cert={folder}/server.pem
private_key={folder}/server.key
"""
_USERS = f"""* PEAP,TLS
"{IDENTITY}" MSCHAPV2 "{PASSWORD}" [2]
"""
_WIRED = (
    "interface={interface}\ndriver=wired\nlogger_stdout=-1\nieee8021x=1\neap_reauth_period=0\nuse_pae_group_addr=1\n"
)
_DHCP = """start {net}.100
end {net}.120
interface {interface}
lease_file {folder}/leases-{interface}
pidfile {folder}/pid-{interface}
option subnet 255.255.255.0
option router {net}.1
"""
_MANAGER = """[main]
plugins=keyfile
dhcp=internal
rc-manager=unmanaged
dns=none
no-auto-default=*
[logging]
level=INFO
"""


def begin() -> dict[str, str]:
    """Switch everything on; gives the versions of what runs."""
    FOLDER.mkdir(mode=0o755)
    for place in (Path(sys.base_prefix), Path(sys.prefix), fetch.ROOT):  # Python itself may be in somebody's home
        for folder in (place, *place.parents):
            folder.chmod(folder.stat().st_mode | 0o055)
    _users()
    _far_side()
    _device()
    return {
        "NetworkManager": _said("NetworkManager", "--version"),
        "wpa_supplicant": _said("wpa_supplicant", "-v"),
        "hostapd": _said("hostapd", "-v"),
    }


def become(user: str) -> None:
    """This process goes on as ``user``, with nothing of root's."""
    found = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(found.pw_gid)
    os.setuid(found.pw_uid)
    os.environ["HOME"] = "/nonexistent"


def log(name: str) -> str:
    """What a program wrote."""
    path = FOLDER / f"{name}.log"
    return path.read_text(errors="replace") if path.exists() else ""


def far(*command: str) -> str:
    """Run a command on the far side; gives what it says. Raises CalledProcessError."""
    done = subprocess.run(["ip", "netns", "exec", FAR, *command], capture_output=True, text=True, check=True)
    return done.stdout


def start(name: str, *command: str, environment: dict[str, str] | None = None) -> int:
    """Run a program until the guest ends; gives its process id."""
    with (FOLDER / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    (FOLDER / f"{name}.pid").write_text(str(process.pid))
    return process.pid


def until(done: Callable[[], object], what: str, seconds: float = _UP) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def _users() -> None:
    with Path("/etc/passwd").open("a") as passwd, Path("/etc/group").open("a") as group:
        for name, number in USERS.items():
            passwd.write(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n")
            group.write(f"{name}:x:{number}:\n")
    state = FOLDER / "state"
    state.mkdir(mode=0o700)
    os.chown(state, USERS["kontor-provision"], USERS["kontor-provision"])


def _far_side() -> None:
    certificates.write(FOLDER, SERVER, IDENTITY)
    (FOLDER / "users").write_text(_USERS)
    for path in (*FOLDER.glob("*.pem"), *FOLDER.glob("*.key")):
        path.chmod(0o644 if path.suffix == ".pem" else 0o600)
    os.chown(FOLDER / "device.key", USERS["kontor-provision"], USERS["kontor-provision"])
    _run("ip", "netns", "add", FAR)
    _run("ip", "netns", "exec", FAR, "ip", "link", "set", "lo", "up")
    login = _LOGIN.format(folder=FOLDER)
    for number, (near, away) in enumerate((("eth0", "far0"), ("eth1", "far1"))):
        _run("ip", "link", "add", "name", near, "type", "veth", "peer", "name", away, "netns", FAR)
        _address(away, f"10.1.{number}")
    modprobe("8021q")
    far("ip", "link", "add", "link", "far0", "name", "farv", "type", "vlan", "id", str(VLAN))
    _address("farv", f"10.1.{VLAN}")
    (FOLDER / "wired.conf").write_text(_WIRED.format(interface="far1") + login)
    modprobe("mac80211_hwsim", f"radios={len(WIFI) + 1}")
    radios = sorted(Path("/sys/class/ieee80211").iterdir(), key=lambda path: int(path.name.removeprefix("phy")))
    configs = ["wired.conf"]
    for number, (ssid, words) in enumerate(WIFI.items(), 1):
        interface = next((radios[number] / "device/net").iterdir()).name
        _run("iw", "phy", radios[number].name, "set", "netns", "name", FAR)
        text = _RADIO.format(interface=interface, ssid=ssid, channel=1 + 5 * (number % 3))
        configs.append(f"{ssid}.conf")
        (FOLDER / configs[-1]).write_text(text + words.format(password=PASSWORD, login=login))
        _address(interface, f"10.2.{number}")
    for config in configs:
        name = config.removesuffix(".conf")
        start(f"hostapd-{name}", "ip", "netns", "exec", FAR, "hostapd", str(FOLDER / config))
    for ssid in WIFI:
        until(lambda ssid=ssid: "AP-ENABLED" in log(f"hostapd-{ssid}"), f"{ssid}: {log(f'hostapd-{ssid}')}")  # type: ignore[misc]


def _address(interface: str, net: str) -> None:
    far("ip", "address", "add", f"{net}.1/24", "dev", interface)
    with contextlib.suppress(subprocess.CalledProcessError):  # hostapd brings a radio up
        far("ip", "link", "set", interface, "up")
    config = FOLDER / f"dhcp-{interface}.conf"
    config.write_text(_DHCP.format(net=net, interface=interface, folder=FOLDER))
    (FOLDER / f"leases-{interface}").touch()
    busybox = str(fetch.kernel().busybox)
    start(f"dhcp-{interface}", "ip", "netns", "exec", FAR, busybox, "udhcpd", "-f", str(config))


def _device() -> None:
    rules = fetch.ROOT / "systemd/polkit/51-kontor-network.rules"
    shutil.copy(rules, "/etc/polkit-1/rules.d/51-kontor-network.rules")
    Path("/run/dbus").mkdir(exist_ok=True)
    with Path("/etc/machine-id").open("w") as machine:
        machine.write("0123456789abcdef0123456789abcdef\n")
    start("dbus", "dbus-daemon", "--system", "--nofork", "--nopidfile")
    until(lambda: _connects("/run/dbus/system_bus_socket"), f"D-Bus: {log('dbus')}")
    start("polkit", "/usr/lib/polkit-1/polkitd")
    start("wpa_supplicant", "wpa_supplicant", "-u", "-t")
    start("timesyncd", "/lib/systemd/systemd-timesyncd")
    Path("/etc/NetworkManager/NetworkManager.conf").write_text(_MANAGER)
    # NetworkManager waits for udev unless /sys is read-only, as it is in a container.
    start(
        "manager",
        *("unshare", "--mount", "sh", "-c", "mount -o remount,ro,bind /sys && exec NetworkManager --debug"),
    )
    until(lambda: "startup complete" in log("manager") or _said("nmcli", "-t", "general"), log("manager"))


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as end:
        return end.connect_ex(path) == 0


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else (done.stdout + done.stderr).strip().splitlines()[0]
