"""Responses outside the conversation (``conversation: "none"``): a model, and a voice where one is wanted, run beside it.

They never touch the core: nothing they say is heard by the caller, enters the history or is interrupted. A browser or phone
leg (WebRTC) has only one loudspeaker, the conversation's own, so there they are written even where a voice was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.conversation.policy import Speaking
from antiphon.conversation.sentences import Piece, SentenceSplitter
from antiphon.providers.base import ModelRequest, SpeechRequest, TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.failover import OnFailure
from antiphon.session.plan import Engines
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import too_many_asides
from antiphon.surfaces.realtime.protocol.response import Response
from antiphon.surfaces.realtime.responses import CLIENT_CANCELLED, COMPLETED, DELTA_MS, FAILED, Emit, WireResponse
from antiphon.surfaces.realtime.usage import Meter
from antiphon.vocabulary import AudioFormat, Encoding

MOST = 4
"""At once, in one session."""
_LONGEST_S = 120.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Aside:
    """What to run."""

    response: Response
    request: ModelRequest
    voice: str
    speed: float


class Asides:
    """Of one session."""

    def __init__(self, engines: Engines, emit: Emit, on_failure: OnFailure, *, voiced: bool) -> None:
        """``voiced``: audio can be sent as deltas. ``on_failure`` is told of each engine that failed."""
        self._engines = engines
        self._on_failure = on_failure
        self._emit = emit
        self._voiced = voiced
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, aside: Aside) -> None:
        """Raises ClientError where too many run."""
        if len(self._running) >= MOST:
            raise too_many_asides(MOST)
        response = WireResponse(aside.response, self._emit, None)
        run = _Run(aside, response, self._engines, self._on_failure, voiced=self._voiced)
        task = asyncio.get_running_loop().create_task(run.run(), name="aside")
        self._running[response.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[response.id]
            run.finish(task)

        task.add_done_callback(over)

    def cancel(self, response_id: str) -> bool:
        """False where there is none of this id."""
        task = self._running.get(response_id)
        return task is not None and task.cancel()

    def close(self) -> None:
        """Cancel all of them."""
        for task in tuple(self._running.values()):
            task.cancel()


class _Run:
    """One of them, from its model's first word to ``response.done``."""

    def __init__(
        self, aside: Aside, response: WireResponse, engines: Engines, on_failure: OnFailure, *, voiced: bool
    ) -> None:
        self._aside = aside
        self._response = response
        self._model = engines.model(on_failure)
        self._speaker = engines.speaker(on_failure)
        self._audible = voiced and response.is_spoken
        self._splitter = SentenceSplitter(Speaking())
        self._meter = Meter(lambda: 0.0)

    async def run(self) -> None:
        """Raises what went wrong."""
        self._meter.asked(self._aside.request.messages)
        async with asyncio.timeout(_LONGEST_S):
            await self._think()

    def finish(self, task: asyncio.Task[None]) -> None:
        """``task`` ran this, or was cancelled before it could."""
        outcome = CLIENT_CANCELLED
        if not task.cancelled():
            error = task.exception()
            outcome = COMPLETED if error is None else FAILED
            if error is not None:
                log.warning("aside_failed", code=getattr(error, "code", type(error).__name__))
        self._response.finish(outcome, self._meter.bill(self._response.words, self._response.audio_ms))

    async def _think(self) -> None:
        async with aclosing(self._model.stream(self._aside.request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    await self._say(delta.text)
                elif isinstance(delta, ToolCallDelta):
                    self._response.call(delta.call)
                elif isinstance(delta, UsageDelta):
                    self._meter.used(delta.usage)
        for piece in self._splitter.flush():
            await self._speak(piece)

    async def _say(self, text: str) -> None:
        if not self._response.is_spoken:
            self._response.text(text)
            return
        for piece in self._splitter.feed(text):
            await self._speak(piece)

    async def _speak(self, piece: Piece) -> None:
        self._response.transcript(piece.text, spaced=piece.spaced)
        if not self._audible:
            return
        target = self._aside.response.output_format
        request = SpeechRequest(piece.text, PCM, self._aside.voice, self._aside.speed)
        convert = _converter(target)
        size = PCM.bytes_for_ms(DELTA_MS)
        async with aclosing(self._speaker.synthesize(request)) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk.audio), size):
                    audio = chunk.audio[start : start + size]
                    self._response.audio(convert(audio), PCM.ms_of(len(audio)))


def _converter(target: AudioFormat) -> Callable[[bytes], bytes]:
    """PCM at 24 kHz as ``target``."""
    resampler = Resampler(PCM.rate_hz, target.rate_hz)

    def convert(audio: bytes) -> bytes:
        return codec.encode(resampler.process(codec.decode(audio, Encoding.PCM16)), target.encoding)

    return convert
