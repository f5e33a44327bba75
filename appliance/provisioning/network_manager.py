"""The machine's network through NetworkManager (docs/adr/0143-networkmanager.md).

A trial has two nets under it. What runs is remembered by a checkpoint of NetworkManager's, which it brings back by itself when
its time is up, even if we are gone. What is stored is not touched before :meth:`keep`: until then our profiles are changed in
memory alone, so that after a power cut the machine starts with the old ones.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.provisioning import network_check
from appliance.provisioning.bus import Bus, BusError, variant
from appliance.provisioning.network import GRACE, NOTHING_UP, TOO_LATE, NetworkError, connection, told
from appliance.provisioning.network_bus import (
    LOGIN_FAILED,
    NOT_LET_IN,
    OUT_OF_RANGE,
    REFUSED,
    Held,
    Manager,
    Standing,
    typed,
)
from appliance.provisioning.network_files import NetworkFiles
from appliance.provisioning.network_profiles import CABLE, PREFIX, VLAN, Profile, profiles
from appliance.provisioning.timesync import set_time_servers, time_servers
from appliance.settings import Problem, Settings, SettingsError

BUDGET = 150.0
"""Seconds within which :meth:`NetworkManager.apply` is done, one way or the other."""
_ONE = 60.0
"""Seconds that one connection may take: DHCP alone may take 45."""
_SCAN = 15.0
_AGAIN = 60.0
_SETTLE = 0.5
_LOOK = 0.2


@dataclass(slots=True)
class Trial:
    """What is being tried, and what it takes to undo it."""

    wanted: Sequence[Profile]
    changed: Sequence[Profile]
    gone: Mapping[str, Held]
    """Profiles of ours that the new settings do not have, by UUID."""
    before: Mapping[str, Mapping[str, Any]]
    """Content of those that are changed or gone, by UUID."""
    servers: tuple[str, ...] | None
    """The time servers before; None when they do not change."""
    checkpoint: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    """Of all that are wanted, by UUID, until NetworkManager is started anew."""


@dataclass(slots=True)
class NetworkManager:
    """The port of network.py. ``folder`` is provision's own: certificates lie there, and what was written last."""

    folder: Path
    bus: Bus = field(default_factory=Bus)
    seconds: Callable[[str], float] = lambda _what: _ONE
    """How long a connection may take, by the name of its profile."""
    grace: float = GRACE
    """Seconds beyond ``provisioning.confirm_s`` after which time takes back what was not kept."""
    _manager: Manager = field(init=False)
    _files: NetworkFiles = field(init=False)
    _trial: Trial | None = None
    _ntp: tuple[str, ...] = ()
    """Time servers that timesyncd is to have, also after it was started anew."""
    _ours: bool = False
    """Whether there are profiles of ours, or have been."""
    _late: bool = False
    _why: str = ""
    _failed: dict[str, str] = field(default_factory=dict)
    """Why a profile did not come up when it was tried, by its name."""
    _seen: list[Standing] = field(default_factory=list)
    _version: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._manager, self._files = Manager(self.bus), NetworkFiles(self.folder)
        self.bus.listener = self._heard

    def check(self, settings: Settings) -> list[Problem]:
        return network_check.check(settings)

    async def apply(self, settings: Settings) -> None:
        await self.revert()
        self._late, self._why = False, ""
        self._failed.clear()
        try:
            wanted = await asyncio.to_thread(profiles, settings.network, self._files.certificates)
            known = await asyncio.to_thread(self._files.written)
            self._ours = bool(wanted or known)
            if self._ours or settings.network.ntp or self._ntp:
                await self._try(wanted, settings)
        except (BusError, SettingsError, OSError, NetworkError) as error:
            self._why = _words(error)
            raise NetworkError(self._why) from error
        finally:
            self._news.set()

    async def keep(self) -> None:
        if self._late:
            raise NetworkError(TOO_LATE)
        if self._trial is None:
            return
        try:
            await self._store(self._trial)
        except (BusError, OSError, NetworkError) as error:
            self._late, self._why = isinstance(error, NetworkError), _words(error)
            await self.revert()
            raise NetworkError(self._why) from error
        finally:
            self._news.set()
        self._trial = None

    async def revert(self) -> None:
        trial, self._trial = self._trial, None
        if trial is not None:
            try:
                await self._undo(trial)
            except BusError as error:
                raise NetworkError(_words(error)) from error
            finally:
                self._news.set()

    def state(self) -> Mapping[str, object]:
        up = [_told(each) for each in self._seen]
        names = {each.name for each in self._seen}
        down = [_down(name, why) for name, why in self._failed.items() if name not in names and not self._late]
        manager = f"NetworkManager {self._version}" if self._version else ""
        return told(manager, self._trial is not None, self._why, [*up, *down])

    async def run(self) -> None:
        absent = ""
        while True:
            self._news.clear()
            try:
                await self._look()
                if self._why == absent:
                    self._why = absent = ""
            except BusError as error:
                self._version, self._seen, absent = "", [], _words(error)
                self._why = self._why or (absent if self._ours else "")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN):
                    await self._news.wait()
            await asyncio.sleep(_SETTLE)  # changes come in swarms

    async def _try(self, wanted: Sequence[Profile], settings: Settings) -> None:
        await self._manager.listen()
        trial = await self._plan(wanted, settings.network.ntp)
        self._ntp = settings.network.ntp if trial.servers is None else trial.servers
        if not (trial.changed or trial.gone or trial.servers is not None):
            return
        self._trial = trial
        left = settings.provisioning.confirm_s + self.grace
        try:
            if trial.servers is not None:
                await self._set_servers(settings.network.ntp)
            if trial.changed or trial.gone:
                trial.checkpoint = await self._manager.checkpoint(BUDGET + left)
                async with asyncio.timeout(BUDGET):
                    await self._change(trial)
                    await self._bring_up(trial)
                await self._manager.prolong(trial.checkpoint, left)
        except (BusError, NetworkError, TimeoutError, OSError) as error:
            self._trial = None
            with contextlib.suppress(BusError):  # time takes it back then
                await self._undo(trial)
            if isinstance(error, TimeoutError):
                raise NetworkError(_nothing_up(self._failed)) from None
            raise

    async def _plan(self, wanted: Sequence[Profile], servers: tuple[str, ...]) -> Trial:
        written = await asyncio.to_thread(self._files.written)
        held = await self._manager.held(PREFIX) if self._ours else {}  # time servers need no NetworkManager
        changed = [
            profile
            for profile in wanted
            if profile.uuid not in held or held[profile.uuid].unsaved or written.get(profile.uuid) != profile.digest
        ]
        stays = {profile.uuid for profile in wanted}
        touched = {profile.uuid for profile in changed} | (held.keys() - stays)
        before = {uuid: await self._manager.with_secrets(each) for uuid, each in held.items() if uuid in touched}
        paths = {uuid: each.path for uuid, each in held.items() if uuid in stays}
        gone = {uuid: each for uuid, each in held.items() if uuid not in stays}
        return Trial(wanted, changed, gone, before, await self._servers(servers), paths=paths)

    async def _servers(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """The time servers as they are, if they are to change."""
        try:
            now = await time_servers(self.bus)
        except BusError:
            if wanted:
                raise NetworkError("Time servers can only be set where systemd-timesyncd keeps the time.") from None
            return None
        return None if now == wanted else now

    async def _set_servers(self, servers: tuple[str, ...]) -> None:
        await set_time_servers(self.bus, servers)
        self._ntp = servers

    async def _change(self, trial: Trial) -> None:
        for profile in trial.changed:
            await asyncio.to_thread(self._files.put, profile)
            if profile.uuid in trial.paths:
                await self._manager.change(trial.paths[profile.uuid], typed(profile.table), keep=False)
            else:
                trial.paths[profile.uuid] = await self._manager.add(profile.table)
        for uuid, held in trial.gone.items():
            table = dict(trial.before[uuid])
            table["connection"] = dict(table["connection"]) | {"autoconnect": variant("b", False)}
            await self._manager.change(held.path, table, keep=False)

    async def _bring_up(self, trial: Trial) -> None:
        """Every device that the change touches gets the new; that one connection stands is enough.

        :raises NetworkError: none does, or one that could be tried failed and none of ours stands.
        """
        standing = {each.uuid: each for each in await self._manager.standing()}
        await asyncio.gather(self._cable(trial, standing), self._radio(trial, standing))
        for uuid in trial.gone.keys() & standing.keys():
            with contextlib.suppress(BusError):  # it may have made room for another already
                await self._manager.deactivate(standing[uuid].path)
        ours = {profile.uuid for profile in trial.wanted}
        try:
            async with asyncio.timeout(self.seconds("")):
                while True:
                    up = {each.uuid for each in await self._manager.standing() if each.up and each.addresses}
                    if up & ours:
                        return
                    if self._failed:
                        break
                    if up - trial.gone.keys():
                        return
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            pass
        raise NetworkError(_nothing_up(self._failed))

    async def _cable(self, trial: Trial, standing: Mapping[str, Standing]) -> None:
        anew = False
        for profile in [profile for profile in trial.wanted if profile.name in (CABLE, VLAN)]:
            # What is below a VLAN takes it down when it comes up anew.
            anew = anew or profile in trial.changed or profile.uuid not in standing
            if anew and not await self._up(profile, trial):
                return

    async def _radio(self, trial: Trial, standing: Mapping[str, Standing]) -> None:
        wanted = [profile for profile in trial.wanted if profile.ssid]
        left = any("802-11-wireless" in held.table for held in trial.gone.values())
        if not wanted or not (left or any(profile in trial.changed for profile in wanted)):
            return
        heard = await self._manager.in_range(_SCAN)
        for profile in wanted if heard is not None else ():
            if profile.uuid in standing and profile not in trial.changed:
                return
            hidden = profile.table["802-11-wireless"]["hidden"][1]
            near = profile.ssid in (heard or ())
            if (near or hidden) and await self._up(profile, trial, near=near):
                return

    async def _up(self, profile: Profile, trial: Trial, *, near: bool = False) -> bool:
        why = await self._manager.activate(trial.paths[profile.uuid], self.seconds(profile.name))
        if why is None:
            self._failed.pop(profile.name, None)
            return True
        if why:
            self._failed[profile.name] = _sharper(why, profile, near=near)
        return False

    async def _store(self, trial: Trial) -> None:
        """For good. Until the checkpoint is forgotten everything can be undone; what is left then is not used any more."""
        held = await self._manager.held(PREFIX) if trial.checkpoint else {}
        if trial.paths.keys() - held.keys():
            raise NetworkError(TOO_LATE)
        for profile in trial.changed:
            await self._manager.change(held[profile.uuid].path, typed(profile.table), keep=True)
        await asyncio.to_thread(self._files.note, trial.wanted)
        if trial.checkpoint:
            try:
                await self._manager.forget(trial.checkpoint)
            except BusError as error:
                if _not_there(error):
                    raise NetworkError(TOO_LATE) from error
                raise
        for uuid in trial.gone.keys() & held.keys():
            with contextlib.suppress(BusError):  # the next apply finds it
                await self._manager.delete(held[uuid].path)
        await asyncio.to_thread(self._files.tidy, trial.wanted)

    async def _undo(self, trial: Trial) -> None:
        """Content first, then what runs. Raises BusError: time does the rest."""
        if trial.checkpoint:
            held = await self._manager.held(PREFIX)  # by now NetworkManager may have been started anew
            for uuid in trial.before.keys() & held.keys():
                await self._manager.change(held[uuid].path, trial.before[uuid], keep=True)
            try:
                await self._manager.roll_back(trial.checkpoint)
            except BusError as error:
                if not _not_there(error):
                    raise  # else time has done it already
            for uuid in {profile.uuid for profile in trial.changed} & held.keys() - trial.before.keys():
                with contextlib.suppress(BusError):  # the checkpoint has taken it away
                    await self._manager.delete(held[uuid].path)
        if trial.servers is not None:
            await self._set_servers(trial.servers)

    async def _look(self) -> None:
        await self._manager.listen()
        self._version = await self._manager.version()
        self._seen = await self._manager.standing()
        with contextlib.suppress(BusError):  # timesyncd comes and goes by itself
            if self._ntp and await time_servers(self.bus) != self._ntp:
                await set_time_servers(self.bus, self._ntp)

    def _heard(self, path: str, member: str, values: list[Any]) -> None:
        self._manager.heard(path, member, values)
        if member in ("StateChanged", "PropertiesChanged"):
            self._news.set()


def _told(each: Standing) -> Mapping[str, object]:
    state = "up" if each.up else "connecting"
    ours = each.name.startswith(PREFIX)
    return connection(_short(each.name), each.kind, each.interface, state, each.addresses, ours=ours)


def _down(name: str, why: str) -> Mapping[str, object]:
    kind = {CABLE: "ethernet", VLAN: "vlan"}.get(name, "wifi")
    return connection(_short(name), kind, "", "down", [], ours=True, why=why)


def _short(name: str) -> str:
    return name.removeprefix(f"{PREFIX}wifi-").removeprefix(PREFIX)


def _nothing_up(failed: Mapping[str, str]) -> str:
    if not failed:
        return NOTHING_UP
    told = "; ".join(f"{_short(name)}: {why}" for name, why in failed.items())
    return f"{NOTHING_UP[:-1]}: {told}."


def _sharper(why: str, profile: Profile, *, near: bool) -> str:
    """NetworkManager tells some things by the name of others."""
    if why == REFUSED and "802-1x" in profile.table:
        return LOGIN_FAILED  # it may as well be the name, or the login server's certificate
    return NOT_LET_IN if why == OUT_OF_RANGE and near else why  # so WPA3 ends with a wrong password


def _not_there(error: BusError) -> bool:
    """Whether it is the checkpoint that is gone: NetworkManager has no error of its own for that."""
    return bool(error.name) and not error.refused


def _words(error: BusError | SettingsError | OSError | NetworkError) -> str:
    if isinstance(error, SettingsError | NetworkError):
        return str(error)
    if isinstance(error, OSError):
        return f"The network's settings cannot be stored: {error.strerror or error}."
    if error.refused:
        return "NetworkManager does not let kontor-provision change the network: its polkit rule is missing."
    if not error.name or error.name.endswith((".ServiceUnknown", ".NameHasNoOwner")):
        return "NetworkManager does not run on this machine."
    return f"NetworkManager refuses: {str(error).rstrip('.')}."
