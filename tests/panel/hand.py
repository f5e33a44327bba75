"""What the deck works on, moved by the test's own hand: lines, a ring, and a time that passes when the test lets it."""

from appliance.audio.gate import Gate
from appliance.core.controls import Event, MuteControl
from appliance.core.lamps import LAMPS, Lamps, Sign
from appliance.panel.contacts import Timing
from appliance.panel.deck import Deck
from appliance.panel.layout import Layout
from appliance.panel.lines import CONTACTS, Edge, Failed
from appliance.panel.port import Hands, View

LIVE = View(Lamps(Sign.OFF, Sign.STEADY, Sign.OFF, Sign.OFF, 0.0))
PULSING = View(Lamps(Sign.STEADY, Sign.SLOW, Sign.OFF, Sign.OFF, 0.0))
START = 1000.0


class HandLines:
    """Lines without a thread: the test tells edges."""

    name = "hand"
    contacts = CONTACTS
    problem = ""

    def __init__(self, dims: frozenset[str] = frozenset(LAMPS)) -> None:
        self.dims = dims
        self.down: set[str] = set()
        self.sent: list[tuple[str, float]] = []
        self.reads = self.tries = self.opened = self.closed = 0
        self.broken: Exception | None = None
        self.dark: Exception | None = None
        """Lamps fail, and nothing else."""

    def open(self, edge: Edge, failed: Failed) -> None:
        self.tries += 1
        self._check(self.broken)
        self.opened += 1
        self.edge, self.failed = edge, failed

    def level(self, contact: str) -> bool:
        self._check(self.broken)
        self.reads += 1
        return contact in self.down

    def light(self, lamp: str, brightness: float) -> None:
        self._check(self.broken or self.dark)
        self.sent.append((lamp, brightness))

    def close(self) -> None:
        self.closed += 1

    @staticmethod
    def _check(error: Exception | None) -> None:
        if error is not None:
            raise error


class HandRing:
    """A ring that can be broken."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.opened = self.closed = 0
        self.broken = False

    def open(self) -> None:
        self._check()
        self.opened += 1

    def send(self, colours: bytes) -> None:
        self._check()
        self.sent.append(colours)

    def close(self) -> None:
        self.closed += 1

    def _check(self) -> None:
        if self.broken:
            raise OSError("no such bus")


class World:
    """A deck with a real gate and a clock that is set by hand."""

    def __init__(self, lines: HandLines | None = None, *, talk: bool = False) -> None:
        self.now = START
        self.gate, self.told, self.log = Gate(), list[object](), list[object]()
        self.lines, self.ring = lines or HandLines(), HandRing()
        self.deck = Deck(
            self.lines,
            MuteControl.LATCHING,
            Timing(0.02, 1.0, 0.2),
            push_to_talk=talk,
            pixels=self.ring,
            layout=Layout(pixels=12),
            clock=lambda: self.now,
        )
        self.hands = Hands(
            self._close,
            self._post,
            lambda: self.told.append("knock"),
            is_open=lambda: self.gate.is_open,
        )

    def _close(self) -> bool:
        self.log.append("close")
        return self.gate.close_by_hand()

    def _post(self, event: Event) -> None:
        self.log.append(event)
        self.told.append(event)

    def attach(self) -> None:
        self.deck.attach(self.hands, self.now)

    def live(self) -> None:
        """The gate is open, and so it is shown."""
        self.attach()
        assert self.gate.open()
        self.deck.show(LIVE)
        self.run(0.5)
        self.told.clear()
        self.lines.sent.clear()

    def run(self, seconds: float) -> int:
        """Let so much time pass, as the thread would; returns how often it woke up."""
        end, wakes, due = self.now + seconds, 0, self.now
        while due <= end:
            self.now = max(self.now, due)
            due = self.deck.turn(self.now)
            wakes += 1
            assert wakes < 1000 * seconds + 10, "it does not sleep"
        self.now = end
        return wakes
