"""What the engine that is chosen needs, and what in its section must fit each other."""

from collections.abc import Iterator

from appliance.settings.clash import Clash
from appliance.settings.model import EngineName, Settings


def engines(settings: Settings) -> Iterator[Clash]:
    """An engine without what it needs."""
    if settings.room.engine is EngineName.LIVEKIT:
        yield from _livekit(settings)
    if settings.room.engine is EngineName.JANUS:
        yield from _janus(settings)
    if settings.room.engine is EngineName.TELEGRAM:
        yield from _telegram(settings)


def _livekit(settings: Settings) -> Iterator[Clash]:
    given, engine = settings.livekit, ("room.engine",)
    if not given.urls:
        yield Clash("livekit.urls", "must name a server: room.engine is livekit", beside=engine)
    if given.token_file is not None:
        if given.api_key:
            words = "must be empty: the device goes by livekit.token_file"
            yield Clash("livekit.api_key", words, beside=("livekit.token_file",))
    elif not given.api_key or given.api_secret_file is None:
        missing = "api_secret_file" if given.api_key else "api_key"
        hint = "Or livekit.token_file, with a token that somebody else made."
        yield Clash(f"livekit.{missing}", "is needed: room.engine is livekit", hint, beside=engine)


def _janus(settings: Settings) -> Iterator[Clash]:
    given, engine = settings.janus, ("room.engine",)
    if not given.url:
        yield Clash("janus.url", "must name a server: room.engine is janus", beside=engine)
    if not given.room:
        yield Clash("janus.room", "must be the number of a room: room.engine is janus", beside=engine)


def _telegram(settings: Settings) -> Iterator[Clash]:
    given, engine = settings.telegram, ("room.engine",)
    if not given.api_id:
        hint = "It is at https://my.telegram.org, with its hash."
        yield Clash("telegram.api_id", "is needed: room.engine is telegram", hint, beside=engine)
    if given.api_hash_file is None:
        yield Clash("telegram.api_hash_file", "is needed: room.engine is telegram", beside=engine)
    if given.session_file is None:
        hint = "Make it with kontor telegram login."
        yield Clash("telegram.session_file", "is needed: room.engine is telegram", hint, beside=engine)
    if not given.group:
        yield Clash("telegram.group", "must name a group: room.engine is telegram", beside=engine)
