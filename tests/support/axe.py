"""axe-core from node_modules, run in a real page: what a screen reader, a keyboard or weak eyes would stumble over."""

from typing import Any

from playwright.async_api import Page

from tests.support.parts import ROOT, missing

_SOURCE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_GRAVE = frozenset(("serious", "critical"))


async def grave(page: Page) -> list[str]:
    """The serious and critical violations of a page as it stands: rule, what it says, the first elements."""
    if not _SOURCE.exists():
        missing("axe-core is not installed; run `make setup`")
    await page.evaluate(_SOURCE.read_text())
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in _GRAVE
    ]
