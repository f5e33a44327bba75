"""Times in a histogram of fixed size: percentiles over any length of run in bounded memory."""

_SUB_BITS = 5
_OCTAVES = 24
_BUCKETS = (_OCTAVES + 1) << (_SUB_BITS - 1)


class Histogram:
    """Percentiles of durations from 1 µs to minutes: never too low, at most 7 % too high.

    Buckets grow with the value: below 32 µs one per µs, above that 16 per octave. One thread adds; others may read at
    any time and see a value that is at most one entry old.
    """

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self._worst = 0

    def add(self, nanoseconds: int) -> None:
        """Count one duration; a negative one counts as zero."""
        micros = max(0, nanoseconds // 1000)
        self._worst = max(self._worst, micros)
        shift = max(0, micros.bit_length() - _SUB_BITS)
        self._buckets[min(_BUCKETS - 1, (shift << (_SUB_BITS - 1)) + (micros >> shift))] += 1

    def clear(self) -> None:
        """Forget everything: a new measurement begins."""
        self._buckets = [0] * _BUCKETS
        self._worst = 0

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self._buckets)

    @property
    def worst_ms(self) -> float:
        """The longest one, in ms."""
        return self._worst / 1000

    def percentile_ms(self, percent: float) -> float:
        """The duration in ms that ``percent`` (0 to 100) of all do not exceed; 0 when nothing was counted."""
        buckets = self._buckets
        left = sum(buckets) * percent / 100
        if not left:
            return 0.0
        for index, count in enumerate(buckets[:-1]):
            left -= count
            if left <= 0:
                return min(_upper_edge(index), self._worst) / 1000
        return self._worst / 1000


def _upper_edge(index: int) -> int:
    """The largest value in µs that falls into the bucket."""
    half = 1 << (_SUB_BITS - 1)
    if index < 2 * half:
        return index
    shift = index // half - 1
    return ((half + index % half + 1) << shift) - 1
