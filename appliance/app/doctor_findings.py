"""What the doctor looks at, and what its checks find."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from yarl import URL

from appliance.media.relay import RelayServer
from appliance.rooms.signalling import Credentials

State = Literal["good", "warning", "bad", "skipped"]
"""A warning works today; skipped could not be looked at, and says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    state: State
    says: str
    way_out: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked at."""

    url: URL
    room: str
    ca_file: Path | None = None
    credentials: Credentials | None = field(default=None, repr=False)
    """None: a server looks at itself, and nobody is let in for it."""
    pinned: bytes | None = None
    relays: tuple[RelayServer, ...] = field(default=(), repr=False)
    """Those that a server's own settings name."""
    media: tuple[str, int] | None = None
    """Where a server's own settings say that its sound is: a relay may let us through to nowhere else."""
    runtime: Path | None = None
    """Where the processes of a running device answer."""
    authorities: str = ""
    """Those of ``[network] ca``, believed beside the known ones (PEM)."""

    @property
    def host(self) -> str:
        """Name or address of the server."""
        return self.url.host or ""

    @property
    def port(self) -> int:
        """Its TCP port."""
        return self.url.port or 0
