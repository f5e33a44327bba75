"""A published settings document: its file, and the signed pointer that leads to it.

In the folder that a web server shows: ``all.minisig``, ``groups/NAME.minisig`` and ``devices/ID.minisig`` are pointers, each a
minisign signature of the document beside it whose signed comment says
``kontor scope=all version=42 expires=2027-01-31T00:00:00Z file=all.42.toml`` (ADR 0136).
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from appliance.core.documents import HIGHEST_VERSION, Floor, NotTaken, Pointer, Why
from appliance.provisioning.minisign import PublicKey, Signature
from appliance.settings.kinds import IDENTIFIER

POINTER = ".minisig"
"""How the name of a pointer ends."""

_SCOPE = rf"all|(?:groups|devices)/{IDENTIFIER}"
_ANY_SCOPE = rf"{_SCOPE}|images/{IDENTIFIER}"
"""That of a channel of updates, too (core/updating.py): no settings, and found by nobody who looks for settings."""
_COMMENT = re.compile(
    rf"kontor scope=(?P<scope>{_ANY_SCOPE}) version=(?P<version>[1-9][0-9]{{0,9}})"
    rf"(?: expires=(?P<expires>[0-9T:Z-]{{20}}))? file=(?P<file>[a-z0-9][a-z0-9._-]{{0,99}}\.toml)"
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Published:
    """A document that is genuine and was taken."""

    scope: str
    version: int
    content: bytes = field(repr=False)
    expires: float | None = None
    """Unix time in seconds; None: never."""
    key: str = ""
    """The id of the key that signed it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal digits."""
        return digest(self.content)

    @property
    def floor(self) -> Floor:
        """What is to be remembered of it."""
        return Floor(self.version, self.digest, self.expires)

    @property
    def name(self) -> str:
        """How messages and ``kontor config show`` call it."""
        return f"{self.scope}.toml (version {self.version})"


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def comment(pointer: Pointer) -> str:
    """The comment to sign."""
    until = "" if pointer.expires is None else f" expires={when(pointer.expires)}"
    return f"kontor scope={pointer.scope} version={pointer.version}{until} file={pointer.file}"


def when(unix: float) -> str:
    """A time in the way of the comment, in whole seconds: 2027-01-31T00:00:00Z."""
    # Not strftime: that writes the year 970 with three digits, which nobody reads back.
    return f"{datetime.fromtimestamp(int(unix), UTC).replace(tzinfo=None).isoformat()}Z"


def read_comment(text: str) -> Pointer:
    """What the comment of a signature says; only to be believed when its signature was checked.

    :raises NotTaken: it is none of ours; NOT_SIGNED.
    """
    found = _COMMENT.fullmatch(text)
    expires: float | None = None
    if found and found["expires"]:
        try:
            expires = datetime.strptime(found["expires"], _TIME).replace(tzinfo=UTC).timestamp()
        except ValueError:
            found = None
    if found is None or int(found["version"]) > HIGHEST_VERSION:
        raise NotTaken(Why.NOT_SIGNED, "The signed comment does not say which scope, version and file it is for.")
    return Pointer(found["scope"], int(found["version"]), found["file"], expires)


def read_pointer(content: bytes, keys: tuple[PublicKey, ...]) -> tuple[Pointer, Signature, PublicKey]:
    """A pointer file whose comment was signed with one of ``keys``.

    :raises NotTaken: it is none, or was not.
    """
    signature = Signature.parse(content)
    key = signature.check_comment(keys)
    return read_comment(signature.comment), signature, key


def is_scope(text: str) -> bool:
    """Whether it is ``all``, ``groups/NAME`` or ``devices/ID``."""
    return re.fullmatch(_SCOPE, text) is not None


def is_channel(text: str) -> bool:
    """Whether updates may be published under this name."""
    return re.fullmatch(IDENTIFIER, text) is not None


def pointer_path(scope: str) -> str:
    """Where the pointer of a scope lies, from the folder that is shown."""
    return scope + POINTER


def document_name(scope: str, version: int) -> str:
    """How the document of a scope is called, in the folder of its pointer: each version has a file of its own."""
    return f"{scope.rpartition('/')[2]}.{version}.toml"


def document_path(pointer: Pointer) -> str:
    """Where the document lies that a pointer leads to."""
    return pointer.scope.rpartition("/")[0] + ("/" if "/" in pointer.scope else "") + pointer.file
