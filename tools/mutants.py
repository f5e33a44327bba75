"""Mutation testing of what decides on the microphone: small changes to the code, each of which the tests must notice.

Every mutant is one change (tools/mutate.py). It is compiled in memory and put in the place of its module in a forked child,
where the tests of its file run; no file is touched. Survivors are printed, and the score goes to
docs/measurements/mutants.json. What no test can notice, since it changes nothing, stands in mutants.toml with its reason.
"""

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType

import hypothesis
import numpy as np
import pytest

from tools.measurements import Figure, write
from tools.mutate import Change, changes, mutated

ROOT = Path(__file__).resolve().parent.parent

TARGETS: dict[str, list[str]] = {
    "appliance/core/controls.py": [
        "tests/core/test_controls_tables.py",
        "tests/core/test_controls_rules.py",
        "tests/core/test_controls_sequences.py",
        "tests/core/test_controls_space.py",
    ],
    "appliance/core/lamps.py": ["tests/core/test_lamps.py"],
    "appliance/audio/gate.py": [
        "tests/audio/test_gate_inside.py",
        "tests/audio/test_gate_undecided.py",
        "tests/audio/test_gate.py",
        "tests/app/test_self_check.py",
    ],
    "appliance/app/self_check.py": ["tests/app/test_self_check.py"],
    "appliance/app/desk.py": [
        "tests/app/test_desk_decisions.py",
        "tests/app/test_desk.py",
        "tests/app/test_desk_view.py",
    ],
    "appliance/panel/memory.py": ["tests/panel/test_memory.py", "tests/panel/test_power_cut.py"],
    "appliance/settings/store.py": ["tests/settings/test_store.py", "tests/panel/test_power_cut.py"],
    "appliance/panel/contacts.py": ["tests/panel/test_contacts.py", "tests/panel/test_contacts_strays.py"],
    "appliance/panel/lights.py": ["tests/panel/test_lights.py", "tests/panel/test_deck.py"],
    "appliance/panel/deck.py": ["tests/panel/test_deck.py", "tests/panel/test_drawn_when_due.py"],
    "appliance/panel/renderer.py": [
        "tests/panel/test_drawn_when_due.py",
        "tests/panel/test_renderer_marks.py",
        "tests/panel/test_renderer.py",
    ],
    "appliance/rooms/proof.py": [
        "tests/rooms/test_proof_edges.py",
        "tests/rooms/test_proof.py",
        "tests/rooms/test_uplink_check.py",
        "tests/rooms/test_uplink.py",
    ],
}
"""What is mutated, and the tests that must notice, the quick ones first. The page made from the controls is no test here:
it would notice everything and understand nothing."""

EQUIVALENT = Path(__file__).with_suffix(".toml")
"""Mutants that behave as the original does, as they are printed but without their line, each with why."""

PATIENCE = 4.0
"""A mutant may take ten seconds and so many times what the tests take without it. Then it hangs, and counts as noticed."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    file: str
    change: Change

    @property
    def name(self) -> str:
        """What was changed where; the same when lines move."""
        return f"{self.file}: {self.change}"

    def __str__(self) -> str:
        return f"{self.file}:{self.change.line}: {self.change}"


@dataclass(slots=True)
class Score:
    """What became of all mutants."""

    killed: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    equivalent: set[str] = field(default_factory=set)

    @property
    def killed_percent(self) -> float:
        """How many of those that could be noticed were."""
        made = self.killed + len(self.survivors)
        return 100.0 * self.killed / made if made else 0.0


class _Placed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module from other code than its file has."""

    def __init__(self, file: str, code: CodeType) -> None:
        self._name = file.removesuffix(".py").replace("/", ".")
        self._file = str(ROOT / file)
        self._code = code

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102  # the code of this repository, changed in one place


def _test(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """Run ``tests`` in this process, which is a child and ends with it."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if mutant:
        code = compile(mutated((ROOT / mutant.file).read_text(), mutant.change), mutant.file, "exec")
        sys.meta_path.insert(0, _Placed(mutant.file, code))
    # Nothing is drawn by chance: a mutant that is noticed today is noticed tomorrow.
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True, deadline=None, max_examples=40)
    # That hypothesis is imported already, and so not rewritten for asserts, is meant: it saves each child a second.
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options += ["--hypothesis-profile=mutants", f"--rootdir={ROOT}"]
    return int(pytest.main([*options, *tests]))


def _fork(file: str, mutant: Mutant | None = None, imported: int = -1) -> int:
    """Start one child, which writes the libraries that its tests imported to the handle ``imported``; returns its pid."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.setpgid(0, 0)
        before = set(sys.modules)
        status = _test(mutant, TARGETS[file])
        if imported >= 0:
            os.write(imported, "\n".join(_libraries(set(sys.modules) - before)).encode())
    finally:
        os._exit(status)


def _libraries(names: Iterable[str]) -> list[str]:
    """Those of the modules that are none of ours, without what belongs to a larger one and what is not to be imported."""
    ours = {"appliance", "tests", "tools"}
    return sorted(name for name in names if "." not in name and not name.startswith("_") and name not in ours)


def _end(child: int) -> None:
    """End a child that hangs, and what it started."""
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _unchanged(file: str) -> float:
    """Seconds that the tests of ``file`` take without a mutant. Raises SystemExit when they fail.

    The libraries that they import are imported here, so that no child has to: that is most of a child's time.
    """
    read, write_to = os.pipe()
    children = [_fork(file, imported=write_to)]
    os.close(write_to)
    with os.fdopen(read) as names:
        for name in names.read().split():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    began = time.monotonic()
    children.append(_fork(file))
    if any([os.waitpid(child, 0)[1] for child in children]):  # noqa: C419 - each is waited for
        raise SystemExit(f"kontor: the tests of {file} fail without any change; mend them first")
    return time.monotonic() - began


def _run_all(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant with whether it was noticed, as they end."""
    patience = {file: 10 + PATIENCE * _unchanged(file) for file in {mutant.file: None for mutant in mutants}}
    waiting = list(reversed(mutants))
    running: dict[int, tuple[Mutant, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running[_fork(mutant.file, mutant)] = mutant, time.monotonic() + patience[mutant.file]
            child, status = os.waitpid(-1, os.WNOHANG)
            if child:
                yield running.pop(child)[0], status != 0
                continue
            for hanging in [child for child, (_, deadline) in running.items() if time.monotonic() > deadline]:
                _end(hanging)
                yield running.pop(hanging)[0], True
            time.sleep(0.01)
    finally:
        for child in running:
            _end(child)


def equivalent() -> set[str]:
    """The names of all mutants that no test can notice."""
    return {entry["mutant"] for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]}


def made_of(files: Sequence[str]) -> list[Mutant]:
    """All mutants of ``files``."""
    return [Mutant(file, change) for file in files for change in changes((ROOT / file).read_text())]


def run(files: Sequence[str], jobs: int) -> Score:
    """Mutate ``files`` and tell what became of it."""
    mutants = made_of(files)
    score, cannot = Score(), equivalent()
    for done, (mutant, noticed) in enumerate(_run_all(mutants, jobs), 1):
        if noticed:
            score.killed += 1
        elif mutant.name in cannot:
            score.equivalent.add(mutant.name)
        else:
            score.survivors.append(mutant)
            print(f"survived: {mutant}", flush=True)
        if done % 50 == 0:
            print(f"{done} of {len(mutants)} mutants", flush=True)
    return score


def _write(score: Score, seconds: float) -> None:
    note = f"{', '.join(TARGETS)}; {len(score.equivalent)} more change nothing that can be observed"
    write(
        "mutants",
        [
            Figure("mutants.killed_percent", round(score.killed_percent, 2), "%", ">= 100", note=note),
            Figure("mutants.survivors", len(score.survivors), "mutants", "== 0"),
            Figure("mutants.made", score.killed + len(score.survivors), "mutants"),
            Figure("mutants.seconds", round(seconds, 1), "s"),
        ],
    )


def main(arguments: list[str]) -> int:
    """Mutate; 1 when a mutant survived, or one that no test can notice was noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help=f"only of these (nothing is written): {' '.join(TARGETS)}"
    )
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="children at a time")
    options = parser.parse_args(arguments)
    if unknown := [file for file in options.files if file not in TARGETS]:
        parser.error(f"no tests are named for {unknown[0]}")
    if options.list:
        print(*made_of(options.files or list(TARGETS)), sep="\n")
        return 0
    os.chdir(ROOT)
    np.zeros(1)  # imported here, so that no child has to
    began = time.monotonic()
    score = run(options.files or list(TARGETS), options.jobs)
    seconds = time.monotonic() - began
    print(f"{score.killed} noticed, {len(score.survivors)} survived, {score.killed_percent:.1f} %, {seconds:.0f} s")
    stale = equivalent() - score.equivalent if not options.files else set[str]()
    for name in sorted(stale):
        print(f"no such mutant, or it is noticed now; take it out of {EQUIVALENT.name}: {name}")
    if not options.files:
        _write(score, seconds)
    return 1 if score.survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
