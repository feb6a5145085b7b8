"""A real server on a real socket, and the official Python SDK in front of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.serving import settings_for

from antiphon.composition.process import Antiphon
from antiphon.server import serving
from antiphon.surfaces.keys import ApiKeys


@dataclass
class Served:
    """A server in a thread of its own: the SDK blocks the one it is called from."""

    url: str
    key: str
    antiphon: Antiphon


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = settings_for(tmp_path_factory.mktemp("served"))
    _, key = ApiKeys(settings.data_dir / "keys.json").create("sdk", 0)
    started, stop = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def run() -> None:
        async with serving(settings) as antiphon:
            found.extend([antiphon, asyncio.get_running_loop()])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="served")
    thread.start()
    assert started.wait(30), "the server did not start"
    antiphon, loop = found
    yield Served(antiphon.settings.base_url, key, antiphon)
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Any]:
    """The SDK. Its first use imports thousands of models, which takes ten seconds and more."""
    vapi = pytest.importorskip("vapi", reason="vapi_server_sdk is not installed (requirements-clients.lock)")
    with httpx.Client(timeout=60) as line:
        yield vapi.Vapi(token=served.key, base_url=served.url, httpx_client=line)
