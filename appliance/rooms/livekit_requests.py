"""What LiveKit's library can do and has no method for, or one that does not look at the answer: asked of it as it asks itself."""

from collections.abc import Mapping
from typing import Final

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest

from appliance.core.reconnect import Fault
from appliance.rooms.signalling import Lost

_BY_THE_SERVER: Final = "request error"
"""How the library begins what the server refused; else it was not asked, or has not answered (rust-sdks, room/mod.rs)."""
_UNASKED: Final = "The LiveKit server could not be asked."


def enable(source: rtc.RemoteTrackPublication, on: bool) -> None:
    """Let the server send a microphone that is subscribed to, or pause it."""
    request = FfiRequest()
    request.enable_remote_track_publication.track_publication_handle = source._ffi_handle.handle  # noqa: SLF001
    request.enable_remote_track_publication.enabled = on
    FfiClient.instance.request(request)


async def set_attributes(participant: rtc.LocalParticipant, attributes: Mapping[str, str]) -> bool:
    """Change our attributes, "" takes one away. The library's own method takes an error for an answer.

    :returns: whether the server took them; False: it refused.
    :raises Lost: the library did not ask it, or got no answer (``network``).
    """
    request = FfiRequest()
    request.set_local_attributes.local_participant_handle = participant._ffi_handle.handle  # noqa: SLF001
    for key, value in attributes.items():
        request.set_local_attributes.attributes.add(key=key, value=value)
    events = FfiClient.instance.queue
    answers = events.subscribe(filter_fn=_of_attributes)
    try:
        asked = FfiClient.instance.request(request).set_local_attributes.async_id
        answer = await answers.wait_for(lambda event: event.set_local_attributes.async_id == asked)
    finally:
        events.unsubscribe(answers)
    error = answer.set_local_attributes.error
    if error and not error.startswith(_BY_THE_SERVER):
        raise Lost(Fault("network"), _UNASKED)
    return not error


def _of_attributes(event: FfiEvent) -> bool:
    return event.WhichOneof("message") == "set_local_attributes"
