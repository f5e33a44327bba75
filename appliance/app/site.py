"""What the room is told of this device, put together: what sound says of the gate, what the other parts say, what link knows."""

from collections.abc import Callable
from pathlib import Path

from appliance.app.about import About, Own
from appliance.app.answering import shown_direction
from appliance.app.clock import Moments
from appliance.app.neighbours import Neighbours
from appliance.app.places import state_of
from appliance.app.reasons_held import ReasonsHeld, together
from appliance.app.standing import Standing
from appliance.core.controls import reasons_of
from appliance.core.lamps import LAMPS, LinkPhase
from appliance.media.exchange import Uplink
from appliance.provisioning.files import Files
from appliance.rooms.contract import Engine, SiteReport
from appliance.settings import Settings


class Site:
    """Loop only.

    :param settings: those with which link is in its room.
    :param files: where it has them from; None: nobody changes them.
    :param engine: the one that it has now.
    :param told: called when something has changed that sound does not tell.
    :param bundle: whether a support bundle may be asked for.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        files: Files | None,
        engine: Callable[[], Engine],
        told: Callable[[], None],
        bundle: Callable[[], bool] = bool,
    ) -> None:
        self._settings, self._files, self._engine, self._told = settings, files, engine, told
        self._bundle = bundle
        self._moments = moments = Moments()
        self._began = moments.steady()
        self._held, self._standing = ReasonsHeld(moments), Standing(moments)
        now = settings()
        self._about = About(Neighbours(Path(now.device.runtime_dir)), state_of(now, "link"), self._own, told)
        self.run = self._about.run

    @property
    def key(self) -> str:
        """The fingerprint of the device's key; "" until it is known."""
        return self._about.key

    def leaves(self) -> None:
        """Link leaves the room for settings that it takes up."""
        self._standing.leaves()

    def change(self, phase: LinkPhase) -> None:
        """Link stands like this to its room now."""
        self._standing.change(phase, self._digest)
        self._told()

    def report(self, uplink: Uplink) -> SiteReport:
        """What the room is told when sound has said ``uplink``."""
        self._held.look(uplink.reasons)
        return SiteReport(
            gate_open=not uplink.reasons,
            reasons=tuple(reason.word for reason in sorted(reasons_of(uplink.reasons))),
            door=uplink.door,
            lamps={name: sign.value for name, sign in zip(LAMPS, uplink.lamps, strict=True)},
            loudspeaker=uplink.loudspeaker,
            direction=None if uplink.reasons else shown_direction(uplink),
            quiet_until=uplink.quiet_until or None,
            recording=uplink.recording,
            extra=self._about.extra,
            details={
                **self._about.details,
                "held": together(self._about.held, self._held.spans()),
                "link": self._standing.as_dict(),
            },
        )

    @property
    def _digest(self) -> str:
        """Of the settings that link runs with."""
        return self._files.current.digest if self._files else ""

    def _own(self) -> Own:
        engine, settings = self._engine(), self._settings()
        return Own(
            engine=settings.room.engine,
            proof=engine.proof,
            way=engine.way,
            audio=settings.audio,
            since=self._moments.unix(self._began),
            opening=self._held.opening,
            back_s=self._standing.back_s(self._digest),
            bundle=self._bundle(),
        )
