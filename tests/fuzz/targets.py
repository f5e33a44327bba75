"""Every parser of remote input there is. Whoever adds one adds it here."""

from tests.fuzz import engines, inside, live, media, nearby, published, ways, words
from tests.fuzz.target import Target


def all_targets() -> list[Target]:
    """All, by name each once."""
    targets = [
        *media.targets(),
        *words.targets(),
        *engines.targets(),
        *ways.targets(),
        *published.targets(),
        *nearby.targets(),
        *live.targets(),
        *inside.targets(),
    ]
    assert len({target.name for target in targets}) == len(targets)
    return targets
