"""The receive buffer of one stream: packets go in as they come, blocks of 10 ms come out when asked for.

Its clock is whoever asks; a packet that is not there in time is concealed and never waited for. Timestamps say where sound
belongs, sequence numbers what is missing: a gap in both is loss, a gap in the timestamps alone is a pause of the talker.

- Loss is restored from the FEC of the next packet when that is there, else concealed. After 60 ms of concealment there is
  silence, and nothing is reported.
- A stream that begins is held back by the target delay (timing.py). While it plays, delay is taken out or put in a few ms
  at a time where it is quiet, or where the wave repeats itself when it cannot wait. What would wait longer than 200 ms makes
  older packets be dropped.
- Another talker is told by the SSRC, by the marker bit (RFC 3551, 4.1) or by a jump: the decoder is reset, and the old
  sound dies away over 5 ms.
"""

import numpy as np

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block, Pcm
from appliance.media import splice
from appliance.media.arrivals import Arrivals, Held, Verdict
from appliance.media.opus import MOST_SAMPLES, Decoder, OpusError, has_fec, packet_samples
from appliance.media.pcm_queue import PcmQueue
from appliance.media.rtp import Rtp
from appliance.media.timing import CAP, Timing

_PER_MS = RATE // 1000
_CAP = int(CAP) * _PER_MS
_CONCEAL_STEP = 120  # libopus conceals in multiples of 2.5 ms
_FADE_FROM = 40 * _PER_MS
_FADE_TO = 60 * _PER_MS
_LONG_PAUSE = 30.0
"""Seconds after which old transits say nothing: clocks drift."""
_STRAGGLING = 0.2
"""Seconds in which packets of the source that was left may still come: they do not bring it back."""
_QUIET = -50.0
"""dBov, below which a few ms more or less are not heard."""
_RATHER_NOT = 5
"""Packets between two changes of the delay that may be heard."""


class Playout:
    """Plays one stream. One owner at a time; nothing here blocks, reads a clock or grows.

    :param decoder: belongs to this playout alone.
    :param low_delay: aim lower, for packets of 10 ms on a good network.
    """

    def __init__(self, decoder: Decoder, low_delay: bool = False) -> None:
        self._decoder = decoder
        self._low_delay = low_delay
        self._timing = Timing(low_delay)
        self._arrivals = Arrivals()
        self._queue = PcmQueue(4 * MOST_SAMPLES)
        self._scratch = np.zeros(MOST_SAMPLES, np.int16)
        self._last_arrival = 0.0
        self._left: tuple[int | None, float] = (None, 0.0)  # the source before this one, and when it was left
        self._received = self._refused = self._switches = 0  # packets, packets, talkers
        self._concealed = self._recovered = self._dropped = 0  # samples
        self._begin()

    def _begin(self) -> None:
        self._playing = False
        self._hold = 0  # blocks to wait before a stream begins to play
        self._next = 0  # extended timestamp of the next sample to decode
        self._duration = 2 * BLOCK  # samples of the packet before
        self._invented = 0  # samples of concealment in a row
        self._owed = 0  # those that were put in because nothing was there: late or lost, the next packet tells
        self._since_change = 0  # packets

    # What the owner sees

    @property
    def playing(self) -> bool:
        """Whether the next pull is expected to bring sound."""
        return self._playing

    @property
    def delay_ms(self) -> float | None:
        """The delay that this buffer adds now; None while it is not known."""
        return self._timing.delay if self._playing else None

    @property
    def target_ms(self) -> float:
        """The delay aimed at."""
        return self._timing.target

    @property
    def jitter_ms(self) -> float:
        """What 98 % of the packets were not later than."""
        return self._timing.jitter

    @property
    def counts(self) -> dict[str, int]:
        """What happened so far, by the names of core/counters.py."""
        return {
            "packets_received": self._received,
            "packets_refused": self._refused,
            "packets_duplicate": self._arrivals.duplicate,
            "packets_reordered": self._arrivals.reordered,
            "packets_late": self._arrivals.late,
            "packets_lost": self._arrivals.lost,
            "packets_redundant": self._arrivals.redundant,
            "frames_concealed": self._concealed // BLOCK,
            "frames_recovered": self._recovered // BLOCK,
            "frames_dropped": self._dropped // BLOCK,
            "talker_switches": self._switches,
        }

    def reset(self) -> None:
        """Forget the stream and the network: nobody is in the slot."""
        self._begin()
        self._arrivals.clear(None)
        self._queue.clear()
        self._timing = Timing(self._low_delay)
        self._decoder.reset()

    # Packets come

    def push(self, packet: Rtp, now: float) -> None:
        """Take a packet that came at ``now`` (seconds, any clock that only goes forward)."""
        samples = packet_samples(packet.payload)
        if samples == 0:
            self._refused += 1
            return
        self._received += 1
        if not self._arrivals.continues(packet):
            if packet.ssrc == self._left[0] and now < self._left[1] + _STRAGGLING:
                self._refused += 1
                return
            self._left = (self._arrivals.ssrc, now)
            self._change_stream(packet.ssrc)
        if not self._playing and not self._arrivals.waiting:
            self._wait_for_more(now)
        verdict, timestamp = self._arrivals.take(packet, samples, self._next if self._playing else None)
        if verdict is Verdict.DUPLICATE:
            return
        known = self._playing and not self._owed and verdict is Verdict.HELD
        headroom = (len(self._queue) + timestamp - self._next) / _PER_MS if known else None
        self._timing.arrived(now * 1000, timestamp / _PER_MS, headroom)
        self._last_arrival = now
        self._keep_below_cap()

    def push_redundant(self, packet: Rtp, now: float) -> None:
        """Take a copy of an earlier packet that came with a later one (RFC 2198) at ``now``, before or after that one.

        It fills the hole that a loss left, with its own sequence number and timestamp. A copy of what is there already, of
        what was played, or of another stream is nothing, and a copy says nothing of the network's delay.
        """
        samples = packet_samples(packet.payload)
        if samples == 0 or not self._arrivals.continues(packet):
            return
        if not self._playing and not self._arrivals.waiting:
            self._wait_for_more(now)
        if self._arrivals.restore(packet, samples, self._next if self._playing else None):
            self._keep_below_cap()

    def _change_stream(self, ssrc: int) -> None:
        if self._arrivals.ssrc is not None:
            self._switches += 1
            self._let_go()
            self._begin()
            self._decoder.reset()
            self._timing.forget()
        self._arrivals.clear(ssrc)

    def _wait_for_more(self, now: float) -> None:
        if now - self._last_arrival > _LONG_PAUSE:
            self._timing.forget()
        self._hold = round(self._timing.target / 10)

    def _keep_below_cap(self) -> None:
        """Drop from the front what would make the newest packet wait, or the talker be heard, more than 200 ms late."""
        first = self._arrivals.first()
        if first is None:
            return
        # A jump ahead is no delay: see _more.
        front = self._next if self._playing and first.timestamp - self._next <= _CAP else first.timestamp
        newest = self._arrivals.newest
        below = newest - front + len(self._queue) <= _CAP and (self.delay_ms or 0.0) <= CAP
        if below and not self._arrivals.full:
            return
        self._let_go()
        keep_from = newest - int(self._timing.target) * _PER_MS
        while first is not None and (first.timestamp < keep_from or self._arrivals.full):
            self._arrivals.pop(first)
            self._dropped += first.samples
            first = self._arrivals.first()
        self._next = first.timestamp if first is not None else newest
        self._hold = self._owed = 0
        self._timing.restarted()

    # Blocks are asked for

    def pull(self, out: Block | Pcm) -> bool:
        """Write the next 10 ms, shape (480,), float32 or int16, into ``out``; False: silence, nothing is to be heard."""
        if not self._playing:
            self._maybe_play()
        while self._playing and len(self._queue) < BLOCK:
            self._more()
        return self._queue.take(out) > 0

    def _maybe_play(self) -> None:
        first = self._arrivals.first()
        if first is None:
            return
        self._hold -= 1
        if self._hold >= 0:
            return
        self._playing = True
        self._next = first.timestamp
        self._invented = _FADE_TO  # what was before is silence
        self._owed = 0
        self._timing.restarted()

    def _more(self) -> None:
        """Make more sound, or stop playing."""
        held = self._arrivals.first()
        if held is None:
            self._nothing_there()
            return
        gap = self._settled(held.timestamp - self._next)
        if gap > _CAP:
            self._playing = False
            self._hold = round(self._timing.target / 10)
        elif gap > 0:
            self._bridge(held, gap)
        else:
            self._play(held)
            self._adapt()

    def _settled(self, gap: int) -> int:
        """The gap before the next packet that still has to be filled.

        What was concealed while nothing was there stands for what never came; before a packet that is only late it is
        more delay.
        """
        if self._owed:
            used = max(0, min(gap, self._owed))
            self._next += used
            gap -= used
            self._owed = 0
            self._timing.restarted()
        return gap

    def _nothing_there(self) -> None:
        if self._invented >= _FADE_TO:
            self._playing = False
            return
        self._conceal(BLOCK)
        self._owed += BLOCK

    def _bridge(self, held: Held, gap: int) -> None:
        """Fill ``gap`` samples before a packet that is there, or the first part of them."""
        lost = not self._arrivals.follows(held)
        if lost and not held.marker and gap <= held.samples and has_fec(held.payload):
            self._recover(held, gap)
        else:
            gap = min(gap, self._duration)
            self._conceal(gap)
        self._next += gap

    def _recover(self, held: Held, gap: int) -> None:
        try:
            size = self._decoder.decode_fec(held.payload, self._scratch, held.samples)
        except OpusError:
            self._conceal(gap)
            return
        self._sound(self._scratch[size - gap : size])
        self._recovered += gap

    def _conceal(self, samples: int) -> None:
        """Invent ``samples`` samples, which fade away between 40 and 60 ms of them in a row."""
        left = _FADE_TO - self._invented
        made = self._scratch[:samples]
        if left <= 0:
            made.fill(0)
        else:
            self._decoder.conceal(self._scratch, -(-samples // _CONCEAL_STEP) * _CONCEAL_STEP)
            if self._invented + samples > _FADE_FROM:
                fade = np.arange(left, left - samples, -1, dtype=np.float32) / (_FADE_TO - _FADE_FROM)
                made[:] = made * np.clip(fade, 0, 1)
        self._queue.append(made)
        self._invented += samples
        self._concealed += samples

    def _sound(self, pcm: Pcm) -> None:
        """Real sound is there again."""
        if self._invented >= _FADE_TO:
            splice.fade_in(pcm)
        self._invented = 0
        self._queue.append(pcm)

    def _play(self, held: Held) -> None:
        self._arrivals.pop(held)
        self._next = held.timestamp + held.samples
        self._duration = held.samples
        self._since_change += 1
        tail = self._switch() if held.marker else None
        try:
            size = self._decoder.decode(held.payload, self._scratch)
        except OpusError:
            self._refused += 1
            self._conceal(held.samples)
            return
        if tail is not None:
            splice.add_falling(tail, self._scratch[:size])
        if held.restored:
            self._recovered += size
        self._sound(self._scratch[:size])

    # Changes that must not be heard

    def _switch(self) -> Pcm | None:
        """Another talker, or the same one after a pause: its sound owes nothing to what was before."""
        tail = None
        if self._invented < _FADE_TO:
            self._switches += 1
            tail = np.zeros(splice.OVERLAP, np.int16)
            self._decoder.conceal(tail, splice.OVERLAP)
        self._decoder.reset()
        return tail

    def _let_go(self) -> None:
        """What waits to be played is dropped; its beginning dies away."""
        if self._playing and len(self._queue) < splice.OVERLAP:
            self._conceal(splice.OVERLAP)
        tail = self._queue.view[: splice.OVERLAP].copy()
        self._dropped += len(self._queue) - tail.size
        splice.fade_out(tail)
        self._queue.clear()
        self._queue.append(tail)
        self._invented = _FADE_TO

    def _adapt(self) -> None:
        """Bring the delay to the target, a few ms at a time, where it is not heard or cannot wait."""
        excess = self._timing.excess
        if -5.0 <= excess <= 15.0:
            return
        self._decode_ahead()
        pcm = self._queue.view
        if pcm.size < splice.NEEDED:
            return
        may_be_heard = dbov(pcm[: splice.NEEDED]) > _QUIET
        if may_be_heard and (-10.0 <= excess <= 30.0 or self._since_change < _RATHER_NOT):
            return
        self._since_change = 0
        if excess > 0:
            taken = splice.shorten(pcm)
            self._queue.skip(taken)
            self._dropped += taken
            self._timing.moved(-taken / _PER_MS)
        else:
            added = splice.lengthen(pcm, self._scratch)
            self._queue.prepend(self._scratch[:added])
            self._timing.moved(added / _PER_MS)

    def _decode_ahead(self) -> None:
        """Short packets: one more, so that there is enough to look at."""
        held = self._arrivals.first()
        if len(self._queue) < splice.NEEDED and held is not None and held.timestamp == self._next:
            self._play(held)
