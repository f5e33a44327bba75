"""What passes between link and the process that holds ntgcalls: whole, in its order, and never waited for."""

import base64
import os

import numpy as np
import pytest

from appliance.core.units import BLOCK
from appliance.rooms import telegram_pipe as pipe


def test_the_longest_piece_of_sound_passes_whole() -> None:
    pairs = pipe.pairs()
    [(ours, theirs), *_] = pairs
    piece = os.urandom(pipe.MOST_PIECE)
    for _ in range(2):
        assert pipe.tell(ours, "piece", segment=2**48, part=0, data=base64.b64encode(piece).decode())
        message = pipe.receive(theirs, pipe.MOST_CONTROL)
        assert message
        assert base64.b64decode(pipe.told(message)["data"]) == piece
    assert pipe.receive(theirs, pipe.MOST_CONTROL) is None
    for end in sum(pairs, ()):
        end.close()


def test_what_does_not_fit_is_not_waited_for_and_the_other_end_that_is_gone_is_seen() -> None:
    ours, theirs = pipe.pair(16_384)
    block = pipe.block(np.ones(BLOCK, np.int16))
    taken = 0
    while pipe.send(ours, block):
        taken += 1
    assert 4 <= taken < 100
    theirs.close()
    assert not pipe.send(ours, block)
    assert pipe.receive(ours, 10) == b""
    ours.close()


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"is": 5}', b"\xff"])
def test_what_is_no_message_of_control_is_told_as_such(message: bytes) -> None:
    with pytest.raises(pipe.PipeJunk):
        pipe.told(message)


def test_a_block_that_was_held_up_is_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    message = pipe.block(np.arange(BLOCK, dtype=np.int16))
    fresh = pipe.fresh(message[1:])
    assert fresh is not None
    assert fresh.tolist() == list(range(BLOCK))
    assert pipe.fresh(message[2:]) is None
    monkeypatch.setattr(pipe, "STALE", -1.0)
    assert pipe.fresh(message[1:]) is None
