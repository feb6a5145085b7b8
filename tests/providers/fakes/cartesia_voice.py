"""Cartesia's voice over WebSocket, by its documentation: docs.cartesia.ai/api-reference/tts/websocket (messages),
docs.cartesia.ai/use-the-api/tts-websocket/contexts (a context is gone a second after its last audio) and
docs.cartesia.ai/use-the-api/tts-websocket/context-flushing-and-flush-i-ds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.providers.fakes.voice_server import MS_PER_CHARACTER, FakeVoiceServer
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

CHARACTERS_A_MESSAGE = 7
ENCODINGS = {"pcm_mulaw": Encoding.MULAW, "pcm_alaw": Encoding.ALAW, "pcm_s16le": Encoding.PCM16}
REPEATED = ("model_id", "voice", "output_format", "language", "generation_config", "add_timestamps")


@dataclass
class _Context:
    name: str
    request: dict[str, Any]
    work: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    """Texts; an empty one is a flush, None the end."""
    flushes: int = 0
    said: int = 0
    """Characters."""
    messages: int = 0

    @property
    def audio(self) -> AudioFormat:
        wanted = self.request["output_format"]
        return AudioFormat(ENCODINGS[wanted["encoding"]], wanted["sample_rate"])

    @property
    def speed(self) -> float:
        return float((self.request.get("generation_config") or {}).get("speed", 1.0))


class FakeCartesia(FakeVoiceServer):
    expires_s = 1.0
    flushes_by_itself = True
    """As with ``max_buffer_delay_ms`` 0: each transcript is flushed without being asked for it."""
    strips_marks = False
    times_of_flush = False
    """Times of words count from the flush and not from the context."""
    cancelled: int = 0
    when_over: Callable[[], None] = staticmethod(lambda: None)
    """Called when a context is gone, before anybody is told."""

    def key_of(self, request: Request) -> str:
        return request.headers.get("X-API-Key", "") or request.headers.get("Authorization", "").removeprefix("Bearer ")

    async def converse(self, connection: ServerConnection) -> None:
        contexts: dict[str, _Context] = {}
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            async for message in self.messages(connection):
                name = message["context_id"]
                if message.get("cancel"):
                    self.cancelled += 1
                    contexts.pop(name, None)
                    if name in tasks:
                        tasks.pop(name).cancel()
                    continue
                if name not in contexts:
                    if name in tasks or (not message["transcript"] and message.get("continue")):
                        await self._error(connection, name, 400, "Context has expired")
                        continue
                    contexts[name] = _Context(name, message)
                    tasks[name] = asyncio.create_task(self._speak(connection, contexts, contexts[name]))
                context = contexts[name]
                assert all(message.get(key) == context.request.get(key) for key in REPEATED), "they must stay the same"
                if message["transcript"]:
                    context.work.put_nowait(message["transcript"])
                    if self.flushes_by_itself:
                        context.work.put_nowait("")
                if message.get("flush"):
                    context.work.put_nowait("")
                if not message.get("continue"):
                    context.work.put_nowait(None)
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _speak(self, connection: ServerConnection, contexts: dict[str, _Context], context: _Context) -> None:
        flush_begins = 0
        while True:
            try:
                async with asyncio.timeout(self.expires_s):
                    text = await context.work.get()
            except TimeoutError:
                break
            if text is None:
                break
            if not text:
                context.flushes += 1
                flush_begins = context.said
                await self._tell(connection, context, "flush_done", flush_done=True, flush_id=context.flushes)
                continue
            await self._text(connection, context, text, flush_begins)
        contexts.pop(context.name, None)
        self.when_over()
        await self._tell(connection, context, "done", done=True)

    async def _text(self, connection: ServerConnection, context: _Context, text: str, flush_begins: int) -> None:
        for at in range(0, len(text), CHARACTERS_A_MESSAGE):
            part = text[at : at + CHARACTERS_A_MESSAGE]
            if await self.misbehave(connection, context.messages):
                return
            if self.fault == "error":
                await self._error(connection, context.name, 402, "You have run out of credits")
                return
            await self._times(connection, context, text, at, flush_begins if self.times_of_flush else 0)
            data = base64.b64encode(self.sound(part, context.audio, context.speed, context.said)).decode()
            data = "!" + data[1:-1] if self.fault == "not base64" else data
            context.said += len(part)
            context.messages += 1
            await self._tell(connection, context, "chunk", data=data, step_time=1.0, flush_id=context.flushes + 1)
            await asyncio.sleep(0)

    async def _times(self, connection: ServerConnection, context: _Context, text: str, at: int, begins: int) -> None:
        """Of the words that begin in the part at ``at``."""
        s = MS_PER_CHARACTER / 1000 / context.speed
        words, starts, ends = [], [], []
        for start in range(at, min(at + CHARACTERS_A_MESSAGE, len(text))):
            if text[start] != " " and (start == 0 or text[start - 1] == " "):
                word = text[start:].split()[0]
                words.append(word.strip(".,!?") if self.strips_marks else word)
                starts.append((context.said - at + start - begins) * s)
                ends.append(starts[-1] + len(word) * s)
        if words and context.request.get("add_timestamps"):
            await self._tell(
                connection, context, "timestamps", word_timestamps={"words": words, "start": starts, "end": ends}
            )

    async def _tell(self, connection: ServerConnection, context: _Context, kind: str, **fields: Any) -> None:
        name = "someone-else" if self.fault == "wrong context" else context.name
        message = {"type": kind, "done": False, "status_code": 206, "context_id": name, **fields}
        await self.send(connection, message)

    async def _error(self, connection: ServerConnection, name: str, status: int, title: str) -> None:
        message = {
            "type": "error",
            "done": True,
            "status_code": status,
            "title": title,
            "message": "",
            "context_id": name,
        }
        await self.send(connection, message)
