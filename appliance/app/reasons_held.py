"""When each reason for a closed gate last held, as sound or link has seen it since its start. Nothing of it is stored."""

from collections.abc import Mapping, Sequence

from appliance.app.clock import Moments
from appliance.core.controls import reasons_of

Spans = dict[str, list[int | None]]


class ReasonsHeld:
    """Told of every change of the gate's reasons.

    :param moments: how they are kept and told.
    """

    def __init__(self, moments: Moments | None = None) -> None:
        self._moments = moments or Moments()
        self._spans: dict[str, tuple[float, float | None]] = {}
        self._openings, self._is_open = 0, False

    def look(self, mask: int) -> None:
        """What holds now, as sound tells it."""
        now = self._moments.steady()
        if mask == 0 and not self._is_open:
            self._openings += 1
        self._is_open = mask == 0
        holding = {reason.word for reason in reasons_of(mask)}
        for word in holding:
            began, ended = self._spans.get(word, (now, now))
            if ended is not None:
                self._spans[word] = now, None
        for word, (began, ended) in self._spans.items():
            if ended is None and word not in holding:
                self._spans[word] = began, now

    @property
    def opening(self) -> int | None:
        """Which opening of the gate this is, counted from 1; None: it is closed."""
        return self._openings if self._is_open else None

    def spans(self) -> Spans:
        """Of each reason that has held: from when, and until when; None: it holds. Unix time by the clock of now."""
        unix = self._moments.unix
        return {
            word: [unix(began), None if ended is None else unix(ended)] for word, (began, ended) in self._spans.items()
        }


def together(sound: Mapping[str, Sequence[int | None]], link: Spans) -> Spans:
    """What both have seen. Sound was there from the start, and is asked now and then; link may be new, and knows at once.

    :param sound: as its status had it, which may be some seconds old.
    """
    spans = {word: list(span) for word, span in sound.items()} | link
    for word in sound.keys() & link.keys():
        (earlier, ended), (began, until) = sound[word], link[word]
        if earlier is not None and began is not None and (ended is None or began <= ended):
            spans[word] = [min(earlier, began), until]
    return spans
