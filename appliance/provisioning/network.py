"""The machine's network, as provisioning changes it: tried first, then kept or taken back.

Who implements it: network_manager.py (NetworkManager over D-Bus) and virtual.py (a network that is not there, for tests, demo
and benches). tests/contract/network_suite.py holds for both.
"""

from collections.abc import Mapping
from typing import Protocol

from appliance.settings import Problem, Settings

GRACE = 30.0
"""Seconds beyond ``provisioning.confirm_s`` after which time takes back what was not kept."""
NOTHING_UP = "No connection came up with these settings."
TOO_LATE = "The change was taken back, since nobody kept it in time."


class NetworkError(Exception):
    """The network could not be changed as asked; the text is one sentence for people, without a secret in it."""


class Network(Protocol):
    """One at a time: no method is called while another runs, but for :meth:`state` and :meth:`run`."""

    def check(self, settings: Settings) -> list[Problem]:
        """What is wrong with ``settings.network`` that the settings alone do not tell: files, certificates, passwords.

        Reads files, so off the loop. Never raises. Asks nothing of the network.
        """

    async def apply(self, settings: Settings) -> None:
        """Try the network of ``settings``; it returns when a connection of it stands, or when nothing had to change.

        Where none of it can be tried (no Wi-Fi of it in range, no cable in), what the machine has itself is enough.

        Until :meth:`keep` the change is on trial: :meth:`revert` takes it back, and so does time, when neither is called for
        ``provisioning.confirm_s`` and half a minute more; a power cut does it too. What is on trial already is taken back
        before. Settings without a say over cable and Wi-Fi leave both as the machine has them.

        :raises NetworkError: no connection comes up with it, or the machine's network cannot be asked. It is as before then.
        """

    async def keep(self) -> None:
        """What is on trial stays, also after a restart. Without a trial nothing happens.

        :raises NetworkError: time has taken it back already, or it cannot be stored.
        """

    async def revert(self) -> None:
        """The network as it was before the trial. Without one nothing happens.

        :raises NetworkError: the machine's network cannot be asked; time takes it back then.
        """

    def state(self) -> Mapping[str, object]:
        """What is known of the network at this moment, ready for JSON; see :func:`told`."""

    async def run(self) -> None:
        """Watch the network, so that :meth:`state` is right, until cancelled. Never raises while the system lives."""


def told(manager: str, trial: bool, why: str, connections: list[Mapping[str, object]]) -> Mapping[str, object]:
    """The shape of :meth:`Network.state`.

    :param manager: who has the network, like ``NetworkManager 1.42.4``; "" when nobody answers.
    :param trial: whether a change waits to be kept.
    :param why: why the last change was taken back, or why nobody answers; "" when all is well.
    :param connections: of those that stand or were tried; see :func:`connection`.
    """
    return {"manager": manager, "trial": trial, "why": why, "connections": connections}


def connection(
    name: str, kind: str, interface: str, state: str, addresses: list[str], *, ours: bool, why: str = ""
) -> Mapping[str, object]:
    """The shape of one connection.

    :param name: ethernet, vlan, or the Wi-Fi's name.
    :param kind: ethernet, vlan or wifi.
    :param state: up, connecting or down.
    :param ours: by our settings, not by the machine's own.
    :param why: it is down; else "".
    """
    return {
        "name": name,
        "kind": kind,
        "interface": interface,
        "state": state,
        "addresses": addresses,
        "ours": ours,
        "why": why,
    }
