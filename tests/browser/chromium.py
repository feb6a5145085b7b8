"""A page in headless Chromium, with a WAV file for a microphone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.node import NodeProgram, Told, node_program
from tests.programs import chromium

_START_S = 60.0


class Page:
    """The one page of a browser. Selectors are Playwright's; raises NodeError where something is not there in time."""

    def __init__(self, program: NodeProgram) -> None:
        self.program = program

    @property
    def problems(self) -> list[Told]:
        """Uncaught exceptions, console errors and failed requests."""
        return [
            told
            for told in self.program.told
            if told["told"] in ("uncaught", "request_failed")
            or (told["told"] == "console" and told["level"] == "error")
        ]

    async def goto(self, url: str) -> int:
        """Open an address; its HTTP status (200 where only what follows the # is another)."""
        return int(await self.program.ask("goto", url=url) or 200)

    async def evaluate(self, script: str, argument: Any = None, *, within_s: float = 60.0) -> Any:
        """Call a JavaScript function (its text) in the page, await it if need be, and bring its result here."""
        return await self.program.ask("evaluate", script=script, argument=argument, within_s=within_s)

    async def initially(self, script: str) -> None:
        """Run this before the scripts of every page opened from now on."""
        await self.program.ask("initially", script=script)

    async def click(self, selector: str) -> None:
        await self.program.ask("click", selector=selector)

    async def drag(self, selector: str, x: int, y: int, *, press: str | None = None) -> None:
        """Take what is there by its middle, and let go of it so many pixels further; a key may be pressed before that."""
        await self.program.ask("drag", selector=selector, x=x, y=y, press=press)

    async def press(self, key: str) -> None:
        await self.program.ask("press", key=key)

    async def fill(self, selector: str, text: str) -> None:
        await self.program.ask("fill", selector=selector, text=text)

    async def text(self, selector: str) -> str:
        return str(await self.program.ask("text", selector=selector) or "")

    async def visible(self, selector: str) -> bool:
        return bool(await self.program.ask("visible", selector=selector))

    async def wait_for(self, selector: str, *, state: str = "visible", within_s: float = 60.0) -> None:
        timeout_ms = round(within_s * 1000)
        await self.program.ask("waitFor", selector=selector, state=state, timeout=timeout_ms, within_s=within_s + 1)

    async def until(self, expression: str, *, within_s: float = 60.0) -> None:
        """Until this JavaScript expression is true. What raises is not true yet: a page may be drawing itself anew just then. (What
        Playwright has for it is forbidden by our pages' policy.)"""
        look = (
            f"(done, fail) => {{ const end = performance.now() + {within_s * 1000}; let last = 'not true in time'; const look = () => {{"
            f"try {{ if ({expression}) return done(); }} catch (error) {{ last = error; }}"
            "performance.now() < end ? setTimeout(look, 20) : fail(last); }; look(); }"
        )
        await self.evaluate(f"() => new Promise({look})", within_s=within_s + 5)

    async def viewport(self, width: int, height: int) -> None:
        await self.program.ask("viewport", width=width, height=height)

    async def media(self, **options: str) -> None:
        """Emulate ``colorScheme="dark"``, ``reducedMotion="reduce"`` …"""
        await self.program.ask("media", **options)

    async def screenshot(self, path: Path, *, full_page: bool = False) -> None:
        """A PNG file."""
        await self.program.ask("screenshot", path=str(path), fullPage=full_page)


@asynccontextmanager
async def browser_page(
    *,
    microphone: Path | None = None,
    permissions: Sequence[str] = ("microphone",),
    flags: Sequence[str] = (),
    **options: Any,
) -> AsyncIterator[Page]:
    """A browser of its own with one empty page. ``microphone`` is played in a loop (append ``%noloop`` for once); without the
    permission the user has denied it. ``options`` are Playwright's for a context (``viewport``, ``colorScheme``, ``isMobile``)."""
    path = chromium()
    async with node_program("browser.mjs") as program:
        await program.ask(
            "launch", path=path, microphone=None if microphone is None else str(microphone), permissions=list(permissions),
            flags=list(flags), within_s=_START_S, **options,
        )  # fmt: skip
        yield Page(program)
