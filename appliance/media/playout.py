"""The receive buffer of one stream: packets go in as they come, blocks of 10 ms come out when asked for.

Its clock is whoever asks; a packet that is not there in time is concealed and never waited for. Timestamps say where sound
belongs, sequence numbers what is missing: a gap in both is loss, a gap in the timestamps alone is a pause of the talker.

- Loss is restored from a redundant copy, else from the FEC of the next packet, else concealed. After 60 ms of concealment
  there is silence, and nothing is reported. A pause whose sender says nothing (DTX) is filled with noise like its background.
- A stream that begins is held back by the target delay (timing.py), which is long enough for the network's jitter, and for
  the redundancy where it is needed. While it plays, delay is taken out or put in a few ms at a time (stretch.py), where it is
  quiet or the wave repeats itself; the further off, the less choosy. What would wait longer than 200 ms makes older packets
  be dropped. Clocks that differ (drift.py) are followed by resampling, and cause no splice.
- Another talker is told by the SSRC, by the marker bit (RFC 3551, 4.1) or by a jump: the decoder is reset, and the old
  sound dies away over 5 ms.
"""

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block, Pcm
from appliance.media import stretch
from appliance.media.arrivals import Arrivals, Held, Verdict
from appliance.media.drift import Drift
from appliance.media.opus import Decoder, has_fec, packet_samples
from appliance.media.rendering import FADE_TO, Rendering
from appliance.media.rtp import Rtp
from appliance.media.timing import CAP, LOW_DELAY, NORMAL, Timing

_PER_MS = RATE // 1000
_CAP = int(CAP) * _PER_MS
_LONG_PAUSE = 30.0
"""Seconds after which old transits say nothing: clocks drift."""
_STRAGGLING = 0.2
"""Seconds in which packets of the source that was left may still come: they do not bring it back."""
_DTX_BYTES = 2
"""Largest payload that only says that the sender falls silent (RFC 6716, 2.1.9)."""
_LONGEST_DTX = RATE
"""Samples. A longer gap in the timestamps is a talker who was away."""
_QUIET = -50.0
"""dBov, below which a few ms more or less are not heard."""
_BELOW, _ABOVE = -6.0, 12.0
"""ms off the target that are left alone: below it packets come too late; above it a splice would lead below."""
_ABOVE_QUIET = 4.0
"""The same where it is quiet and a change of any length is not heard."""
_LOOK = 4
"""Packets between two looks whether it is quiet, while that is all that is waited for."""
_BLOCK_MS = 10.0
_URGENT = 40.0
"""ms off the target from which any splice is better than the delay, or than the packets that come too late."""
_LOST_COUNT = 5.0
"""Frames in time that a lost one counts as that comes again: who sends it again wants it heard, and the wait has an end."""
_PATIENCE = 3 * RATE
"""Samples. The longer the delay is off its target, the less a splice has to be like the sound; after so many any will do."""
_RATHER_NOT = 3
"""Packets between two changes of the delay that may be heard."""


class Playout:
    """Plays one stream. One owner at a time; nothing here blocks, reads a clock or grows.

    :param decoder: belongs to this playout alone.
    :param low_delay: aim lower, for packets of 10 ms on a good network.
    """

    def __init__(self, decoder: Decoder, low_delay: bool = False) -> None:
        self._profile = LOW_DELAY if low_delay else NORMAL
        self._timing = Timing(self._profile)
        self._drift = Drift()
        self._arrivals = Arrivals()
        self._sound = Rendering(decoder)
        self._last_arrival = 0.0
        self._pulled: float | None = None  # when the last block was asked for
        self._left: tuple[int | None, float] = (None, 0.0)  # the source before this one, and when it was left
        self._received = self._refused = self._switches = 0  # packets, packets, talkers
        self._begin()

    def _begin(self) -> None:
        self._playing = False
        self._hold = 0  # blocks to wait before a stream begins to play
        self._next = 0  # extended timestamp of the next sample to decode
        self._duration = 2 * BLOCK  # samples of the packet before
        self._owed = 0  # samples that were put in because nothing was there: late or lost, the next packet tells
        self._since_change = 0  # packets
        self._off = 0  # samples decoded while the delay is off its target
        self._dtx = False  # whether this sender says nothing in pauses
        self._falls_silent = False  # whether the packet before said so
        self._sound.invented = 0

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
        """The lateness of frames that the target covers."""
        return self._timing.jitter

    @property
    def drift_ppm(self) -> float:
        """How much faster the talker's clock is than the listener's; 0 while it is not known."""
        return self._drift.ppm

    @property
    def counts(self) -> dict[str, int]:
        """What happened so far, by the names of core/counters.py."""
        return {
            "packets_received": self._received,
            "packets_refused": self._refused + self._sound.refused,
            "packets_duplicate": self._arrivals.duplicate,
            "packets_reordered": self._arrivals.reordered,
            "packets_late": self._arrivals.late,
            "packets_lost": self._arrivals.lost,
            "packets_redundant": self._arrivals.redundant,
            "frames_concealed": self._sound.concealed // BLOCK,
            "frames_recovered": self._sound.recovered // BLOCK,
            "frames_dropped": self._sound.dropped // BLOCK,
            "talker_switches": self._switches,
        }

    def reset(self) -> None:
        """Forget the stream and the network: nobody is in the slot."""
        self._begin()
        self._arrivals.clear(None)
        self._timing = Timing(self._profile)
        self._drift.forget()
        self._sound.reset()

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
        verdict, timestamp = self._arrivals.take(packet, samples, self._next if self._playing else None, now * 1000)
        if verdict is Verdict.DUPLICATE:
            return
        self._measure(verdict, timestamp, now * 1000)
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
        timestamp = self._arrivals.restore(packet, samples, self._next if self._playing else None, now * 1000)
        if timestamp is not None:
            self._timing.available(now * 1000, timestamp / _PER_MS)
            self._keep_below_cap()

    def _measure(self, verdict: Verdict, timestamp: int, now: float) -> None:
        """What a packet that came at ``now`` (ms) tells of the network, the delay and the clocks."""
        place = timestamp / _PER_MS
        self._drift.arrived(now, place)
        if verdict is Verdict.HELD and self._playing and not self._owed:
            self._timing.has(
                now, place, (len(self._sound.queue) + timestamp - self._next) / _PER_MS + self._left_of_block(now)
            )
        if verdict is not Verdict.COPIED:
            self._timing.available(now, place)

    def _left_of_block(self, now: float) -> float:
        """How much of the block that was taken last is still to be heard, ms; 0 when nobody tells."""
        return 0.0 if self._pulled is None else max(0.0, self._pulled * 1000 + _BLOCK_MS - now)

    def _change_stream(self, ssrc: int) -> None:
        if self._arrivals.ssrc is not None:
            self._switches += 1
            self._sound.let_go(self._playing)
            self._begin()
            self._sound.forget()
            self._timing.forget()
            self._drift.forget()
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
        below = newest - front + len(self._sound.queue) <= _CAP and (self.delay_ms or 0.0) <= CAP
        if below and not self._arrivals.full:
            return
        self._sound.let_go(self._playing)
        keep_from = newest - int(self._timing.target) * _PER_MS
        while first is not None and (first.timestamp < keep_from or self._arrivals.full):
            self._arrivals.pop(first)
            self._sound.dropped += first.samples
            first = self._arrivals.first()
        self._next = first.timestamp if first is not None else newest
        self._hold = self._owed = 0
        self._timing.restarted()

    # Blocks are asked for

    def pull(self, out: Block | Pcm, now: float | None = None) -> bool:
        """Write the next 10 ms, shape (480,), float32 or int16, into ``out``; False: silence, nothing is to be heard.

        :param now: when it is asked for, by the clock of :meth:`push`; without it clocks that differ are not followed.
        """
        if now is not None:
            self._pulled = now
            self._drift.pulled(now * 1000)
        if not self._playing:
            self._maybe_play()
        ppm = self._drift.ppm
        while self._playing and self._sound.short(ppm):
            self._more()
        heard, more = self._sound.block(out, ppm)
        if more:
            self._timing.moved(-more / _PER_MS)
        return heard

    def _maybe_play(self) -> None:
        first = self._arrivals.first()
        if first is None:
            return
        self._hold -= 1
        # What came in a heap was held back by the network already.
        heap = self._arrivals.newest - first.timestamp >= (self._timing.target + 10) * _PER_MS
        if self._hold >= 0 and not heap:
            return
        self._playing = True
        self._next = first.timestamp
        self._sound.begin()
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
            self._stop()
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
        if self._falls_silent or self._sound.invented >= FADE_TO or (self._dtx and self._sound.quiet):
            self._stop()
            return
        self._sound.conceal(BLOCK)
        self._owed += BLOCK

    def _stop(self) -> None:
        self._playing = False
        if self._dtx:
            self._sound.rest()

    def _bridge(self, held: Held, gap: int) -> None:
        """Fill ``gap`` samples before a packet that is there, or the first part of them."""
        lost = not self._arrivals.follows(held)
        restorable = held.samples if lost and not held.marker and has_fec(held.payload) else 0
        if gap <= restorable:
            self._sound.recover(held.payload, held.samples, gap)
        else:
            gap = min(gap - restorable, self._duration)
            self._sound.conceal(gap)
        self._next += gap

    def _reckon_with_losses(self, held: Held) -> None:
        """What was lost and came again says how long the next such frame has to be waited for."""
        if held.restored:
            self._timing.available(held.arrived, held.timestamp / _PER_MS, _LOST_COUNT)
        elif not held.marker and not self._arrivals.follows(held) and has_fec(held.payload):
            self._timing.available(held.arrived, (held.timestamp - held.samples) / _PER_MS, _LOST_COUNT)

    def _play(self, held: Held) -> None:
        self._reckon_with_losses(held)
        self._dtx |= self._pauses(held)
        self._arrivals.pop(held)
        self._next = held.timestamp + held.samples
        self._duration = held.samples
        self._since_change += 1
        if held.marker:
            self._switches += self._sound.invented < FADE_TO
            self._dtx = False
            self._drift.forget()
        self._falls_silent = len(held.payload) <= _DTX_BYTES
        self._dtx |= self._falls_silent
        self._sound.play(held.payload, held.samples, restored=held.restored, another=held.marker)

    def _pauses(self, held: Held) -> bool:
        """Whether nothing is missing before ``held`` and it begins later than the packet before it ended: a pause (DTX)."""
        after = self._arrivals.ended
        return after is not None and self._arrivals.follows(held) and 0 < held.timestamp - after <= _LONGEST_DTX

    # Changes that must not be heard

    def _adapt(self) -> None:
        """Bring the delay to the target, a few ms at a time, where it is not heard or cannot wait."""
        excess = self._timing.excess
        if _BELOW <= excess <= _ABOVE:
            self._off = 0
            if excess <= _ABOVE_QUIET or self._since_change % _LOOK:
                return
        self._decode_ahead()
        pcm = self._sound.queue.view
        if pcm.size < stretch.NEEDED:
            return
        if dbov(pcm[: stretch.NEEDED]) <= _QUIET:
            self._change(excess, min(stretch.LONGEST, max(stretch.SHORTEST, int(abs(excess) * _PER_MS))))
            return
        if excess > _ABOVE or excess < _BELOW:
            self._off += self._duration
            self._change_loud(excess, pcm)

    def _change_loud(self, excess: float, pcm: Pcm) -> None:
        """Look for a place where the change is not heard; the further off and the longer, the less choosy."""
        urgent = abs(excess) > _URGENT
        if not urgent and self._since_change < _RATHER_NOT:
            return
        found = stretch.match(pcm)
        if urgent or found.likeness >= 1.0 - abs(excess) / _URGENT - self._off / _PATIENCE:
            self._change(excess, found.lag)

    def _change(self, excess: float, lag: int) -> None:
        self._since_change = 0
        if excess > 0:
            self._sound.shorten(lag)
            self._timing.moved(-lag / _PER_MS)
        else:
            self._sound.lengthen(lag)
            self._timing.moved(lag / _PER_MS)

    def _decode_ahead(self) -> None:
        """Short packets: one more, so that there is enough to look at."""
        held = self._arrivals.first()
        if len(self._sound.queue) < stretch.NEEDED and held is not None and held.timestamp == self._next:
            self._play(held)
