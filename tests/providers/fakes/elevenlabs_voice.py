"""ElevenLabs' voice over WebSocket, by its documentation: elevenlabs.io/docs/api-reference/text-to-speech, pages
v-1-text-to-speech-voice-id-multi-stream-input (many contexts) and v-1-text-to-speech-voice-id-stream-input (one),
elevenlabs.io/docs/eleven-api/guides/how-to/websockets/multi-context-web-socket (five contexts a connection), and the message types of
the vendor's Python package."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.providers.fakes.voice_server import MS_PER_CHARACTER, FakeVoiceServer, format_named
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from antiphon.bench.vendors.messages import elevenlabs_audio
from antiphon.vocabulary import AudioFormat

MOST_CONTEXTS = 5
CHARACTERS_A_MESSAGE = 7
"""Odd on purpose: words and pieces end in the middle of a message."""


@dataclass
class _Context:
    name: str
    speed: float = 1.0
    text: str = ""
    at: int = 0
    messages: int = 0
    closing: bool = False
    more: asyncio.Event = field(default_factory=asyncio.Event)


class FakeElevenLabs(FakeVoiceServer):
    aligned = True
    """Whether it tells times."""
    holds_back_final = False
    most_contexts = 0
    """The most there were at once on one connection."""

    def key_of(self, request: Request) -> str:
        return request.headers.get("xi-api-key", "")

    async def converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        address = urlsplit(connection.request.path)
        query = parse_qs(address.query)
        audio = format_named(query.get("output_format", ["mp3_44100"])[0])
        if address.path.endswith("/multi-stream-input"):
            await self._many(connection, audio)
        else:
            await self._one(connection, audio)

    async def _many(self, connection: ServerConnection, audio: AudioFormat) -> None:
        contexts: dict[str, _Context] = {}
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for message in self.messages(connection):
                name = message["context_id"]
                if name not in contexts:
                    if message.get("close_context"):
                        continue
                    if len(contexts) >= MOST_CONTEXTS:
                        problem = "Maximum simultaneous contexts per WebSocket connection exceeded (5)."
                        await self.send(
                            connection, {"message": problem, "error": "max_active_conversations", "code": 1008}
                        )
                        await connection.close(1008, problem)
                        return
                    contexts[name] = _Context(name, (message.get("voice_settings") or {}).get("speed", 1.0))
                    self.most_contexts = max(self.most_contexts, len(contexts))
                    tasks.add(asyncio.create_task(self._speak(connection, audio, contexts, contexts[name])))
                context = contexts[name]
                if message.get("close_context"):
                    context.closing = True
                elif message.get("text", "").strip():
                    context.text += message["text"]
                context.more.set()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _speak(
        self, connection: ServerConnection, audio: AudioFormat, contexts: dict[str, _Context], context: _Context
    ) -> None:
        while True:
            while context.at < len(context.text):
                await self._message(connection, audio, context)
                await asyncio.sleep(0)
            if context.closing:
                break
            context.more.clear()
            await context.more.wait()
        if self.holds_back_final:
            await asyncio.Event().wait()
        del contexts[context.name]
        await self.send(connection, {"isFinal": True, "contextId": context.name})

    async def _message(self, connection: ServerConnection, audio: AudioFormat, context: _Context) -> None:
        if await self.misbehave(connection, context.messages):
            context.at = len(context.text)
            return
        if self.fault == "error":
            await self.send(connection, {"error": "quota_exceeded", "message": "…", "contextId": context.name})
            context.at = len(context.text)
            return
        text = context.text[context.at : context.at + CHARACTERS_A_MESSAGE]
        sound = base64.b64encode(self.sound(text, audio, context.speed, context.at)).decode()
        if self.fault == "not base64":
            sound = "!" + sound[1:-1]
        message = elevenlabs_audio(sound, text, MS_PER_CHARACTER / context.speed)
        if not self.aligned:
            message["alignment"] = None
        # Both spellings occur.
        name = "someone-else" if self.fault == "wrong context" else context.name
        message["contextId" if context.messages % 2 else "context_id"] = name
        context.at += len(text)
        context.messages += 1
        await self.send(connection, message)

    async def _one(self, connection: ServerConnection, audio: AudioFormat) -> None:
        async for message in self.messages(connection):
            if message["text"] == "":
                break
            if message["text"].strip():
                sound = base64.b64encode(self.sound(message["text"], audio)).decode()
                await self.send(connection, {"audio": sound, "isFinal": None, "alignment": None})
        await self.send(connection, {"audio": None, "isFinal": True})
        await connection.close(1000)
