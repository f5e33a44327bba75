"""Bounding what one sender may ask for."""

import contextlib
import functools
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator

from appliance.core.counters import Counters
from appliance.host.config import Limits, Rate

_NETWORK = 64
"""Bits of an IPv6 address that a network is given: whoever is in it may take any of the other 2**64."""


@functools.lru_cache(maxsize=4096)
def sender_of(address: str) -> str:
    """Who is bounded when ``address`` asks for too much: the address itself, with IPv6 its whole network."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if found.is_link_local or found.is_loopback:
        return address  # neighbours, who all have the same network
    return str(ipaddress.IPv6Network((int(found), _NETWORK), strict=False))


class Bucket:
    """A token bucket: ``rate.burst`` at once, then ``rate.per_second``."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more is allowed at ``now`` (seconds)."""
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Buckets:
    """A bucket for each key, of the ``most`` keys that came last."""

    def __init__(self, rate: Rate, most: int = 4096) -> None:
        self._rate = rate
        self._most = most
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def take(self, key: Hashable, now: float) -> bool:
        """Whether ``key`` may have one more at ``now`` (seconds)."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take(now)


class Gate:
    """What one address may ask for, whoever is behind it. An address is what :mod:`appliance.host.approach` says."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._counters = counters
        self._joins = Buckets(limits.address_joins)
        self._challenges = Buckets(limits.address_challenges)
        self._sockets = Buckets(limits.address_sockets)
        self._wrong = Buckets(limits.address_wrong)
        self._most_open = limits.sockets_per_address
        self._open: Counter[str] = Counter()

    def join(self, address: str, now: float) -> bool:
        """Whether one more offer is taken from ``address``."""
        return self._take(self._joins, "host_joins_limited", address, now)

    def challenge(self, address: str, now: float) -> bool:
        """Whether one more request of a device is answered."""
        return self._take(self._challenges, "host_challenges_limited", address, now)

    def wrong_token(self, address: str, now: float) -> bool:
        """A wrong token came; whether its sender is still told what is wrong with it."""
        return self._take(self._wrong, "host_tokens_limited", address, now)

    @contextlib.contextmanager
    def socket(self, address: str, now: float) -> Iterator[bool]:
        """Whether one more presence socket is taken, which is open within this."""
        address = sender_of(address)
        taken = self._open[address] < self._most_open and self._sockets.take(address, now)
        if not taken:
            self._counters.add("host_presence_limited")
            yield False
            return
        self._open[address] += 1
        try:
            yield True
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _take(self, buckets: Buckets, counter: str, address: str, now: float) -> bool:
        if buckets.take(sender_of(address), now):
            return True
        self._counters.add(counter)
        return False
