"""Cartesia's realtime transcription with manual finalisation, as its documentation has it: docs.cartesia.ai/api-reference/stt/websocket
and docs.cartesia.ai/use-the-api/stt/common-pitfalls (November 2026). Texts are pieces, to be put together as they are.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.speech import Heard
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

ENCODINGS = {"pcm_mulaw": Encoding.MULAW, "pcm_alaw": Encoding.ALAW, "pcm_s16le": Encoding.PCM16}


class InkSession(Session):
    EVERY_MS = 200

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(ENCODINGS[self.query["encoding"][0]], int(self.query["sample_rate"][0]))
        self.commands: list[str] = []
        self._from_ms = self._told_ms = 0.0
        self._settled = 0
        """Words since the last ``finalize`` that were told as final."""

    async def run(self) -> None:
        if self.fault == "close_at_once":
            await self.socket.close(1011)
            return
        if self.fault == "garbage":
            for message in ("{not json", b"\x00", "[]", json.dumps({"type": "transcript", "odd": 1})):
                await self.socket.send(message)
        async for message in self.socket:
            if self.fault in ("mute", "never_ready"):
                continue
            if isinstance(message, bytes):
                await self.hear(message)
            else:
                self.commands.append(message)
                await self._command(message)

    async def _command(self, command: str) -> None:
        if command not in ("finalize", "close"):
            await self.send(
                {"type": "error", "status_code": 400, "title": "Invalid command", "message": command, "request_id": "0"}
            )
            await self.socket.close(1000)
            return
        words = self._words()[self._settled :]
        if self.fault != "no_finals":
            await self._transcript(words, final=True)
        self._from_ms, self._settled = self.heard_ms, 0
        done = {"finalize": "flush_done", "close": "done"}[command]
        await self.send({"type": done, "request_id": "0"}, final=True)
        if command == "close":
            await self.socket.close(1000)

    def _words(self) -> list[Heard]:
        return [word for word in self.words() if word.start_ms >= self._from_ms - 1]

    async def progress(self) -> None:
        if self.heard_ms - self._told_ms < self.EVERY_MS:
            return
        self._told_ms = self.heard_ms
        words = self._words()
        if len(words) - self._settled >= 4:  # the oldest of them will not change
            await self._transcript(words[self._settled : self._settled + 2], final=True)
            self._settled += 2
        else:
            await self._transcript(words[self._settled :], final=False)

    async def _transcript(self, words: list[Heard], *, final: bool) -> None:
        if words:
            text = "".join(f" {word.word}" for word in words)
            await self.send(
                {
                    "type": "transcript",
                    "is_final": final,
                    "request_id": "0",
                    "text": text,
                    "duration": self.heard_ms / 1000,
                    "language": "en",
                },
                final=False,
            )


class FakeInk(FakeVendor):
    session_class = InkSession

    def authorised(self, request: Request) -> bool:
        given = request.headers.get("X-API-Key", "") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        return given == KEY and bool(request.headers.get("Cartesia-Version"))

    def unfit(self, request: Request) -> str | None:
        address = urlsplit(request.path)
        query = parse_qs(address.query)
        if address.path != "/stt/websocket":
            return "no such path"
        if query.get("model", [""])[0] != "ink-2":
            return "no such model"
        return None if query.get("encoding", [""])[0] in ENCODINGS else "unknown encoding"
