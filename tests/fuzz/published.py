"""What a web server shows of settings: the pointer as it comes, and one whose comment was signed after it was made wrong."""

from appliance.core.documents import NotTaken, Pointer, judge_pointer
from appliance.provisioning.publication import comment, read_pointer
from appliance.provisioning.signing import SecretKey
from tests.fuzz import mutate
from tests.fuzz.target import Target, simple

_KEY = SecretKey(bytes(8), bytes(32))
_TRUSTED = (_KEY.public,)
_CONTENT = b"schema = 1\n"
_POINTERS = (
    Pointer("all", 42, "all.42.toml"),
    Pointer("groups/bonn", 7, "bonn.7.toml", 1_900_000_000.0),
    Pointer("devices/lobby", 2**31 - 1, "lobby.2147483647.toml", 0.0),
)
_NOW = 1_800_000_000.0


def targets() -> list[Target]:
    """Both."""
    files = tuple(_KEY.publish(pointer, _CONTENT) for pointer in _POINTERS)
    comments = tuple(comment(pointer).encode() for pointer in _POINTERS)
    return [
        Target("pointer", mutate.lines, files, simple(_read), (NotTaken,)),
        Target("signed comment", mutate.binary, comments, simple(_sign_and_read), (NotTaken,)),
    ]


def _read(data: bytes) -> None:
    pointer, signature, _key = read_pointer(data, _TRUSTED)
    assert pointer in _POINTERS, "nobody else has the key"
    assert comment(pointer) == signature.comment


def _sign_and_read(data: bytes) -> None:
    text = data.decode("latin-1")
    pointer, _signature, _key = read_pointer(_KEY.sign(_CONTENT, text).dump("x"), _TRUSTED)
    assert comment(pointer) == text, "what was read is all that was signed"
    judge_pointer(pointer, pointer.scope, None, _NOW)
