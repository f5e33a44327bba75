"""Recorded voices from Debian packages, decoded once into .cache/acoustics and never committed.

Two sets that share no speaker: what is *reported* is never tuned or trained on. Installed packages are used as they are; others
are downloaded and unpacked without root, as tools/speech.py does. ``python -m tools.acoustics.speech`` fetches and lists.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from appliance.core.units import RATE, Block, Pcm
from tools import debian
from tools.acoustics.signals import active_rms

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "acoustics"
UNPACKED = CACHE / "debian"
LEVEL = 10 ** (-26 / 20)
"""RMS of active speech, -26 dBov (ITU-T P.56)."""
MOST_SECONDS = {"reported": 200, "tuning": 600}
"""A voice is cut there."""
_ASTERISK = "usr/share/asterisk/sounds"
_STAMPS = "usr/share/tuxpaint/stamps"
_FISH = "usr/share/games/fillets-ng/sound"
_PAUSE = 0.3
_SHORTEST = 0.7
_NO_SPEECH = ("tt-", "beep", "dir-", "silence", "ascending", "descending", "confbridge-")

Kind = Literal["tuning", "reported"]


class Source(NamedTuple):
    """One speaker, or for ``several`` one language of many, in one package. ``pattern`` is relative to ``folder``."""

    name: str
    language: str
    package: str
    folder: str
    pattern: str
    reported: bool = False


def _stamps(language: str) -> Source:
    return Source(f"stamps-{language}", language, "tuxpaint-stamps-default", _STAMPS, f"**/*_desc_{language}.ogg")


def _fish(language: str, speaker: str) -> Source:
    """Fish Fillets: a small fish (a woman) and a big one (a man) talk, in whole sentences."""
    package = f"fillets-ng-data-{language}"
    return Source(f"fish-{language}-{speaker}", language, package, _FISH, f"**/{language}/*-{speaker}-*.ogg")


SOURCES = (
    Source("allison", "en", "asterisk-core-sounds-en-g722", f"{_ASTERISK}/en_US_f_Allison", "*.g722", reported=True),
    Source("june", "fr", "asterisk-core-sounds-fr-g722", f"{_ASTERISK}/fr_CA_f_June", "*.g722", reported=True),
    Source("carlo", "it", "asterisk-core-sounds-it-g722", f"{_ASTERISK}/it_IT_m_Carlo", "*.g722", reported=True),
    # asterisk-core-sounds-es is Allison again: in neither set.
    Source("ivrvoice", "ru", "asterisk-core-sounds-ru-g722", f"{_ASTERISK}/ru_RU_f_IvrvoiceRU", "*.g722"),
    Source("menardi", "it", "asterisk-prompt-it-menardi-wav", f"{_ASTERISK}/it_IT_f_Menardi", "*.wav"),
    *(_stamps(language) for language in ("fr", "ru", "ro", "ca", "bg", "es", "be", "el", "da", "lt", "nl")),
    *(_fish(language, speaker) for language in ("cs", "nl") for speaker in "mv"),
)


@dataclass(frozen=True)
class Voice:
    """A voice: ``pcm`` is int16 at 48 kHz, mapped from the cache; phrases at -26 dBov with short pauses between."""

    name: str
    language: str
    pcm: Pcm

    @property
    def samples(self) -> Block:
        """All of it, float32 in [-1, 1], shape (n,)."""
        return self.part(0, self.pcm.size)

    def part(self, start: int, count: int) -> Block:
        """``count`` samples from ``start`` on, around the end if need be. Shape (count,) float32."""
        wanted = np.take(self.pcm, np.arange(start, start + count), mode="wrap")
        part: Block = wanted.astype(np.float32) / np.float32(32768)
        return part


def voices(kind: Kind) -> list[Voice]:
    """The voices of a set that are there, in a fixed order; fetched and decoded where they are not yet.

    :raises SystemExit: if a reported voice cannot be had: then there is nothing to report.
    """
    wanted = [source for source in SOURCES if source.reported == (kind == "reported")]
    _fetch({source.package for source in wanted if _folder(source) is None and not _kept(source).exists()})
    found = [Voice(source.name, source.language, pcm) for source in wanted if (pcm := _pcm(source)) is not None]
    if kind == "reported" and len(found) < len(wanted):
        raise SystemExit("kontor: recorded voices are missing; type: python -m tools.acoustics.speech")
    return found


def _kept(source: Source) -> Path:
    return CACHE / "voices" / f"{source.name}.npy"


def _folder(source: Source) -> Path | None:
    """Where its recordings lie; None if the package is not there."""
    for root in (UNPACKED, Path("/")):
        if (root / source.folder).is_dir() and next((root / source.folder).glob(source.pattern), None):
            return root / source.folder
    return None


def _pcm(source: Source) -> Pcm | None:
    kept = _kept(source)
    if not kept.exists():
        folder = _folder(source)
        if folder is None:
            return None
        print(f"kontor: decoding {source.name}", file=sys.stderr, flush=True)
        whole = _whole(folder, source)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".tmp", delete=False) as file:
            np.save(file, whole)
        Path(file.name).replace(kept)
    pcm: Pcm = np.load(kept, mmap_mode="r")
    return pcm


def _whole(folder: Path, source: Source) -> Pcm:
    """Longest recordings first, since those are sentences; each at the same level, with pauses between."""
    files = sorted(
        (path for path in folder.glob(source.pattern) if not path.name.startswith(_NO_SPEECH)),
        key=lambda path: (-path.stat().st_size, path.name),
    )
    parts: list[NDArray[np.float32]] = []
    left = MOST_SECONDS["reported" if source.reported else "tuning"] * RATE
    for samples in _spoken(files):
        parts += [samples, np.zeros(int(_PAUSE * RATE), np.float32)]
        left -= samples.size + parts[-1].size
        if left <= 0:
            break
    whole: Pcm = (np.clip(np.concatenate(parts), -1, 1) * 32767).astype(np.int16)
    return whole


def _spoken(files: list[Path]) -> Iterator[Block]:
    for path in files:
        try:
            samples = decode(path)
        except (av.FFmpegError, ValueError):
            continue
        loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
        if loud.size < RATE * _SHORTEST / 10 or loud[-1] - loud[0] < RATE * _SHORTEST:
            continue
        samples = samples[max(0, loud[0] - RATE // 20) : loud[-1] + RATE // 10]
        yield samples * np.float32(LEVEL / active_rms(samples))


def decode(path: Path) -> Block:
    """The samples of a recording at 48 kHz, shape (n,) float32. Raises ValueError for one without sound."""
    resampler = av.AudioResampler("fltp", "mono", RATE)
    parts = []
    with av.open(str(path), format="g722" if path.suffix == ".g722" else None) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    if not parts:
        raise ValueError(f"{path.name} holds no sound")
    samples: Block = np.concatenate(parts).astype(np.float32)
    return samples


def _fetch(packages: set[str]) -> None:
    """Download and unpack Debian packages; their copyright files are kept beside the recordings."""
    if not packages or not debian.available():
        return
    debian.update()
    UNPACKED.mkdir(parents=True, exist_ok=True)
    for package in sorted(packages):
        print(f"kontor: fetching Debian's {package}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _run(["apt-get", "-q", "download", package], folder)
            for file in islice(Path(folder).glob("*.deb"), 1):
                _run(["dpkg-deb", "-x", str(file), str(UNPACKED)], folder)


def _run(command: list[str], directory: str) -> bool:
    done = subprocess.run(command, cwd=directory, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def main() -> int:
    """Fetch, decode and list both sets."""
    kinds: tuple[Kind, ...] = ("reported", "tuning")
    for kind in kinds:
        for voice in voices(kind):
            print(f"{kind:9} {voice.name:12} {voice.language} {voice.pcm.size / RATE:5.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
