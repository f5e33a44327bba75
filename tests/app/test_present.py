"""Who is counted as present, whatever the order in which they come, change and go."""

import random

from appliance.app.present import Present
from appliance.core.roster import Member
from tests.app.test_link import member


def test_counts_are_those_of_who_is_there_after_any_coming_and_going() -> None:
    chance = random.Random(4)
    present = Present("amber")
    there: dict[str, Member] = {}
    for _ in range(2000):
        who = chance.choice(["amber", "birch", "cedar", "maple", "rowan"])
        if chance.random() < 0.3:
            present.drop(who)
            there.pop(who, None)
        else:
            there[who] = member(who, joined=chance.random() < 0.5, hand=chance.random() < 0.5)
            present.take(there[who])
        assert present.joined == sum(one.joined for one in there.values())
        assert present.hands == sum(one.hand for one in there.values() if one.id != "amber")
        assert {who: present.get(who) for who in there} == there
    present.clear()
    assert (present.joined, present.hands, "birch" in present) == (0, 0, False)
