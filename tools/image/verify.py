"""``make image-verify``: the last commit's image made twice, in surroundings that differ in all that should not matter.

Each build has a checkout of its own. The second one has other folders, another umask, time zone and language, one processor
instead of all, and the clock of more than a year later (libfaketime, for the builder and for every tool of the toolbox). Ends
with 1 when anything differs: the first file that does is named, and diffoscope says where, in build/image-verify.txt. Writes
docs/measurements/image.json when told to (``KONTOR_MEASUREMENTS`` in the environment names the folder).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import measurements
from tools.image import build, elsewhere, layout, space
from tools.image.errors import ImageError
from tools.image.fetch import sha256_of

REPORT = build.ROOT / "build" / "image-verify.txt"
_NEEDS = 8 << 30
_PARTS = ("root.tar", "initrd", build.FIRMWARE, build.BOOT, build.SLOT_ROOT, build.DATA, build.CARD)
"""What stays in the work folder, from what others are made of to what they make."""


@dataclass(frozen=True, slots=True)
class Made:
    """One build: its folders, and what it took in seconds, by the clock and of the processors."""

    work: Path
    out: Path
    seconds: float
    busy: float


def clone(origin: Path, target: Path) -> Path:
    """A checkout of the last commit of ``origin``; the target."""
    git = ["git", "-c", f"safe.directory={origin}/.git", "clone", "--quiet"]
    subprocess.run([*git, str(origin), str(target)], check=True)
    return target


def run(folder: Path, module: str, settings: dict[str, str]) -> Made:
    """Build from the checkout below ``folder``.

    :param module: what is run: the builder, or the builder elsewhere.
    :raises ImageError: no image; its last line.
    """
    made, checkout = Made(folder / "work", folder / "out", 0.0, 0.0), folder / "checkout"
    words = {"work": made.work, "out": made.out, "cache": build.CACHE, "wheels": build.WHEELS}
    command = [sys.executable, "-m", module, *(word for key, path in words.items() for word in (f"--{key}", str(path)))]
    environment = {**os.environ, "PYTHONPATH": str(checkout), **settings}
    start, before = time.monotonic(), _busy()
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise ImageError((done.stdout.strip().splitlines() or ["the build says nothing"])[-1].removeprefix("kontor: "))
    return replace(made, seconds=time.monotonic() - start, busy=_busy() - before)


def _busy() -> float:
    """Seconds of processor time that children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def differences(one: Made, two: Made) -> Iterator[tuple[Path, Path]]:
    """Files that are not the same, as pairs; a file that one build lacks is one of them."""
    for name in _PARTS:
        yield from _compared(one.work / name, two.work / name)
    for name in sorted({path.name for made in (one, two) for path in made.out.iterdir()}):
        yield from _compared(one.out / name, two.out / name)


def _compared(one: Path, two: Path) -> Iterator[tuple[Path, Path]]:
    if not (one.exists() and two.exists() and sha256_of(one) == sha256_of(two)):
        yield one, two


def size(path: Path) -> str:
    """Of a file, in words."""
    return f"{path.stat().st_size} bytes" if path.exists() else "missing"


def explain(one: Path, two: Path, report: Path = REPORT) -> str:
    """Where two files differ, into ``report``; a sentence."""
    if not (one.exists() and two.exists()):
        return "one build did not make it"
    if shutil.which("diffoscope") is None:
        return "diffoscope would say where: apt-get install diffoscope-minimal"
    report.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["diffoscope", "--text", str(report), str(one), str(two)], check=False)
    return f"where: {report}"


def figures(one: Made) -> list[measurements.Figure]:
    """What the issue asks of an image."""
    image = next(one.out.glob("*.img.zst"))
    note = f"packages and toolbox in the cache; {one.busy:.0f} s of processor time"
    return [
        measurements.Figure("image.bytes_zst_mib", round(image.stat().st_size / layout.MIB, 1), "MiB", "<= 160"),
        measurements.Figure(
            "image.root_mib", round((one.work / build.SLOT_ROOT).stat().st_size / layout.MIB, 1), "MiB", "<= 200"
        ),
        measurements.Figure("image.build_min", round(one.seconds / 60, 1), "min", "<= 10", note=note),
    ]


def main(arguments: Sequence[str]) -> int:
    """Build twice, compare, tell. ``arguments`` are none."""
    if arguments:
        print("kontor: make image-verify knows no words")
        return 2
    os.umask(0o022)
    (build.ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build.ROOT / "build", prefix=".verify-") as name:
        folder = Path(name)
        far = folder / "a" / "much" / "longer" / "path"
        far.mkdir(parents=True)
        (folder / "here").mkdir()
        try:
            space.require(folder, _NEEDS, "two images")
            settings = elsewhere.settings()
            # The second from the first: the same commit, though this checkout may get another one meanwhile.
            clone(clone(build.ROOT, folder / "here" / "checkout"), far / "checkout")
            one = run(folder / "here", "tools.image.build", {})
            two = run(far, "tools.image.elsewhere", settings)
        except ImageError as error:
            print(f"kontor: {error}")
            return error.status
        if place := os.environ.get("KONTOR_MEASUREMENTS"):
            measurements.write("image", figures(one), build.ROOT / place)
        wrong = list(differences(one, two))
        for left, right in wrong:
            print(f"kontor: {left.name} is not the same: {size(left)} and {size(right)}")
        if wrong:
            print(f"kontor: {explain(*wrong[0])}")
            return 1
        print(f"kontor: both are the same, {len(list(one.out.iterdir()))} files")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
