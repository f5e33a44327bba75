"""The whole way of sound in real time: ALSA's card on a real sound server, a room with an echo, and two who talk.

The far end talks, then somebody near, then both: what leaves the front end has no echo of the far end, and the near end in it.
Limits are generous: the machine that runs this has other work as well, and a scene in which it stumbled is played once more.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.app.hearing import make_front_end
from appliance.app.process import real_time
from appliance.app.speech import decode, find, synthetic
from appliance.audio.front_end import FrontEnd
from appliance.audio.port import Side
from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Block, Blocks
from tests.app.parts import settings
from tests.audio.echo_path import Room
from tests.audio.sound_server import alsa_card
from tests.e2e.speech import likeness
from tests.support.need import need
from tests.support.waiting import wait_for
from tools.bench import graph

SECONDS = 17
FAR, NEAR, BOTH = (1, 6), (7, 11), (12, 17)
"""When who talks, seconds."""
TRIES = 3


class Conversation:
    """The user of a card with a front end in it: plays the far end, keeps what is heard and what would leave."""

    def __init__(self, front_end: FrontEnd, far: Block) -> None:
        self._front_end = front_end
        self._far = far.reshape(-1, BLOCK)
        self._turn = 0
        self.heard: list[Block] = []
        self.left: list[Block] = []
        self.jumps: list[Side] = []
        self.running = threading.Event()
        self.speech: list[bool] = []

    def captured(self, microphones: Blocks, position: int, time: float) -> None:
        out = np.zeros(BLOCK, np.float32)
        self._front_end.process(microphones, position, time, out)
        self.heard.append(microphones[0].copy())
        self.left.append(out)
        self.speech.append(self._front_end.speech)

    def wanted(self, out: Block) -> None:
        out[:] = self._far[self._turn] if self._turn < len(self._far) else 0
        self._turn += 1
        self._front_end.playing(out)

    def played(self, position: int, time: float) -> None:
        self._front_end.played(position, time)

    def jumped(self, side: Side) -> None:
        self.jumps.append(side)
        self._front_end.jumped(side)

    def changed(self, running: bool) -> None:
        if running:
            self.running.set()


def talk(*when: tuple[int, int], shift: int = 0, pitch: float = 1.0) -> Block:
    """Somebody's part of the scene, -26 dBov while he talks, shape (n,) float32."""
    recording = find()
    voice = decode(recording) if recording else synthetic(30)
    voice = voice * np.float32(10 ** ((-26 - dbov(voice)) / 20))
    at = (np.arange(SECONDS * RATE) * pitch + shift * RATE) % (len(voice) - 1)
    said = np.interp(at, np.arange(len(voice)), voice).astype(np.float32)
    talks = np.zeros(SECONDS * RATE, np.float32)
    for start, end in when:
        talks[start * RATE : end * RATE] = 1
    return np.asarray(said * talks, np.float32)


def part(blocks: list[Block], start: float, end: float) -> Block:
    return np.concatenate(blocks[int(start * 100) : int(end * 100)])


def in_real_time(start: Callable[[], None]) -> None:
    """Start threads with the priority that sound has on a device, where it is allowed, and leave this one as it is."""

    def begin() -> None:
        real_time(10)
        start()

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()


def play(folder: Path) -> tuple[Conversation, FrontEnd, Block, Block]:
    """The scene once."""
    far, near = talk(FAR, BOTH), talk(NEAR, BOTH, shift=13, pitch=1.1)
    front_end = make_front_end(settings(folder, '[audio]\nbackend = "alsa"\n').audio)
    assert front_end is not None
    with Room(folder)() as room:
        card = alsa_card("mic", "spk", watch_silence=False)
        conversation = Conversation(front_end, far)
        in_real_time(lambda: card.start(conversation))
        try:
            assert conversation.running.wait(10)
            front_end.opened(card.facts)
            room.talk(near)
            wait_for(lambda: len(conversation.left) >= SECONDS * 100, SECONDS + 20)
            del conversation.left[SECONDS * 100 :], conversation.heard[SECONDS * 100 :]
        finally:
            card.stop()
        assert card.ended.result(1) is None
    return conversation, front_end, far, near


def levels(conversation: Conversation) -> str:
    """What was heard and what would have left, dBov, second by second."""
    both = zip(
        *(np.array(blocks).reshape(-1, RATE) for blocks in (conversation.heard, conversation.left)), strict=False
    )
    return ", ".join(f"{dbov(heard):.0f}/{dbov(left):.0f}" for heard, left in both)


def lateness(conversation: Conversation, near: Block) -> float:
    """Seconds by which whoever is near began later than the clock of this scene says: his player starts when it can."""
    heard = np.concatenate(conversation.heard)
    size = heard.size + near.size
    across = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(near, size)))
    return float(np.argmax(across[: heard.size])) / RATE


def check(conversation: Conversation, front_end: FrontEnd, far: Block, near: Block) -> None:
    """What has to be true of a scene, after the canceller has had three seconds to learn."""
    assert front_end.degraded == ""
    heard, left = (part(blocks, FAR[0] + 3, FAR[1]) for blocks in (conversation.heard, conversation.left))
    assert dbov(heard) > -40, "there is an echo"
    assert dbov(heard) - dbov(left) > 10, "and it is gone"
    late = lateness(conversation, near)
    assert 0 <= late < 2, "the scene is as it was meant"
    alone = (NEAR[0] + late + 0.5, min(NEAR[1] + late, BOTH[0]))
    assert likeness(near, part(conversation.left, *alone)) > 0.7
    assert np.mean(conversation.speech[int(alone[0] * 100) : int(alone[1] * 100)]) > 0.5, "he talks"
    both = part(conversation.left, BOTH[0] + late + 0.5, BOTH[1])
    assert likeness(near, both) > 0.55
    assert likeness(near, both) > likeness(far, both) + 0.1


@pytest.mark.timeout(180)
def test_the_far_end_is_gone_and_the_near_end_is_there(short_dir: Path) -> None:
    need("module:alsaaudio", "pyalsaaudio is not installed: pip install -e .[device]")
    need(not graph.missing(), "no sound server: python3 -m tools.system tests")
    threads = set(threading.enumerate())
    for attempt in range(TRIES):
        folder = short_dir / str(attempt)
        folder.mkdir()
        scene = play(folder)
        jumps, states = len(scene[0].jumps), scene[1].state()
        print(f"{jumps} jumps of the card; {states}; {scene[1].counts}; {levels(scene[0])}")
        try:
            check(*scene)
        except AssertionError as error:
            print(str(error).partition("\n")[0])
            if attempt == TRIES - 1:
                raise
        else:
            break
    assert set(threading.enumerate()) == threads
