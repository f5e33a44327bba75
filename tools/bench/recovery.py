"""How soon a device is heard and hears again: ``make bench-recovery``.

Real processes in network namespaces of their own (lab.py): a host, a device behind a router, and at the same time our page in
Chromium and a plain aiortc client behind the same router. Each figure runs from the moment at which the network is back, the
new way is there, or the host listens again, to sound: of the device both ways, of the peers what they hear.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.bench.lab import HOST, PORT, ROOM, Lab
from tools.measurements import Figure, write

_LOUD = -45.0
"""dBov; the tones have about -20."""
_EVERY = 0.03
_PATIENCE = 45.0
"""Seconds after which somebody who is not back is left alone."""
_NOTICED = 1.0
"""Seconds after the return in which a silence has begun, if there is one."""
_GAP = 0.12
"""Seconds; of a peer, what is shorter is no silence, but a look that came too soon after the last."""
_SETTLE = 4.0
_DOWN = 1.0
"""Seconds that the host is away when it is started anew."""
PEERS = {"page": "our page in Chromium", "plain": "plain aiortc client"}


class Ear:
    """Whether somebody hears sound, and when.

    :param gap: seconds from which a silence counts as one.
    """

    def __init__(self, gap: float = 0.0) -> None:
        self._gap = gap
        self._heard: list[tuple[float, bool]] = []
        self._changed = threading.Condition()

    def note(self, at: float, heard: bool) -> None:
        """One look."""
        with self._changed:
            self._heard.append((at, heard))
            self._changed.notify_all()

    def back(self, began: float, since: float, limit: float) -> float | None:
        """Seconds from ``since`` to the sound that ends the last silence which began after ``began``.

        :returns: 0 when there was no silence, or it ended before; None: it lasts longer than ``limit``, or nobody looks.
        """
        time.sleep(max(0.0, since + _NOTICED - time.monotonic()))
        with self._changed:
            while True:
                gaps = list(self._gaps(began))
                looked = bool(self._heard) and self._heard[-1][0] >= since + _NOTICED
                if looked and (not gaps or gaps[-1][1] is not None):
                    ends = [end for start, end in gaps if end is not None and start <= since + _NOTICED]
                    return max(0.0, ends[-1] - since) if ends else 0.0
                if not self._changed.wait(max(0.0, since + limit - time.monotonic())):
                    return None

    def _gaps(self, began: float) -> Iterator[tuple[float, float | None]]:
        """Silences since ``began`` that are long enough: from the first look without sound to the next with it."""
        start: float | None = None
        for at, heard in self._heard:
            if at < began:
                continue
            if not heard:
                start = at if start is None else start
            elif start is not None:
                if at - start >= self._gap:
                    yield start, at
                start = None
        if start is not None and self._heard[-1][0] - start >= self._gap:
            yield start, None


def watch_devices(lab: Lab, ear: Ear, ending: threading.Event) -> None:
    """The device hears "birch", and "birch" hears the device: sound flows when both do."""
    while not ending.wait(_EVERY):
        said = [lab.status(name, "sound") for name in ("amber", "birch")]
        if all(said):  # on a busy machine an answer may be late: then nothing was seen
            ear.note(time.monotonic(), min(float(one["loudspeaker"]) for one in said) > _LOUD)


def watch_lines(process: subprocess.Popen[bytes], ear: Ear) -> None:
    """A peer tells by itself."""
    if process.stdout is None:
        return
    with process.stdout as lines:
        for line in lines:
            at, heard = line.split()
            ear.note(float(at), heard == b"1")


class Trials:
    """One lab, everybody in the room, and one thing after another that happens to them."""

    def __init__(self, lab: Lab, peers: Sequence[str]) -> None:
        self._lab = lab
        self._ears = {"device": Ear(), **{peer: Ear(_GAP) for peer in peers}}
        self._ending = threading.Event()
        self._back_at = 0.0
        lab.host()
        lab.device("birch")
        lab.device("amber")
        watchers = [threading.Thread(target=watch_devices, args=(lab, self._ears["device"], self._ending))]
        for peer in peers:
            url = f"https://{HOST}:{PORT}"
            command = [sys.executable, "-m", "tools.bench.recovery_peers", peer, url, ROOM, lab.token(peer)]
            process = lab.start(peer, peer, *command, out=subprocess.PIPE)
            watchers.append(threading.Thread(target=watch_lines, args=(process, self._ears[peer]), daemon=True))
        for watcher in watchers:
            watcher.start()
        self._device_watcher = watchers[0]
        now = time.monotonic()
        self.everybody(0.0, lambda _: now)

    def everybody(self, began: float, since: Callable[[str], float]) -> dict[str, float | None]:
        """How long after ``since``, which does what brings a member back and gives the time, each is back."""
        times = {name: since(name) for name in self._ears}
        return {name: ear.back(began, times[name], _PATIENCE) for name, ear in self._ears.items()}

    def trial(self, away: Callable[[], None], back: Callable[[str], float]) -> dict[str, float | None]:
        """Take sound away and bring it back; gives seconds for each."""
        time.sleep(_SETTLE)
        began = time.monotonic()
        away()
        self._back_at = time.monotonic()
        return self.everybody(began, back)

    def _at_once(self, _name: str) -> float:
        """Everybody is let back when ``away`` has ended."""
        return self._back_at

    def cut(self, seconds: float) -> dict[str, float | None]:
        """The network is away for so long."""

        def away() -> None:
            self._lab.cut()
            time.sleep(seconds)
            self._lab.mend()

        return self.trial(away, self._at_once)

    def roam(self) -> dict[str, float | None]:
        """Everybody goes from Wi-Fi to cable."""

        def back(place: str) -> float:
            self._lab.roam(place, "cable")
            return time.monotonic()

        return self.trial(lambda: None, back)

    def restart_host(self) -> dict[str, float | None]:
        """The host is killed and started anew."""

        def away() -> None:
            self._lab.end("host", signal.SIGKILL)
            time.sleep(_DOWN)
            self._lab.host()

        return self.trial(away, self._at_once)

    def end(self) -> dict[str, int]:
        """Stop watching; gives the device's counters."""
        counters = dict(self._lab.status("amber", "link").get("counters", {}))
        self._ending.set()
        self._device_watcher.join()
        return counters


def figures(name: str, found: dict[str, float | None], note: str) -> list[Figure]:
    """The row of one trial: ours, and the faster peer in the peer column."""
    said = {peer: found[peer] for peer in PEERS if peer in found}
    words = "; ".join(
        f"{PEERS[peer]} {f'{seconds:.1f} s' if seconds is not None else f'not within {_PATIENCE:.0f} s'}"
        for peer, seconds in said.items()
    )
    ours = found["device"]
    best = min(((seconds, peer) for peer, seconds in said.items() if seconds is not None), default=None)
    return [
        Figure(
            name,
            round(ours if ours is not None else _PATIENCE, 2),
            "s",
            "<= 2",
            PEERS[best[1]] if best else "",
            round(best[0], 2) if best else None,
            "; ".join(part for part in (note, words) if part),
        )
    ]


def bench(folder: Path, *, quick: bool) -> list[Figure]:
    """All trials."""
    peers = [peer for peer in PEERS if peer != "page" or shutil.which("chromium")]
    rows: list[Figure] = []
    with Lab(folder) as lab:
        trials = Trials(lab, peers)
        for seconds in (1, 2) if quick else (1, 2, 15, 60):
            rows += figures(f"recovery.cut{seconds}_s", trials.cut(seconds), "")
            print(rows[-1], flush=True)
        rows += figures(
            "recovery.roam_s",
            trials.roam(),
            "from Wi-Fi to cable, the old address gone; 0 is a gap that concealment filled",
        )
        rows += figures("recovery.host_restart_s", trials.restart_host(), f"killed, away for {_DOWN:.0f} s")
        counters = trials.end()
    rows.append(
        Figure(
            "recovery.joins",
            counters.get("joins", 0),
            "",
            note="of the device, in all: only the long cuts and the new host need one",
        )
    )
    return rows


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="without the long cuts, and nothing is written")
    given = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("bench-recovery makes network namespaces: it needs root, and Debian's iproute2.", file=sys.stderr)
        return 75
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(70))  # the namespaces go too
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        rows = bench(Path(folder), quick=given.quick)
    if given.quick:
        for row in rows:
            print(row)
    else:
        write("recovery", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
