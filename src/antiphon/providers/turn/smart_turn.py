"""Smart Turn v3.2: has the caller finished, by the sound of it? In 23 languages, with no account, judged in worker processes.

It hears the intonation and the lengthening at the end of what was said, and knows no words. ``smart_turn_worker`` does the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import TurnAudio
from antiphon.providers.worker import PoolHealth, WorkerPool
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Message

NAME = "smart-turn"
_ENGINE = "antiphon.providers.turn.smart_turn_worker:SmartTurnEngine"
_MOST_WAITING = 16
"""Questions at once for each process: at 60 ms each, what comes after them would be stale when it is answered."""


def installed() -> bool:
    """Whether the packages that it takes are there. The file itself is looked at when it is loaded."""
    return find_spec("pipecat") is not None and find_spec("onnxruntime") is not None


class SmartTurnDetector:
    """Implements ``TurnDetector``."""

    name = NAME
    audio_ms = 8000

    def __init__(self, *, workers: int = 1, model: str = "", hung_after_s: float = 4.0) -> None:
        """``workers`` are processes of 120 MB and one core each; a judgement takes 60 to 150 ms of it. ``model`` is the model's path where
        it is not the installed one. Raises ConfigurationError."""
        if not 1 <= workers <= 64:
            raise ConfigurationError("turn.workers", "must be 1 … 64")
        if not 1 <= hung_after_s <= 600:
            raise ConfigurationError("turn.hung_after_s", "must be 1 … 600")
        self._most_waiting = _MOST_WAITING * workers
        self._waiting = 0
        self._pool = WorkerPool(NAME, _ENGINE, {"model": model}, processes=workers, hung_after_s=hung_after_s)

    @property
    def health(self) -> PoolHealth:
        return self._pool.health

    async def start(self) -> None:
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()

    async def probability(
        self, messages: Sequence[Message], transcript: str, audio: TurnAudio | None = None
    ) -> float | None:
        """As ``TurnDetector``. Cancelled, it is not worked on any more."""
        if audio is None or not audio.data or self._waiting >= self._most_waiting:
            return None
        answer: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()

        def on_frame(frame: Frame) -> None:
            if answer.done():
                return
            if frame.kind == "score":
                answer.set_result(frame.fields["probability"])
            else:
                answer.set_exception(ProviderError(NAME, frame.fields.get("problem", "it failed")))

        def on_lost(problem: str) -> None:
            if not answer.done():
                answer.set_exception(ProviderError(NAME, problem))

        stream = self._pool.open(on_frame, on_lost)
        self._waiting += 1
        try:
            shape = {"encoding": audio.format.encoding, "rate_hz": audio.format.rate_hz}
            return await answer if stream.send("ask", shape, audio.data) else None
        finally:
            self._waiting -= 1
            stream.close()
