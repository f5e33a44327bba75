"""axe-core in the page: what keeps somebody out, by its rules."""

from typing import TYPE_CHECKING

from tests.support.need import need
from tools.page_tools import MODULES

if TYPE_CHECKING:
    from playwright.async_api import Page

_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map((rule) => [
  rule.id, rule.impact, rule.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary.split("\\n").at(-1).trim()}`),
])"""


async def violations(page: "Page") -> list[str]:
    """What axe-core finds, a line for each node; [] for a page without a violation."""
    path = MODULES / "axe-core" / "axe.min.js"
    need(path, "`python3 -m tools.page_tools` installs axe-core")
    await page.evaluate(path.read_text())
    found: list[tuple[str, str, list[str]]] = await page.evaluate(_RUN)
    return [f"{rule} ({impact}) {node}" for rule, impact, nodes in found for node in nodes]
