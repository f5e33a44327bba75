"""WHIP and WHEP to the letter: every method and status of endpoint and session, what pages of other origins may see."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest
from multidict import CIMultiDict

from appliance.core.events import EventName
from appliance.core.sdp import MediaSection, parse_answer, parse_offer
from appliance.host.config import Limits, Proxy, Rate, Times, Turn
from appliance.host.cors import accepts
from tests.core.sdp_offers import OFFERS
from tests.host.harness import ROOM, House, house, token
from tests.host.member import Member
from tests.support import until

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
SENDS = OFFERS["gstreamer-whip"]
HEARS = SENDS.replace("a=sendonly", "a=recvonly")
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 97\na=mid:v\na=rtcp-mux\na=rtpmap:97 VP8/90000\na=recvonly\n"


class Answered:
    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status, self.text, self.headers = response.status, text, response.headers

    @property
    def sections(self) -> tuple[MediaSection, ...]:
        return parse_answer(self.text).media


async def ask(
    home: House,
    method: str,
    path: str,
    body: str | None = None,
    who: str = "obs",
    role: str = "speaker",
    **headers: str,
) -> Answered:
    sent = {"Authorization": f"Bearer {token(who, role=role)}", **headers}  # type: ignore[arg-type]
    sent = {name.replace("_", "-"): value for name, value in sent.items() if value}
    async with home.http.request(method, home.url(path), data=body, headers=sent) as response:
        return Answered(response, await response.text())


async def post(home: House, kind: str, offer: str, **headers: str) -> Answered:
    return await ask(home, "POST", f"/rooms/{ROOM}/{kind}", offer, **{"Content_Type": SDP, **headers})


def credentials(offer: str = SENDS) -> str:
    read = parse_offer(offer)
    return f"a=ice-ufrag:{read.ufrag}\r\na=ice-pwd:{read.pwd}\r\n"


def fragment(offer: str = SENDS, mid: str = "audio0") -> str:
    head = f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n"
    return credentials(offer) + head + "a=candidate:1 1 udp 1 192.0.2.7 9 typ host\r\na=end-of-candidates\r\n"


# ---- who is what


async def test_a_publisher_is_a_talker_that_cannot_unmute_itself_and_so_is_not_muted(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna, anna.presence() as seen:
        answered = await post(home, "whip", SENDS)
        assert answered.status == 201
        assert [section.direction for section in answered.sections] == ["recvonly"]
        await until(lambda: seen.member("obs"))
        member = seen.member("obs")
        assert member is not None
        assert (member["role"], member["kind"], member["muted"]) == ("speaker", "person", False)


async def test_a_player_is_a_listener_whatever_its_link_lets_it_do(tmp_path: Path) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna, anna.presence() as seen:
        answered = await post(home, "whep", HEARS)
        assert answered.status == 201
        assert [section.direction for section in answered.sections] == ["sendonly"]
        await until(lambda: seen.member("obs"))
        member = seen.member("obs")
        assert member is not None
        assert member["role"] == "listener"


@pytest.mark.parametrize(("kind", "direction"), [("whip", "recvonly"), ("whep", "sendonly"), ("media", "sendrecv")])
async def test_an_endpoint_goes_one_way_though_the_offer_goes_both(tmp_path: Path, kind: str, direction: str) -> None:
    async with house(tmp_path) as home, Member(home, "anna") as anna, anna.presence() as seen:
        answered = await post(home, kind, SENDS.replace("a=sendonly", "a=sendrecv"))
        assert [section.direction for section in answered.sections] == [direction]
        await until(lambda: seen.member("obs"))
        member = seen.member("obs")
        assert member is not None
        assert member["muted"] == (kind != "whip")


async def test_an_offer_that_goes_the_other_way_is_422(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        assert (await post(home, "whip", HEARS)).status == 422
        assert (await post(home, "whep", SENDS)).status == 422
        assert home.count("host_offers_refused") == 2


async def test_a_listener_may_not_publish(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for kind in ("whip", "media"):
            answered = await post(home, kind, SENDS, role="listener")
            assert answered.status == 403
        assert home.host.state()["members"] == 0


async def test_video_is_answered_inactive_wherever_it_stands(tmp_path: Path) -> None:
    head, audio = HEARS.replace("BUNDLE audio0", "BUNDLE v audio0").split("m=audio", 1)
    transport = "".join(f"{line}\n" for line in audio.split("\n") if line.startswith(("a=ice-", "a=fing", "a=setup")))
    async with house(tmp_path) as home:
        first = await post(home, "whep", head + VIDEO + transport + "m=audio" + audio)
        assert [(s.kind, s.direction) for s in first.sections] == [("video", "inactive"), ("audio", "sendonly")]
        last = await post(home, "whep", head.replace("v audio0", "audio0 v") + "m=audio" + audio + VIDEO)
        assert [(s.kind, s.direction) for s in last.sections] == [("audio", "sendonly"), ("video", "inactive")]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, "junk"),
        (400, ""),
        (400, SENDS.replace("m=audio", "m=video")),
        (422, SENDS.replace("OPUS/48000", "PCMU/8000")),
        (422, SENDS.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")),
    ],
    ids=["junk", "empty", "no audio", "no opus", "no dtls"],
)
async def test_offers_of_no_use_are_told_from_malformed_ones(tmp_path: Path, status: int, body: str) -> None:
    async with house(tmp_path) as home:
        answered = await post(home, "whip", body)
        assert answered.status == status
        assert answered.text.endswith(".\n")
        assert home.count("host_offers_refused") == 1


async def test_an_offer_without_candidates_is_answered_at_once_and_ends_when_nothing_comes(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(join=0.2)) as home:
        bare = "\n".join(line for line in SENDS.split("\n") if not line.startswith("a=candidate"))
        assert (await post(home, "whip", bare)).status == 201
        await until(lambda: home.host.state()["members"] == 0)
        assert home.told(EventName.MEMBER_TIMED_OUT)[0].fields["why"] == "never connected"


# ---- the session


async def test_the_location_of_a_session_leads_back_from_the_endpoint(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for kind in ("media", "whip", "whep"):
            answered = await post(home, kind, HEARS if kind == "whep" else SENDS)
            resolved = urljoin(home.url(f"/rooms/{ROOM}/{kind}"), answered.headers["Location"])
            assert resolved.startswith(home.url(f"/rooms/{ROOM}/{kind}/"))
            left = await ask(home, "DELETE", resolved.removeprefix(home.base))
            assert left.status == 200
            assert (await ask(home, "DELETE", resolved.removeprefix(home.base))).status == 404


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (204, fragment(), {}),
        (204, fragment(), {"If_Match": "*"}),
        (204, fragment(), {"If_Match": '"another", TAG'}),
        (204, fragment(), {"ETag": "TAG"}),  # in place of If-Match: a real client does so
        (204, fragment(), {"Content_Type": f"{FRAGMENT}; charset=utf-8"}),
        (204, credentials(), {}),
        (412, fragment(), {"If_Match": '"another"'}),
        (400, "", {}),
        (400, "junk", {}),
        (400, fragment(mid="7"), {}),
        (400, SENDS, {}),
        (415, fragment(), {"Content_Type": SDP}),
        (415, fragment(), {"Content_Type": "text/plain"}),
        (422, fragment().replace("a=ice-ufrag:", "a=ice-ufrag:new"), {"If_Match": "*"}),
        (413, "a=x\r\n" * 14_000, {}),
        (403, fragment(), {"who": "somebody"}),
        (401, fragment(), {"Authorization": "Bearer junk"}),
    ],
)
async def test_trickled_candidates(tmp_path: Path, status: int, body: str, headers: dict[str, str]) -> None:
    async with house(tmp_path) as home:
        joined = await post(home, "whip", SENDS)
        assert joined.headers["Accept-Patch"] == FRAGMENT
        tag = joined.headers["ETag"]
        sent = {name: value.replace("TAG", tag) for name, value in headers.items()}
        answered = await ask(home, "PATCH", joined.headers["Location"], body, **{"Content_Type": FRAGMENT, **sent})
        assert answered.status == status, answered.text
        assert (answered.text == "") == (status == 204)
        assert home.count("host_trickles_refused") == (status == 400)
        assert home.count("host_restarts_refused") == (status == 422)
        assert home.host.state()["members"] == 1, "whatever it was, the session goes on"


async def test_trickling_without_end_is_429(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        joined = await post(home, "whip", SENDS)
        statuses = set()
        for _ in range(120):
            answered = await ask(home, "PATCH", joined.headers["Location"], credentials(), Content_Type=FRAGMENT)
            statuses.add(answered.status)
        assert statuses == {204, 429}


async def test_a_session_that_is_gone_is_404(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for method in ("PATCH", "DELETE"):
            answered = await ask(home, method, f"/rooms/{ROOM}/whip/gone", fragment(), Content_Type=FRAGMENT)
            assert answered.status == 404


# ---- methods, types, origins


@pytest.mark.parametrize("kind", ["media", "whip", "whep"])
@pytest.mark.parametrize(
    ("rest", "methods", "allow"),
    [
        ("", ("GET", "HEAD", "PUT", "PATCH", "DELETE"), "OPTIONS, POST"),
        ("/x", ("GET", "HEAD", "PUT", "POST"), "OPTIONS, PATCH, DELETE"),
    ],
)
async def test_other_methods_are_405_and_say_which_there_are(
    tmp_path: Path, kind: str, rest: str, methods: tuple[str, ...], allow: str
) -> None:
    async with house(tmp_path) as home:
        for method in methods:
            answered = await ask(home, method, f"/rooms/{ROOM}/{kind}{rest}")
            assert answered.status == 405
            assert answered.headers["Allow"] == allow
            assert answered.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 201),
        ("*/*", 201),
        ("application/sdp", 201),
        ("text/html, application/*;q=0.5", 201),
        ("text/html", 406),
        ("application/sdp;q=0, */*", 406),
        ("*/*;q=0.0", 406),
    ],
)
async def test_whoever_does_not_take_sdp_is_told_before_anything_happens(
    tmp_path: Path, accept: str, status: int
) -> None:
    async with house(tmp_path) as home:
        assert (await post(home, "whip", SENDS, Accept=accept)).status == status
        assert home.host.state()["members"] == (status == 201)


async def test_the_type_of_an_offer_may_have_parameters_and_no_other_name(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for written in (f"{SDP}; charset=utf-8", "Application/SDP"):
            assert (await post(home, "whip", SENDS, Content_Type=written)).status == 201
        for written in ("application/sdpx", "text/plain; application/sdp", FRAGMENT):
            assert (await post(home, "whip", SENDS, Content_Type=written)).status == 415


@pytest.mark.parametrize("path", [f"/rooms/{ROOM}/whip", f"/rooms/{ROOM}/media/x", "/rooms/nowhere/whep"])
async def test_a_browser_asks_first_without_a_token(tmp_path: Path, path: str) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    async with house(tmp_path) as home:
        answered = await ask(home, "OPTIONS", path, Authorization="", **asked)
        assert answered.status == 200
        headers = answered.headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in headers
        assert {"POST", "PATCH", "DELETE"} <= listed(headers, "Access-Control-Allow-Methods")
        assert {"Authorization", "Content-Type", "If-Match"} <= listed(headers, "Access-Control-Allow-Headers")
        assert int(headers["Access-Control-Max-Age"]) >= 600
        assert headers["Accept-Post"] == SDP


@pytest.mark.parametrize("change", [{}, {"Authorization": ""}, {"Content_Type": "text/plain"}])
async def test_a_page_of_another_origin_sees_what_it_needs_of_every_answer(
    tmp_path: Path, change: dict[str, str]
) -> None:
    async with house(tmp_path) as home:
        answered = await post(home, "whip", SENDS, **change)
        assert answered.headers["Access-Control-Allow-Origin"] == "*"
        exposed = listed(answered.headers, "Access-Control-Expose-Headers")
        assert {"Location", "ETag", "Link", "Access-Control-Allow-Methods"} <= exposed


async def test_what_is_no_media_is_of_this_origin_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path in ("/", "/health", f"/{ROOM}"):
            assert "Access-Control-Allow-Origin" not in (await ask(home, "GET", path)).headers


async def test_relays_are_told_in_links(tmp_path: Path) -> None:
    turn = Turn(("turn:relay.example:3478?transport=udp", "turns:relay.example:5349"), b"secret")
    async with house(tmp_path, turn=turn) as home:
        links = (await post(home, "whip", SENDS)).headers.getall("Link")
        assert [link.partition(";")[0] for link in links] == [f"<{url}>" for url in turn.urls]
        for link in links:
            parameters = dict(part.strip().split("=", 1) for part in link.split(";")[1:])
            assert parameters["rel"] == '"ice-server"'
            assert parameters["credential-type"] == '"password"'
            assert parameters["username"].endswith(':obs"')
            assert len(parameters["credential"]) > 20
    async with house(tmp_path) as home:
        assert "Link" not in (await post(home, "whip", SENDS)).headers


def listed(headers: Mapping[str, str], name: str) -> set[str]:
    return {word.strip() for word in headers[name].split(",")}


def test_accept_without_a_value_takes_everything() -> None:
    class Request:
        headers = CIMultiDict({"Accept": " , "})

    assert accepts(Request(), SDP)  # type: ignore[arg-type]


async def test_too_much_from_one_address_is_429_whoever_asks(tmp_path: Path) -> None:
    limits = Limits(address_joins=Rate(0.01, 2.0), address_wrong=Rate(0.01, 2.0))
    async with house(tmp_path, limits=limits) as home:
        joins = [await post(home, "whip", SENDS, who=who) for who in ("a", "b", "c")]
        assert [answered.status for answered in joins] == [201, 201, 429]
        assert int(joins[-1].headers["Retry-After"]) > 0
        assert home.count("host_joins_limited") == 1
        wrong = [await post(home, "whip", SENDS, Authorization="Bearer junk") for _ in range(3)]
        assert [answered.status for answered in wrong] == [401, 401, 429]
        assert home.count("host_tokens_limited") == 1
        gone = await ask(home, "DELETE", joins[0].headers["Location"], who="a")
        assert gone.status == 200, "a right token passes"


@pytest.mark.parametrize(("proto", "status"), [("https", 201), ("http", 403)])
async def test_without_https_nobody_publishes_from_another_machine(tmp_path: Path, proto: str, status: int) -> None:
    forwarded = {"X_Forwarded_For": "192.0.2.5", "X_Forwarded_Proto": proto}
    async with house(tmp_path, proxy=Proxy(trusted=("127.0.0.0/8",))) as home:
        answered = await post(home, "whip", SENDS, **forwarded)
        assert answered.status == status
        assert (await post(home, "whep", HEARS, who="player", **forwarded)).status == 201


async def test_whoever_is_removed_while_its_offer_arrives_does_not_come_in(tmp_path: Path) -> None:
    arriving = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield SENDS[:100].encode()
        await arriving.wait()
        yield SENDS[100:].encode()

    headers = {"Content-Type": SDP, "Authorization": f"Bearer {token('obs')}"}
    async with house(tmp_path) as home:
        posting = asyncio.create_task(home.http.post(home.url(), data=slowly(), headers=headers))
        await asyncio.sleep(0.1)
        home.host._conferences[ROOM].memory.remove("obs", "Obs", "boss")
        arriving.set()
        async with await posting as response:
            assert response.status == 403
        assert home.host.state()["members"] == 0
