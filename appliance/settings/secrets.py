"""Secrets live in files of their own. The settings know where they are, never what they are."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from appliance.settings.problems import MASK, Problem, SettingsError

LARGEST = 64 * 1024
"""Bytes; a longer file is no key."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """The place of a secret. It is read when it is needed and kept by nobody else."""

    path: Path
    key: str = ""
    """The setting that names it, for messages."""
    least: int = 1
    """Bytes that it must have at least."""
    remedy: str = field(default="Only the path of a secret's file is written here, never the secret.", compare=False)
    """What to do when there is no such file."""

    def __str__(self) -> str:
        # Whoever writes the secret itself where its file belongs must not find it in a log.
        return str(self.path) if os.path.exists(self.path) else MASK

    def __repr__(self) -> str:
        return f"SecretFile({self})"

    def read(self) -> bytes:
        """The secret, without white space around it.

        :raises SettingsError: it cannot be read, is empty, too short or too long, or others may read it.
        """
        try:
            secret, wrong = self._content()
        except (OSError, ValueError) as error:
            secret, wrong = b"", self._why(error)
        if wrong:
            raise SettingsError([Problem("", None, self.key, str(self), *wrong)])
        return secret

    def _content(self) -> tuple[bytes, tuple[str, str] | None]:
        # O_NONBLOCK: a named pipe must not hold up the start.
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                return b"", ("is not a file", "")
            if found.st_mode & stat.S_IRWXO:
                return b"", ("is open to everybody on this machine", f"Mend it with: chmod o= {self.path}")
            secret = os.read(handle, LARGEST + 1)
        finally:
            os.close(handle)
        if len(secret) > LARGEST:
            return b"", (f"is longer than {LARGEST // 1024} KiB, so it is no key", "")
        secret = secret.strip()
        if len(secret) < self.least:
            return b"", (f"holds {len(secret)} bytes; at least {self.least} are needed", "")
        return secret, None

    def _why(self, error: OSError | ValueError) -> tuple[str, str]:
        if isinstance(error, FileNotFoundError):
            return "names a file that does not exist", self.remedy
        if isinstance(error, PermissionError):
            return "names a file that this user may not read", ""
        return "names a file that cannot be read", ""
