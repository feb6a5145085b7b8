"""Deepgram's Aura over WebSocket, by its documentation: developers.deepgram.com/reference/text-to-speech/speak-streaming,
developers.deepgram.com/docs/tts-ws-flush (twenty flushes a minute) and developers.deepgram.com/docs/tts-ws-clear."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

from tests.providers.fakes.voice_server import FakeVoiceServer
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

CHARACTERS_A_MESSAGE = 7
MOST_FLUSHES = 20
ENCODINGS = {"linear16": Encoding.PCM16, "mulaw": Encoding.MULAW, "alaw": Encoding.ALAW}


class FakeDeepgram(FakeVoiceServer):
    most_flushes = 0
    """The most on one connection."""
    answers_clear = True
    odd_messages = False
    """Cuts audio in the middle of a sample."""

    def key_of(self, request: Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Token ")

    async def converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = {name: values[0] for name, values in parse_qs(urlsplit(connection.request.path).query).items()}
        audio = AudioFormat(ENCODINGS[query["encoding"]], int(query["sample_rate"]))
        speed = float(query.get("speed", "1"))
        await self.send(
            connection,
            {
                "type": "Metadata",
                "request_id": "1",
                "model_name": query["model"],
                "model_version": "1",
                "model_uuid": "1",
            },
        )
        text, flushes, sequence = "", 0, 0
        speaking: asyncio.Task[None] | None = None
        try:
            async for message in self.messages(connection):
                match message["type"]:
                    case "Speak":
                        text += message["text"]
                    case "Flush":
                        flushes += 1
                        self.most_flushes = max(self.most_flushes, flushes)
                        if flushes > MOST_FLUSHES:
                            await self.send(
                                connection,
                                {"type": "Warning", "code": "EXCESSIVE_FLUSH", "description": "too many flushes"},
                            )
                            continue
                        speaking = asyncio.create_task(
                            self._speak(connection, audio, speed, text, flushes - 1, speaking)
                        )
                        text = ""
                    case "Clear":
                        if speaking is not None:
                            speaking.cancel()
                            speaking = None
                        if self.answers_clear:
                            sequence += 1
                            await self.send(connection, {"type": "Cleared", "sequence_id": sequence})
                    case "Close":
                        break
        finally:
            if speaking is not None:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)

    async def _speak(
        self,
        connection: ServerConnection,
        audio: AudioFormat,
        speed: float,
        text: str,
        sequence: int,
        before: asyncio.Task[None] | None,
    ) -> None:
        if before is not None:
            await before
        for at in range(0, len(text), CHARACTERS_A_MESSAGE):
            if await self.misbehave(connection, at // CHARACTERS_A_MESSAGE):
                return
            if self.fault == "error":
                await self.send(connection, {"type": "Error", "code": "QUOTA", "description": "The quota is used up"})
                await connection.close(1008)
                return
            sound = self.sound(text[at : at + CHARACTERS_A_MESSAGE], audio, speed, at)
            if self.odd_messages:
                await connection.send(sound[:333])
                await connection.send(sound[333:])
            else:
                await connection.send(sound)
            await asyncio.sleep(0)
        await self.send(connection, {"type": "Flushed", "sequence_id": sequence})
