"""The user of a sound card, made of functions: for benches and tests that want a block and no more."""

from collections.abc import Callable

from appliance.audio.port import Side
from appliance.core.units import Block, Blocks


def _silence(out: Block) -> None:
    out.fill(0)


class Calls:
    """Gives ``captured`` the first microphone's block, shape (480,); ``wanted`` fills what is played (else silence)."""

    def __init__(
        self,
        captured: Callable[[Block], None] = lambda _block: None,
        wanted: Callable[[Block], None] = _silence,
        changed: Callable[[bool], None] = lambda _running: None,
    ) -> None:
        self._captured, self.wanted, self.changed = captured, wanted, changed

    def captured(self, microphones: Blocks, _position: int, _time: float) -> None:
        """Hand the first microphone on."""
        self._captured(microphones[0])

    def played(self, _position: int, _time: float) -> None:
        """Nobody asks."""

    def jumped(self, side: Side) -> None:
        """Nobody asks."""
