"""Whatever the host refuses, the page says why in its own language: each code that can come has words for it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from appliance.core.tokens import TokenFault
from appliance.host import bundles, enrolment, for_admins, front, guard, http, registry, requests
from tests.host.page.admins import admin
from tests.host.page.test_files import WORDS
from tests.host.page.visits import Visit, visiting

ASKED = (http, for_admins, enrolment, bundles, front, guard)
"""What answers the page, or stands before what does."""

FOR_DEVICES = {"hand_in", "_too_big", "_refused"}
"""Functions of these modules that answer devices alone."""

NEVER = {"late_hello", "not_a_site"}
"""Codes for messages that the page does not send."""


def trees(*modules: object) -> Iterator[tuple[str, ast.Module]]:
    for module in modules:
        path = Path(str(module.__file__))  # type: ignore[attr-defined]
        yield path.name, ast.parse(path.read_text())


def made(tree: ast.Module, name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every place that makes one of ``name``, with the function that it is in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    yield function.name, node


def text_of(node: ast.expr | None) -> str:
    """A literal; "" where it is handed on from what is looked at elsewhere."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def code_of(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)


def codes() -> set[str]:
    """All that the page can be refused with."""
    found = set(get_args(TokenFault))
    for _, tree in trees(*ASKED):
        found |= {text_of(code_of(call)) for _, call in made(tree, "Refusal")}
    for _, tree in trees(requests):
        found |= {text_of(call.args[0]) for _, call in made(tree, "Refused")}
    for _, tree in trees(registry):
        found |= {text_of(call.args[1]) for _, call in made(tree, "RegistryError") if len(call.args) > 1}
    found |= {registry.RegistryError("").code, *guard._BROKEN.values()}
    return found - NEVER - {""}


def test_every_refusal_that_the_page_can_meet_has_a_code() -> None:
    without = [
        f"{name}:{call.lineno}"
        for name, tree in trees(*ASKED)
        for function, call in made(tree, "Refusal")
        if function not in FOR_DEVICES and code_of(call) is None
    ]
    assert not without, "give it a code, and the code words in morewords.js"


def test_every_code_has_words_and_no_words_are_kept_for_others() -> None:
    known = codes()
    assert len(known) > 30
    words = {key.removeprefix("refused.") for key in WORDS if key.startswith("refused.")}
    assert known - words == set(), "without words in morewords.js"
    assert words - known == set(), "words that no code asks for"


@pytest.mark.parametrize(("language", "form"), [("en", 0), ("de", 1)])
@visiting(host=admin)
async def test_a_refusal_is_shown_in_the_language_of_the_page(visit: Visit, language: str, form: int) -> None:
    await visit.open()
    if language == "de":
        await visit.page.locator("#language").click()
    await visit.page.locator("#link").click()
    await visit.page.locator("dialog .text").fill("Sam Okafor")
    make = visit.page.locator("dialog form button.key")
    for code in sorted(codes()):
        visit.host.links_refuse = code
        await make.click()
        await visit.wait_text("dialog .wrong", WORDS[f"refused.{code}"][form])
    visit.host.links_refuse = "of_a_newer_host"
    await make.click()
    await visit.wait_text("dialog .wrong", "In the host's own words.")
    visit.host.links_refuse = "An older host gives no codes."
    await make.click()
    await visit.wait_text("dialog .wrong", "An older host gives no codes.")


@visiting(host=admin, language="de")
async def test_a_page_of_a_proxy_is_no_sentence_of_the_host(visit: Visit) -> None:
    await visit.open()
    page = "<html><h1>502 Bad Gateway</h1></html>"
    await visit.page.route("**/links", lambda route: route.fulfill(status=502, content_type="text/html", body=page))
    await visit.page.locator("#link").click()
    await visit.page.locator("dialog .text").fill("Sam Okafor")
    await visit.page.keyboard.press("Enter")
    await visit.wait_text("dialog .wrong", "Kein Netz.")
    visit.complaints.clear()  # it is told in the console too
