"""Two participants that show one identity: which of them are the same device.

Whoever has the PIN can call themselves like one of our devices (janus_names.py). So nobody leaves a room because somebody of the
same name comes: the newcomer has to prove to the one that was there that it has the same secret, by an HMAC over the numbers that
Janus gave to both. They are drawn for each session, so that nothing that was shown before proves anything again.
"""

import hmac
from collections.abc import Iterable
from itertools import islice

MOST_PROOFS = 4
"""As many of those before us are addressed at a time. One is alive, others may be listed for a minute after a power cut; which
one it is cannot be told, since Janus lists them in no order."""
_DIGITS = 16


class Twins:
    """Proofs between sessions of one device in one room.

    :param secret: nobody but this device, and who has its key, knows it.
    """

    def __init__(self, room: int, identity: str, secret: bytes) -> None:
        self._about = f"kontor-janus\0{room}\0{identity}"
        self._secret = secret

    def proof(self, older: int, newer: int) -> str:
        """What ``newer`` shows to ``older``: hexadecimal digits."""
        text = f"{self._about}\0{older}\0{newer}"
        return hmac.digest(self._secret, text.encode(), "sha256").hex()[:_DIGITS]

    def proofs(self, own: int, former: Iterable[int]) -> tuple[str, ...]:
        """What we show to those who were there before us, the first of them."""
        return tuple(self.proof(one, own) for one in islice(former, MOST_PROOFS))

    def proves(self, own: int, other: int, shown: Iterable[str]) -> bool:
        """Whether what ``other`` shows is meant for us, and by a session of this device."""
        expected = self.proof(own, other)
        return any(hmac.compare_digest(expected, one) for one in shown)
