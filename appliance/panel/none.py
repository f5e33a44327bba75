"""No panel: nobody can unmute, so the gate stays closed for "panel lost" and the device only listens."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import MappingProxyType

from appliance.panel.port import Hands, View


class NoPanel:
    """See :class:`appliance.panel.port.Panel`."""

    name = "none"
    problem = ""
    turns = None
    counts: Mapping[str, int] = MappingProxyType({})

    def __init__(self) -> None:
        self.ended: Future[None] = Future()

    def start(self, hands: Hands) -> None:  # noqa: ARG002 - there are none
        """There is nothing to read: the panel is never found."""
        self.ended.set_running_or_notify_cancel()

    def show(self, view: View) -> None:
        """There are no lamps."""

    def stop(self) -> None:
        """There is no thread."""
