"""The page's files: which are served, and with what headers."""

import functools
import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from appliance.host.pages import CONTENT_SECURITY_POLICY
from appliance.host.strip import strip_script, strip_style
from tests.host.harness import ROOM, house
from tests.support.need import need

PAGE = Path(__file__).parents[2] / "appliance" / "host" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
STYLES = sorted(PAGE.glob("*.css"))
PLAIN = {"Accept-Encoding": "identity"}


async def test_the_page_has_its_headers_and_an_etag(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path in ("/", f"/{ROOM}", "/any-room", "/devices", "/devices/hamburg"):
            async with home.http.get(home.url(path)) as response:
                assert response.status == 200
                assert response.content_type == "text/html"
        async with home.http.get(home.url("/"), headers=PLAIN) as response:
            body, headers = await response.read(), response.headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Permissions-Policy"] == "microphone=(self), camera=(), display-capture=(), geolocation=()"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        async with home.http.get(home.url("/"), headers={"If-None-Match": headers["ETag"]}) as response:
            assert response.status == 304
            assert await response.read() == b""
            assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


async def test_only_the_pages_files_are_served(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path, kind in (
            ("style.css", "text/css"),
            ("main.js", "text/javascript"),
            ("icons.svg", "image/svg+xml"),
            ("kontor.webmanifest", "application/manifest+json"),
            ("icon-192.png", "image/png"),
        ):
            async with home.http.get(home.url(f"/page/{path}")) as response:
                assert response.status == 200
                assert response.content_type == kind
        for path in (
            "/page/../server.py",
            "/page/..%2fserver.py",
            "/page/%2e%2e/server.py",
            "/page//etc/passwd",
            "/page/__init__.py",
            "/page/",
            "/favicon.svg",
            "/style.css",
            "/UPPER",
            "/a/b",
            "/devices/UPPER",
            "/devices/a/b",
            "/devices/main.js",
        ):
            async with home.http.get(URL(home.url(path), encoded=True)) as response:
                assert response.status == 404, path
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        for path in ("/js", "/devices/html"):
            async with home.http.get(home.url(path)) as response:
                assert response.status == 200, "a room or a device may be called so"


async def test_extra_routes_come_before_the_page(tmp_path: Path) -> None:
    async def extra(_request: web.Request) -> web.Response:
        return web.Response(text="extra")

    async with (
        house(tmp_path, extra_routes=[web.get("/demo/panel", extra), web.get("/special", extra)]) as home,
        home.http.get(home.url("/special")) as response,
    ):
        assert await response.text() == "extra"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("GZIP ; q=0.001", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("x-gzip-not", False),
        ("", False),
        (",;;q=,gzip;q", True),
    ],
)
async def test_what_is_packed_is_the_same_and_only_for_who_takes_it(
    tmp_path: Path, accepted: str, packed: bool
) -> None:
    async with house(tmp_path) as home, aiohttp.ClientSession(auto_decompress=False) as raw:
        async with home.http.get(home.url("/page/main.js"), headers=PLAIN) as response:
            plain, plain_etag = await response.read(), response.headers["ETag"]
        asked = {"Accept-Encoding": accepted}
        async with raw.get(home.url("/page/main.js"), headers=asked) as response:
            body, headers = await response.read(), response.headers
        assert headers["Vary"] == "Accept-Encoding"
        assert headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert (gzip.decompress(body) if packed else body) == plain
        assert (len(body) < len(plain) / 2) == packed
        assert (headers["ETag"] != plain_etag) == packed, "two bodies, two strong tags"
        for known in (headers["ETag"], f'"other", W/{plain_etag}'):
            async with raw.get(home.url("/page/main.js"), headers=asked | {"If-None-Match": known}) as response:
                assert response.status == 304
                assert "Content-Encoding" not in response.headers


async def test_the_worker_is_at_the_root_and_knows_the_pages_files(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with home.http.get(home.url("/worker.js")) as response:
            worker = await response.text()
            assert response.content_type == "text/javascript"
            assert response.headers["Service-Worker-Allowed"] == "/"
            assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        found = re.match(r'const VERSION="([0-9a-f]{16})",SHELL=(\[.*?\]);\n', worker)
        assert found
        shell = json.loads(found[2])
        assert {"/", "/page/main.js", "/page/style.css", "/page/icons.svg", "/page/kontor.webmanifest"} <= set(shell)
        assert "/worker.js" not in shell and "/page/worker.js" not in shell, (
            "a worker that kept itself would never change"
        )
        for path in shell:
            async with home.http.get(home.url(path)) as response:
                assert response.status == 200, path


PARSE = """
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");
const place = new Set(["start", "end", "loc", "range"]);
const read = (text) => {
  const tokens = [];
  const onToken = (t) => tokens.push([t.type.label, String(t.value)]);
  const tree = parse(text, { ecmaVersion: "latest", sourceType: "module", onToken });
  const told = (key, value) => (place.has(key) ? undefined : value instanceof RegExp ? `${value}` : value);
  return [JSON.stringify([tokens, tree], told), tokens.length];
};
const compare = ([before, after]) => {
  try {
    const [[one, count], [other]] = [read(before), read(after)];
    return one === other ? count : "another meaning";
  } catch (error) {
    return String(error);
  }
};
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(compare)));
"""


@functools.cache
def _compared() -> dict[str, object]:
    """Have node read each module before and after: how many tokens it has, or why it is another one."""
    node = need("node", "node is not installed: apt install nodejs")
    sources = [path.read_text() for path in SCRIPTS]
    command = [node, "--expose-internals", "-e", PARSE]
    asked = json.dumps([[source, strip_script(source)] for source in sources])
    ran = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=120, check=True)
    return dict(zip((path.name for path in SCRIPTS), json.loads(ran.stdout), strict=True))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_stripped_module_has_the_same_tokens_and_the_same_tree(path: Path) -> None:
    source = path.read_text()
    stripped = strip_script(source)
    tokens = _compared()[path.name]
    assert isinstance(tokens, int) and tokens > 20, tokens
    assert len(stripped) < len(source), "something of it was in doubt: it is served as it is"
    assert not re.search(r"^[ \t]|\n\n", re.sub(r"`[^`]*`", "", stripped), re.MULTILINE)
    assert strip_script(stripped) == stripped


@pytest.mark.parametrize(
    ("source", "stripped"),
    [
        ("a = b // c\n+ d", "a=b\n+ d\n"),
        ("a = 1 /* x\n */\n;[b] = c", "a=1\n;[b]=c\n"),
        ("function f() { return /* \n */ 1 }", "function f(){return\n1}\n"),
        ("a = b + +c - -d", "a=b + +c - -d\n"),
        ("a = b++ + ++c", "a=b++ + ++c\n"),
        (
            "x = `  ${ /* no */ a }  // kept ${ `${ b }` } /* kept */`",
            "x=`  ${ a }  // kept ${ `${ b }` } /* kept */`\n",
        ),
        ('x = \'//\' + "/* \\" */" // away', 'x=\'//\' + "/* \\" */"\n'),
        ('if (a) /[/"]\\//.test(b)', 'if(a)/[/"]\\//.test(b)\n'),
        ("x = (a + b) / 2 / c // d", "x=(a + b)/ 2 / c\n"),
        ('x = a[1] / 2 // "', "x=a[1]/ 2\n"),
        ("return_ = a.if(b) / c; d = e / f", "return_=a.if(b)/ c;d=e / f\n"),
        ("x = a.return / b / c", "x=a.return / b / c\n"),
        ("x = a++ / b // c /", "x=a++ / b\n"),
        ("x = a ? .5 : b?.c", "x=a?.5:b?.c\n"),
        ("x = 1 .toFixed()", "x=1 .toFixed()\n"),
        ("x = { a } / 2 // who knows", "x = { a } / 2 // who knows"),
        ('x = "never ended', 'x = "never ended'),
        ("x = (a", "x = (a"),
        ("x = ${", "x = ${"),
        ("", "\n"),
    ],
)
def test_what_is_hard_to_read_is_kept(source: str, stripped: str) -> None:
    assert strip_script(source) == stripped


@pytest.mark.parametrize(
    ("source", "stripped"),
    [
        ("a b{ x : y ; }  /* c */\n c {}", "a b{x : y ;}c{}\n"),
        (".a /* d */ .b,\n .c{--x: calc(1px + (2px - 3px)); }", ".a .b,.c{--x: calc(1px + (2px - 3px));}\n"),
        ('a::before{content:" /* kept */  {; ";}', 'a::before{content:" /* kept */  {; ";}\n'),
        ("a/* x */b{}", "a/**/b{}\n"),
        (r"a\, b, a\31  b, a\  {}", r"a\, b,a\31 b,a\ {}" + "\n"),
        ("a{background:\n  linear-gradient(#000 , #fff)\n  0 0}", "a{background:\nlinear-gradient(#000 ,#fff)\n0 0}\n"),
        ("", "\n"),
    ],
)
def test_styles_lose_nothing_that_counts(source: str, stripped: str) -> None:
    assert strip_style(source) == stripped
