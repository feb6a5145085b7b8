"""Soniox's realtime API as its documentation has it: soniox.com/docs/stt/api-reference/websocket-api, /docs/stt/rt/endpoint-detection,
/docs/stt/rt/manual-finalization (November 2026). Tokens are halves of words.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.speech import Heard
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

ENCODINGS = {"mulaw": Encoding.MULAW, "alaw": Encoding.ALAW, "pcm_s16le": Encoding.PCM16}


class TokenSession(Session):
    EVERY_MS, END_MS = 120, 700

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.config: dict[str, Any] = {}
        self._from_ms = self._told_ms = 0.0
        self._sent_final = 0

    async def run(self) -> None:
        if self.fault == "close_at_once":
            await self.socket.close(1011)
            return
        first = await self.socket.recv()
        self.config = json.loads(first)
        if KEY not in (self.config.get("api_key"), self.headers.get("Authorization", "").removeprefix("Bearer ")):
            await self.send({"tokens": [], "error_code": 401, "error_message": "Incorrect API key provided"})
            await self.socket.close(1000)
            return
        self.format = AudioFormat(ENCODINGS[self.config["audio_format"]], self.config["sample_rate"])
        if self.fault == "garbage":
            for message in ("{not json", b"\x00", "[]", '{"tokens":[{"odd":1}]}'):
                await self.socket.send(message)
        async for message in self.socket:
            if self.fault == "mute":
                continue
            if isinstance(message, bytes) and message:
                await self.hear(message)
            elif not message:
                await self.send({"tokens": [], "final_audio_proc_ms": 0, "total_audio_proc_ms": 0, "finished": True})
                await self.socket.close(1000)
                return
            else:
                self.texts.append(json.loads(message))
                if self.texts[-1]["type"] == "finalize":
                    await self._close_words("<fin>")

    def _words(self) -> list[Heard]:
        return [word for word in self.words() if word.start_ms >= self._from_ms - 1]

    async def progress(self) -> None:
        if self.heard_ms - self._told_ms < self.EVERY_MS:
            return
        self._told_ms = self.heard_ms
        words = self._words()
        if words and self.heard_ms - words[-1].end_ms >= self.END_MS:
            await self._close_words("<end>")
            return
        final = max(len(words) - 2, self._sent_final)  # all but the last two words will not change
        tokens = [token for word in words[self._sent_final : final] for token in _tokens(word, True)]
        self._sent_final = final
        await self._tell(tokens + [token for word in words[final:] for token in _tokens(word, False)])

    async def _close_words(self, mark: str) -> None:
        tokens = [token for word in self._words()[self._sent_final :] for token in _tokens(word, True)]
        self._from_ms, self._sent_final = self.heard_ms, 0
        if self.fault == "no_finals":
            return
        if self.fault == "late_finals":
            await asyncio.sleep(self.vendor.faults.late_s)
        await self._tell([*tokens, {"text": mark, "is_final": True}])

    async def _tell(self, tokens: list[dict[str, Any]]) -> None:
        await self.send(
            {
                "tokens": tokens,
                "final_audio_proc_ms": round(self._from_ms),
                "total_audio_proc_ms": round(self.heard_ms),
            }
        )


def _tokens(word: Heard, final: bool) -> list[dict[str, Any]]:
    half, middle_ms = (len(word.word) + 1) // 2, (word.start_ms + word.end_ms) / 2
    pieces = [(f" {word.word[:half]}", word.start_ms, middle_ms), (word.word[half:], middle_ms, word.end_ms)]
    return [
        {"text": text, "start_ms": round(start), "end_ms": round(end), "confidence": 0.95, "is_final": final}
        for text, start, end in pieces
        if text
    ]


class FakeSoniox(FakeVendor):
    session_class = TokenSession

    def authorised(self, request: Request) -> bool:
        return True  # a wrong key is told by the first message

    def unfit(self, request: Request) -> str | None:
        return None if urlsplit(request.path).path == "/transcribe-websocket" else "no such path"
