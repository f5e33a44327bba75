"""axe-core in the page: what keeps somebody out, by its rules."""

from typing import TYPE_CHECKING

from tests.support.need import need
from tools.page_tools import MODULES

if TYPE_CHECKING:
    from playwright.async_api import Page

OWN_KEYS = ("#own", ".own")
"""Their second line is a description, not a part of the name (PAGE.md, "Roles"): axe-core takes all that stands on a key for its
label. :func:`violations` asks instead that the first line is the name, and the second the description."""

_SAID = """(selector) => {
  const key = document.querySelector(selector), root = key.getRootNode();
  const text = (attribute) => root.getElementById(key.getAttribute(attribute)).textContent;
  return [text("aria-labelledby") + text("aria-describedby"), key.querySelector(".own-words").textContent];
}"""

_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map((rule) => [
  rule.id, rule.impact, rule.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary.split("\\n").at(-1).trim()}`),
])"""


async def violations(page: "Page") -> list[str]:
    """What axe-core finds, a line for each node; [] for a page without a violation."""
    path = MODULES / "axe-core" / "axe.min.js"
    need(path, "`python3 -m tools.page_tools` installs axe-core")
    await page.evaluate(path.read_text())
    found: list[tuple[str, str, list[str]]] = await page.evaluate(_RUN)
    lines = []
    for rule, impact, nodes in found:
        for node in nodes:
            selector = node.partition(":")[0]
            if rule == "label-content-name-mismatch" and selector in OWN_KEYS:
                told, shown = await page.evaluate(_SAID, selector)
                if told == shown:
                    continue
            lines.append(f"{rule} ({impact}) {node}")
    return lines
