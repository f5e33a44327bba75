"""What a parser of remote input is to the fuzzer: examples, how they are made wrong, and what it may raise."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from tests.fuzz.mutate import Mutation

Run = Callable[[bytes], object]
"""Takes one input. Whatever it raises and has not declared is a finding, a failed assertion too."""


@dataclass(frozen=True)
class Target:
    """One parser, or what stands behind several of them."""

    name: str
    mutation: Mutation
    examples: tuple[bytes, ...]
    """Inputs that are right, or nearly."""
    opened: Callable[[], AbstractContextManager[Run]]
    """Makes it ready: whatever it keeps from input to input is made here and gone afterwards."""
    declared: tuple[type[Exception], ...] = ()
    """What it says it raises."""

    def inputs(self, seed: int) -> Iterator[bytes]:
        """Inputs without end: the examples as they are, then changed ones."""
        yield from self.examples
        rng = random.Random(seed)
        while True:
            yield self.input(rng)

    def input(self, rng: random.Random) -> bytes:
        """One input: an example changed once, or now and then twice."""
        data = self.mutation(rng, rng.choice(self.examples), self.examples)
        return data if rng.random() < 0.8 or not data else self.mutation(rng, data, self.examples)


def simple(run: Run) -> Callable[[], AbstractContextManager[Run]]:
    """For a parser that keeps nothing."""
    return lambda: nullcontext(run)


class Found(AssertionError):
    """An input that a parser does not stand."""


def check(target: Target, run: Run, data: bytes) -> bool:
    """Let it take ``data``; whether it took it without refusing.

    :raises Found: it raised what it had not declared; the text has the shortest input found that still does.
    """
    error = _raised(target, run, data)
    if error is None:
        return True
    if isinstance(error, target.declared):
        return False
    shortest = _shorter(target, run, data, type(error))
    raise Found(f"{target.name}: {type(error).__name__}: {error}\nfrom tests.fuzz input {shortest!r}") from error


def _raised(target: Target, run: Run, data: bytes) -> BaseException | None:
    try:
        run(data)
    except Exception as error:  # noqa: BLE001  # that is what is looked for
        return error
    return None


def _shorter(target: Target, run: Run, data: bytes, kind: type[BaseException], tries: int = 400) -> bytes:
    """``data`` without what is not needed to raise ``kind``: halves, quarters, and so on are left out."""
    size = max(1, len(data) // 2)
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            tries -= 1
            less = data[:at] + data[at + size :]
            if type(_raised(target, run, less)) is kind:
                data = less
            else:
                at += size
        size //= 2
    return data
