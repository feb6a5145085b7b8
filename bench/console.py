"""How soon the console paints for somebody who has never been there: ``.venv/bin/python bench/console.py [VISITS]``.

Each visit is a browser of its own, with nothing cached. Prints the median and the worst of first contentful paint, of the time until the
page can be used, and the bytes that came over the wire. Needs what ``make test`` installs.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.chromium import browser_page
from tests.serving import running_server, settings_for, write_assistant

PAGES = {"": "main h1", "talk": "#talk"}
_READ = """() => {
  const entries = ['resource', 'navigation'].flatMap((type) => performance.getEntriesByType(type));
  const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
  return [paint, performance.now(), entries.reduce((sum, each) => sum + each.transferSize, 0)];
}"""


async def visit(url: str, shown: str) -> list[float]:
    """First paint in ms, when what it is for could be seen in ms, bytes."""
    async with browser_page() as page:
        await page.goto(url)
        await page.wait_for(shown)
        return [float(each) for each in await page.evaluate(_READ)]


async def main(visits: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_assistant(Path(folder) / "assistants", "Good day.")
        async with running_server(settings_for(Path(folder))) as (antiphon, _):
            for path, shown in PAGES.items():
                url = f"http://localhost:{antiphon.settings.port}/{path}"
                paint, seen, size = zip(*[await visit(url, shown) for _ in range(visits)], strict=True)
                times = [f"{statistics.median(each):.0f} ms (worst {max(each):.0f})" for each in (paint, seen)]
                print(f"/{path:<6} first paint {times[0]}, usable {times[1]}, {max(size) / 1000:.0f} kB")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
