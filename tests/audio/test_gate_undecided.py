"""Closings that the loop has not taken in yet: as many as there are keep the gate shut."""

from appliance.audio.gate import Gate


def test_a_gate_that_is_to_stay_closed_is_closed_at_once_and_opens_only_when_that_was_taken_in() -> None:
    gate = Gate()
    assert gate.open()
    gate.stay_closed()
    assert not gate.is_open
    assert gate.epoch == 1
    assert not gate.open()
    gate.decided()
    assert gate.open()


def test_each_closing_has_to_be_taken_in() -> None:
    gate = Gate()
    gate.open()
    for close in (gate.close_by_hand, gate.stay_closed, gate.stay_closed):
        close()
    for _ in range(2):
        gate.decided()
        assert not gate.open()
    gate.decided()
    assert gate.open()
