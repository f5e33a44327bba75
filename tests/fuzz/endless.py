"""``make fuzz``: inputs without end, until Ctrl-C. With atheris, where it can be had, it follows which code they reach.

    python -m tests.fuzz.endless [NAME …]

Targets take turns. What is found is written below .cache/fuzz and ends the run with status 1.
"""

import argparse
import contextlib
import importlib.util
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(".cache") / "fuzz"
_TURN_SECONDS = 60.0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _plain_turn(name: str, seconds: float) -> int:
    """Mutations of examples, as in the suite, from a seed of its own."""
    from tests.fuzz.target import Found, check
    from tests.fuzz.targets import all_targets

    target = next(target for target in all_targets() if target.name == name)
    seed = random.SystemRandom().randrange(2**32)
    ends, count = time.monotonic() + seconds, 0
    with target.opened() as run:
        for data in target.inputs(seed):
            try:
                check(target, run, data)
            except Found as found:
                FOLDER.mkdir(parents=True, exist_ok=True)
                (FOLDER / f"{name}.input").write_bytes(data)
                _say(str(found))
                return 1
            count += 1
            if time.monotonic() > ends:
                break
    _say(f"{name}: {count} inputs")
    return 0


def _guided_turn(name: str, seconds: float) -> int:
    """The same with libFuzzer, which keeps what reaches new code; its corpus stays below .cache/fuzz."""
    import atheris

    instrumented = atheris.instrument_imports(include=["appliance"], enable_loader_override=False)
    with contextlib.redirect_stderr(io.StringIO()), instrumented:  # it tells each module
        from tests.fuzz.target import check
        from tests.fuzz.targets import all_targets
    target = next(target for target in all_targets() if target.name == name)
    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.examples):
        (corpus / f"example-{number}").write_bytes(data)
    with target.opened() as run:

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            """Half by libFuzzer, which knows the code, half by ours, which knows the form."""
            rng = random.Random(seed)
            changed = target.mutation(rng, data, target.examples) if rng.random() < 0.5 else atheris.Mutate(data, most)
            return changed[:most]

        arguments = [
            name,
            f"-max_total_time={seconds:.0f}",
            "-max_len=8192",
            "-verbosity=0",
            "-print_final_stats=1",
            f"-artifact_prefix={FOLDER}/{name}-",
        ]
        atheris.Setup([*arguments, str(corpus)], lambda data: check(target, run, data), custom_mutator=mutate)
        atheris.Fuzz()  # ends the process
    return 0


def main() -> int:
    """Turns of all targets, each in a process of its own: libFuzzer ends its process, and memory begins anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="targets; all without")
    parser.add_argument("--turn", default="", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=_TURN_SECONDS, help="of one turn")
    parser.add_argument("--once", action="store_true", help="one turn of each instead of turns without end")
    given = parser.parse_args()
    guided = importlib.util.find_spec("atheris") is not None
    if given.turn:
        return (_guided_turn if guided else _plain_turn)(given.turn, given.seconds)
    from tests.fuzz.targets import all_targets

    names = given.names or [target.name for target in all_targets()]
    _say(f"{len(names)} parsers, {'with' if guided else 'without'} atheris, until Ctrl-C")
    try:
        while True:
            for name in names:
                again = [sys.executable, "-m", "tests.fuzz.endless", "--turn", name, "--seconds", str(given.seconds)]
                with tempfile.TemporaryDirectory() as folder:  # libFuzzer ends its process without cleaning up
                    status = subprocess.run(again, check=False, env={**os.environ, "TMPDIR": folder}).returncode
                if status:
                    _say(f"{name}: see above, and {FOLDER}")
                    return 1
            if given.once:
                return 0
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
