"""What in ``[provisioning]`` must fit each other."""

from collections.abc import Iterator

from appliance.settings.clash import Clash
from appliance.settings.model import Settings


def provisioning(settings: Settings) -> Iterator[Clash]:
    """An address without anybody who may sign what lies there."""
    given = settings.provisioning
    if given.url and not given.keys:
        hint = "kontor keys new makes a key and prints the line."
        yield Clash("provisioning.url", "needs provisioning.keys beside it", hint, beside=("provisioning.keys",))
