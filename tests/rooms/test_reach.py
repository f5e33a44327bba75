"""Getting through to the server: in virtual time against a network that is away, and for real on loopback."""

import asyncio
import socket
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from appliance.media.ways import Address
from appliance.rooms.reach import Reach

HERE, THERE = ("192.0.2.1", 443), ("192.0.2.2", 443)


class Network:
    """Names and addresses as they are at the time; whatever is away says nothing, unless it refuses."""

    def __init__(self, *up: Address) -> None:
        self.up, self.named = set(up), [HERE]
        self.refusal: OSError | None = None
        self.names_work = True
        self.tried: list[tuple[float, Address]] = []
        self.asked = self.now = self.most = 0

    async def look_up(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        if not self.names_work:
            await asyncio.sleep(30)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return list(self.named)

    async def connect(self, place: Address) -> None:
        self.tried.append((asyncio.get_running_loop().time(), place))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if place not in self.up:  # a SYN that is lost is lost, also when the network is back a moment later
                if self.refusal is not None:
                    raise self.refusal
                await asyncio.sleep(100)
            await asyncio.sleep(0.01)
        finally:
            self.now -= 1

    def reach(self, url: str = "https://room.test") -> Reach:
        return Reach(URL(url), None, self.look_up, self.connect, lambda: 0.5)


async def later(seconds: float, what: Callable[[], object]) -> float:
    """Do it then; gives the time at which that was."""
    await asyncio.sleep(seconds)
    what()
    return asyncio.get_running_loop().time()


@pytest.mark.virtual_time
@pytest.mark.parametrize("seconds", [1.0, 2.0, 15.0, 60.0, 3600.0])
async def test_it_is_there_within_a_second_of_the_networks_return(seconds: float) -> None:
    network, told = Network(), list[str]()
    back = asyncio.create_task(later(seconds, lambda: network.up.add(HERE)))
    reach = network.reach()
    await reach.arrive(told.append)
    assert asyncio.get_running_loop().time() - await back < 1.0
    assert reach.place == HERE
    assert set(told) == {"The server does not answer."}
    assert len(network.tried) < 5 * seconds + 5
    assert network.most <= 24
    assert network.asked <= seconds + 2


@pytest.mark.virtual_time
@pytest.mark.parametrize("seconds", [1.0, 2.0, 2.5, 15.0])
async def test_many_addresses_do_not_make_it_late(seconds: float) -> None:
    network = Network()
    network.named = [(f"192.0.2.{last}", 443) for last in range(1, 5)]
    back = asyncio.create_task(later(seconds, lambda: network.up.add(HERE)))
    await network.reach().arrive(lambda _: None)
    assert asyncio.get_running_loop().time() - await back < 0.5
    assert network.most <= 24


@pytest.mark.virtual_time
async def test_a_server_that_moved_is_found_where_its_name_leads_now() -> None:
    network = Network(HERE)
    reach = network.reach()
    await reach.arrive(lambda _: None)
    network.up, network.named = {THERE}, [THERE]
    await reach.arrive(lambda _: None)
    assert reach.place == THERE
    network.tried.clear()
    await reach.arrive(lambda _: None)
    assert {place for _, place in network.tried} == {THERE}, "what the name leads to no more is forgotten"


@pytest.mark.virtual_time
async def test_a_name_server_without_an_answer_holds_nothing_up() -> None:
    network = Network(HERE)
    reach = network.reach()
    await reach.arrive(lambda _: None)
    network.names_work = False
    began = asyncio.get_running_loop().time()
    await reach.arrive(lambda _: None)
    assert asyncio.get_running_loop().time() - began < 0.1


@pytest.mark.virtual_time
async def test_an_address_needs_no_name() -> None:
    network = Network(("192.0.2.9", 8443))
    await network.reach("https://192.0.2.9:8443").arrive(lambda _: None)
    assert network.asked == 0


@pytest.mark.virtual_time
async def test_another_network_is_tried_at_once() -> None:
    network = Network()
    reach = network.reach("https://192.0.2.1")
    arriving = asyncio.create_task(reach.arrive(lambda _: None))
    await asyncio.sleep(700)
    before = network.tried[-1][0]
    await asyncio.sleep(before + 0.1 - asyncio.get_running_loop().time() + 0.68)
    network.up.add(HERE)
    reach.poke()
    poked = asyncio.get_running_loop().time()
    await arriving
    assert asyncio.get_running_loop().time() - poked < 0.02


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "Nothing listens"),
        (OSError(101, "unreachable"), "no network that leads"),
        (OSError(113, "no route"), "no network that leads"),
        (OSError(5, "odd"), "does not answer"),
    ],
)
async def test_what_is_in_the_way_is_one_sentence(error: OSError, words: str) -> None:
    network, told = Network(), list[str]()
    network.refusal = error
    asyncio.get_running_loop().call_later(2, network.up.add, HERE)
    await network.reach("https://192.0.2.1").arrive(told.append)
    assert words in told[0]


@pytest.mark.virtual_time
async def test_a_name_that_is_not_found_is_told() -> None:
    network, told = Network(HERE), list[str]()

    async def unknown(host: str, port: int) -> list[Address]:
        if network.asked < 3:
            network.asked += 1
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [HERE]

    await Reach(URL("https://room.test"), None, unknown, network.connect, lambda: 0.5).arrive(told.append)
    assert set(told) == {"The server's name is not found."}


async def test_a_server_that_starts_late_is_reached_and_requests_go_where_it_was() -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def name(host: str, port: int) -> list[Address]:
        return [("127.0.0.1", port)]

    reach = Reach(URL(f"http://room.test:{port}"), None, name)
    with pytest.raises(aiohttp.ClientError):
        async with reach.session() as http:
            await http.get(f"http://room.test:{port}/")
    arriving = asyncio.create_task(reach.arrive(lambda _: None))
    await asyncio.sleep(0.1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        await asyncio.wait_for(arriving, 3)
        assert reach.own() == "127.0.0.1"
        async with reach.session() as http, http.get(f"http://room.test:{port}/") as answer:
            assert await answer.text() == f"room.test:{port}"
    finally:
        await runner.cleanup()


async def test_real_names_are_looked_up_beside_the_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = Reach(URL(f"http://localhost:{server.getsockname()[1]}"), None)
        await asyncio.wait_for(reach.arrive(lambda _: None), 5)
        assert reach.place is not None
        told = list[str]()
        nowhere = asyncio.create_task(Reach(URL("http://no.such.name.invalid"), None).arrive(told.append))
        async with asyncio.timeout(20):
            while "The server's name is not found." not in told:
                await asyncio.sleep(0.05)
        nowhere.cancel()
        await asyncio.wait([nowhere])
