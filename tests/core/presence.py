"""What the tests of both directions of presence share."""

import json
from typing import Any

from hypothesis import strategies as st

SITE: dict[str, Any] = {
    "gate": "closed",
    "reasons": ["switch", "quiet hours"],
    "door": "listening",
    "lamps": {"mic": "steady", "room": "steady", "speak": "off", "fault": "off"},
    "loudspeaker": -30,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def wire(**fields: Any) -> str:
    return json.dumps(fields)
