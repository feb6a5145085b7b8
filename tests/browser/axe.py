"""What axe-core finds wrong with a page for people who read otherwise."""

from __future__ import annotations

import os

from tests.browser.chromium import Page
from tests.programs import JS

SHOTS = os.environ.get("CONSOLE_SHOTS", "")
"""A folder for pictures of every page, for whoever wants to look at them."""
LOOKS = {1280: ("light", "dark"), 390: ("dark", "light")} if SHOTS else {1280: ("light",), 390: ("dark",)}
"""Widths of a window, and the colours each is looked at in: both of either in two looks, where nobody wants the pictures."""
AXE = (
    (JS / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    if (JS / "node_modules").is_dir()
    else ""
)


async def axe(page: Page) -> list[str]:
    """Serious and critical findings. Run outside the page's own world of scripts, which its policy keeps to ours."""
    found = await page.evaluate(
        "async () => { const { violations } = await axe.run(); return violations.filter(({ impact }) => "
        "['serious', 'critical'].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`); }"
    )
    return list(found)
