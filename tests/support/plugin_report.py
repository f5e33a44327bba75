"""pytest plugin: which tests are chosen, and the closing line."""

import os
from collections.abc import Generator

import pytest

OPT_IN = {
    "slow": "slow",
    "bench": "benchmarks",
    "engines": "of other engines",
    "board": "need a board",
}
"""Markers whose tests run only when asked for, and the word for them in the summary."""

_deselected = pytest.StashKey[dict[str, int]]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is only run when asked for, and count it."""
    chosen = str(config.getoption("markexpr")) + " " + os.environ.get("KONTOR_WITH", "")
    unwanted = [name for name in OPT_IN if name not in chosen]
    keep: list[pytest.Item] = []
    drop: list[pytest.Item] = []
    counts = dict.fromkeys(unwanted, 0)
    for item in items:
        reasons = [name for name in unwanted if item.get_closest_marker(name)]
        (drop if reasons else keep).append(item)
        if reasons:
            counts["board" if "board" in reasons else reasons[0]] += 1
    config.stash[_deselected] = counts
    if drop:
        config.hook.pytest_deselected(items=drop)
        items[:] = keep


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Say what ran and what was left out, below all else."""
    yield
    left_out = [f"{n} {OPT_IN[name]}" for name, n in config.stash.get(_deselected, {}).items() if n]
    if left_out:
        terminalreporter.write_line(f"kontor: deselected, run only when asked for: {', '.join(left_out)}")
    count = {name: len(reports) for name, reports in terminalreporter.stats.items()}
    failed = count.get("failed", 0) + count.get("error", 0)
    passed = count.get("passed", 0) + count.get("xfailed", 0)
    terminalreporter.write_line(f"kontor: {passed} passed, {failed} failed, {count.get('skipped', 0)} skipped")
