"""What provision keeps of the network on its own disk: certificates that profiles name, and what was written last."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.provisioning.network_profiles import Profile
from appliance.settings.store import PRIVATE, atomic_write


@dataclass(frozen=True, slots=True)
class NetworkFiles:
    """Below ``folder``, which is provision's alone. All of it blocks, and raises OSError where the disk does not take it."""

    folder: Path

    @property
    def certificates(self) -> Path:
        """Where certificates and keys lie."""
        return self.folder / "network"

    @property
    def _written(self) -> Path:
        return self.folder / "network.json"

    def put(self, profile: Profile) -> None:
        """The files that a profile names; they are there from then on, beside those of older ones."""
        for path, data in profile.files.items():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if not path.exists():
                atomic_write(path, data, PRIVATE)

    def written(self) -> dict[str, str]:
        """Digests of the profiles that were stored last, by UUID; what cannot be read counts as none: they are written anew."""
        try:
            found = json.loads(self._written.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, stored: Sequence[Profile]) -> None:
        """Remember these as stored."""
        atomic_write(self._written, json.dumps({each.uuid: each.digest for each in stored}).encode(), PRIVATE)

    def tidy(self, stored: Sequence[Profile]) -> None:
        """Remove files that none of these names."""
        used = {path for profile in stored for path in profile.files}
        for path in set(self.certificates.glob("*.pem")) - used:
            path.unlink(missing_ok=True)
