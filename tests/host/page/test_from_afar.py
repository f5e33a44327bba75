"""Whoever comes from afar: through a relay, or without encryption."""

from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting

_KEEP = """window.made = []; const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); made.push(this); } };"""

SECRET = "a+/="


def _relayed(host: MockHost) -> None:
    login = f'rel="ice-server"; username="1700000000:mira"; credential="{SECRET}"; credential-type="password"'
    host.relays = [
        f"<turn:127.0.0.1:3478?transport=udp>; {login}",
        f"<turns:127.0.0.1:5349?transport=tcp>;{login}",
        '<https://example.org/a,b>; rel="help"',
    ]


@visiting(host=_relayed, script=_KEEP)
async def test_the_relays_of_the_answer_are_used(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    assert await visit.page.evaluate("made.at(-1).getConfiguration().iceServers") == [
        {"urls": [url], "username": "1700000000:mira", "credential": SECRET}
        for url in ("turn:127.0.0.1:3478?transport=udp", "turns:127.0.0.1:5349?transport=tcp")
    ]


@visiting(script=_KEEP)
async def test_without_a_relay_none_is_asked(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    assert await visit.page.evaluate("made.at(-1).getConfiguration().iceServers") == []


def _open_network(host: MockHost) -> None:
    host.listen_only = "no_https"
    host.you["role"] = "listener"


@visiting(host=_open_network)
async def test_without_encryption_one_only_listens_and_reads_why(visit: Visit) -> None:
    await visit.open()
    await visit.wait_text(".notice b", "Only listening: this page came without encryption.")
    assert await visit.text("#alert") == (
        "Only listening: this page came without encryption. "
        "By https one can speak too. Whoever runs the server can set it up."
    )
    await visit.own_is("listen")
    await visit.own.click()
    await visit.own_is("listening")
    assert not await visit.page.locator(".notice").is_visible()
    await visit.page.locator("#leave").click()
    await visit.wait_text(".notice b", "Only listening: this page came without encryption.")


@visiting(host=_open_network, language="de")
async def test_the_same_in_german(visit: Visit) -> None:
    await visit.open()
    await visit.wait_text(".notice b", "Nur Zuhören: Die Seite kam ohne Verschlüsselung.")
