"""The page's files: which are served, and with what headers."""

import hashlib
from pathlib import Path

from aiohttp import web
from yarl import URL

from appliance.host.pages import CONTENT_SECURITY_POLICY
from tests.host.harness import ROOM, house


async def test_the_page_has_its_headers_and_an_etag(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path in ("/", f"/{ROOM}", "/any-room"):
            async with home.http.get(home.url(path)) as response:
                assert response.status == 200
                assert response.content_type == "text/html"
        async with home.http.get(home.url("/")) as response:
            body, headers = await response.read(), response.headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Permissions-Policy"] == "microphone=(self)"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        async with home.http.get(home.url("/"), headers={"If-None-Match": headers["ETag"]}) as response:
            assert response.status == 304
            assert await response.read() == b""
            assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


async def test_only_the_pages_files_are_served(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path, kind in (("style.css", "text/css"), ("main.js", "text/javascript"), ("icons.svg", "image/svg+xml")):
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
        ):
            async with home.http.get(URL(home.url(path), encoded=True)) as response:
                assert response.status == 404, path
                assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_extra_routes_come_before_the_page(tmp_path: Path) -> None:
    async def extra(_request: web.Request) -> web.Response:
        return web.Response(text="extra")

    async with (
        house(tmp_path, extra_routes=[web.get("/demo/panel", extra), web.get("/special", extra)]) as home,
        home.http.get(home.url("/special")) as response,
    ):
        assert await response.text() == "extra"
