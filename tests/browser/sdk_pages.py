"""Applications of other people's, on an origin of their own and under a strict content security policy, that call our server."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.browser.chromium import Page, browser_page
from tests.node import Told
from tests.programs import JS, node
from tests.serving import running_server, settings_for, write_assistant

from antiphon import __version__
from antiphon.composition.process import Antiphon
from antiphon.surfaces.http.parts import read_parts
from antiphon.surfaces.keys import ApiKeys, KeyRecord
from antiphon.surfaces.sdk.routes import npm_package

HERE = Path(__file__).parent / "sdk"
GREETING = "Good day, this is the front desk of a rather large house, and what may we do for you?"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def vapi_bundle(folder: Path) -> bytes:
    """The unmodified ``@vapi-ai/web``, bundled with the package that a server hands out in the place of ``@daily-co/daily-js``."""
    modules = {name: part.content for name, part in read_parts("antiphon.surfaces.sdk").items()}
    with tarfile.open(fileobj=io.BytesIO(npm_package(modules, __version__))) as archive:
        archive.extractall(folder, filter="data")
    outfile = folder / "vapi.js"
    subprocess.run([node(), str(JS / "bundle.mjs"), str(folder / "package"), str(outfile)], check=True, timeout=60)
    return outfile.read_bytes()


@contextmanager
def application(server: str, more: Mapping[str, bytes] = {}) -> Iterator[str]:
    """The address of an application whose policy lets it do no more than call ``server``."""
    files = {f"/{path.name}": path.read_bytes() for path in HERE.iterdir()} | {
        f"/{name}": it for name, it in more.items()
    }
    socket = server.replace("http", "ws", 1)
    policy = f"default-src 'none'; script-src 'self' {server}; connect-src {server} {socket}; img-src data:"

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("content-type", _TYPES.get(Path(self.path).suffix, "text/plain"))
            self.send_header("content-security-policy", policy)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


class Client:
    """The client on the page, of either kind."""

    def __init__(self, page: Page, antiphon: Antiphon, origin: str, keys: ApiKeys) -> None:
        self.page = page
        self.antiphon = antiphon
        self.origin = origin
        self._keys = keys

    def public_key(self, **restrictions: Any) -> str:
        """A new one."""
        return self._keys.create("page", 0, like=KeyRecord("", "", "", 0, kind="public", **restrictions))[1]

    def private_key(self) -> str:
        return self._keys.create("server", 0)[1]

    async def make(self, key: str) -> None:
        argument = {"server": self.antiphon.settings.base_url, "key": key}
        await self.page.evaluate("(given) => make(given)", argument)

    async def do(self, script: str, argument: Any = None) -> Any:
        """Evaluate an expression on ``client``."""
        return await self.page.evaluate(f"(argument) => ({script})", argument)

    async def start(self, assistant: Any = "scripted", overrides: Any = None) -> Any:
        """The answer's id, or None."""
        script = "(given) => client.start(...given).then((call) => call && call.id)"
        return await self.page.evaluate(script, [assistant, *([overrides] if overrides else [])], within_s=60)

    def events(self, name: str) -> list[Told]:
        return [told for told in self.page.program.all("event") if told["name"] == name]

    async def until(self, name: str, where: Callable[[Any], bool] = lambda value: True, after_ms: float = 0) -> Told:
        """The first such event after a time of the page's clock."""
        return await self.page.program.until(
            "event",
            lambda told: told["name"] == name and told["at_ms"] > after_ms and where(told["value"]),
            within_s=60,
        )

    async def message(self, where: Callable[[Any], bool], after_ms: float = 0) -> Told:
        return await self.until("message", where, after_ms)


@asynccontextmanager
async def calling(
    folder: Path,
    kind: str,
    microphone: Path | None,
    bundle: bytes = b"",
    permissions: Sequence[str] = ("microphone",),
    **settings_given: Any,
) -> AsyncIterator[Client]:
    """``kind`` is the page: ``vapi``, ``web`` or ``widget``. Nobody may have complained at the end that the test has not forgotten."""
    write_assistant(folder / "assistants", GREETING, ms_per_character=60)
    settings = settings_for(folder, **settings_given)
    keys = ApiKeys(settings.data_dir / "keys.json")
    async with (
        running_server(settings) as (antiphon, _),
        browser_page(microphone=microphone, permissions=permissions) as page,
    ):
        with application(antiphon.settings.base_url, {"vapi.js": bundle}) as origin:
            await page.goto(f"{origin}/{kind}.html")
            yield Client(page, antiphon, origin, keys)
            assert page.problems == []
