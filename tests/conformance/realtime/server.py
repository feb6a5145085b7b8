"""The server under test, on a real port, with the staged engines behind its default assistant and every plain model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.databases import sqlite_url
from tests.stopwatch import Stopwatch

from antiphon.composition.process import Antiphon
from antiphon.config import Overload, Realtime, Settings, Twilio
from antiphon.server import serving

MODEL = "gpt-realtime"
"""A plain model: an alias of the server's own."""


def staged(**more: Any) -> dict[str, Any]:
    """An assistant on the stage."""
    engines = {kind: {"provider": "staged"} for kind in ("transcriber", "model", "voice")}
    return {"startSpeakingPlan": {"waitSeconds": 0.3}, "stopSpeakingPlan": {"backoffSeconds": 0}, **engines, **more}


async def eventually(condition: Callable[[], Any], within_s: float = 60.0) -> None:
    """Look again until ``condition`` holds."""
    watch = Stopwatch()
    while not condition():
        assert watch.wall_s < within_s or watch.own_s < within_s, f"not within {within_s} s"
        await asyncio.sleep(0.01)


@dataclass
class Server:
    """A running server."""

    app: Antiphon
    folder: Path
    key: str
    """A private API key."""

    @property
    def port(self) -> int:
        return self.app.settings.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def assistant(self, name: str, **plan: Any) -> str:
        """Write an assistant (see ``staged``); the name by which a client asks for it."""
        (self.folder / "assistants" / f"{name}.yaml").write_text(yaml.safe_dump(staged(**plan)))
        return f"assistant:{name}"


@asynccontextmanager
async def serve_here(folder: Path, **settings: Any) -> AsyncIterator[Server]:
    """A server on this event loop. At the end no session may be left, once the clients are gone."""
    assistants = folder / "assistants"
    assistants.mkdir()
    (assistants / "default.yaml").write_text(yaml.safe_dump(staged()))
    given: dict[str, Any] = {
        "port": 0,
        "assistant": "default",
        "assistants_dir": assistants,
        "data_dir": folder / "data",
        "database_url": sqlite_url(folder / "data"),
        "drain_s": 0,
        "twilio": Twilio(verify_signatures=False),
        "realtime": Realtime(debug_order=True),
        # What is staged has nothing to do with any sound, and each server would start a process for it.
        "turn_detector": "off",
        # The clients share its thread: when that is late, it is not for too many calls.
        "overload": Overload(busy_share=1, late_ms=1000),
    }
    async with serving(Settings(**{**given, **settings})) as antiphon:
        _, key = antiphon.keys.create("tests", antiphon.clock.wall_ms())
        yield Server(antiphon, folder, key)
        await eventually(lambda: antiphon.manager.live == 0)
