"""ElevenLabs' realtime transcription as its documentation has it: elevenlabs.io/docs/api-reference/speech-to-text/
v-1-speech-to-text-realtime, elevenlabs.io/docs/eleven-api/guides/how-to/speech-to-text/realtime/transcripts-and-commit-strategies and
…/event-reference (November 2026).
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.voice_server import format_named
from websockets.http11 import Request

MODELS = ("scribe_v2_realtime",)
LEAST_COMMIT_MS = 300


class ScribeSession(Session):
    EVERY_MS = 160

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = format_named(self.query["audio_format"][0])
        self._told_ms = 0.0

    async def _send(self, kind: str, *, final: bool = False, **fields: Any) -> None:
        await self.send({"message_type": kind, **fields}, final=final)

    async def greet(self) -> None:
        config = {"sample_rate": self.format.rate_hz, "audio_format": self.query["audio_format"][0]}
        await self._send("session_started", session_id="0000", config={**config, "commit_strategy": "manual"})

    async def told(self, message: dict[str, Any]) -> None:
        if message["message_type"] != "input_audio_chunk":
            await self._send("invalid_request", error=f"unknown message_type {message['message_type']}")
            await self.socket.close(1008, "invalid_request")
            return
        if message["sample_rate"] != self.format.rate_hz:
            await self._send("input_error", error="the sample rate is not that of the session")
            await self.socket.close(1008, "input_error")
            return
        if piece := base64.b64decode(message["audio_base_64"]):
            await self.hear(piece)
        if message["commit"]:
            await self._commit()

    async def progress(self) -> None:
        if self.heard_ms - self._told_ms >= self.EVERY_MS and (words := self.words()):
            self._told_ms = self.heard_ms
            await self._send("partial_transcript", text=" ".join(word.word for word in words[:-1]))

    async def _commit(self) -> None:
        if self.heard_ms < LEAST_COMMIT_MS:
            problem = f"Commit request ignored: only {self.heard_ms / 1000:.2f}s of uncommitted audio"
            await self._send("commit_throttled", error=problem)
            await self.socket.close(1000)
            return
        words = self.words()
        self.audio.clear()
        self._told_ms = 0.0
        text = " ".join(word.word for word in words)
        await self._send("committed_transcript", final=True, text=text)
        if self.query.get("include_timestamps") == ["true"]:
            timed = [
                {"text": word.word, "start": word.start_ms / 1000, "end": word.end_ms / 1000, "type": "word"}
                for word in words
            ]
            await self._send(
                "committed_transcript_with_timestamps", final=True, text=text, language_code="en", words=timed
            )


class FakeScribe(FakeVendor):
    session_class = ScribeSession

    def authorised(self, request: Request) -> bool:
        return request.headers.get("xi-api-key", "") == KEY

    def unfit(self, request: Request) -> str | None:
        address = urlsplit(request.path)
        query = parse_qs(address.query)
        if address.path != "/v1/speech-to-text/realtime":
            return "no such path"
        if query.get("model_id", [""])[0] not in MODELS:
            return "no such model"
        if any(len(term) > 20 for term in query.get("keyterms", ())):
            return "a key term has 20 characters at most"
        if "-" in query.get("language_code", [""])[0]:
            return "no such language"
        return None if query.get("commit_strategy") == ["manual"] else "only manual commits here"
