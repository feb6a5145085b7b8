"""AssemblyAI's streaming v3 as its documentation has it: assemblyai.com/docs/streaming/message-sequence,
/docs/api-reference/streaming-api/universal-streaming, /docs/streaming/common-session-errors-and-closures (November 2026).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.speech import Heard
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

ENCODINGS = {"pcm_mulaw": Encoding.MULAW, "pcm_s16le": Encoding.PCM16}


class StreamingSession(Session):
    EVERY_MS, END_MS = 150, 600

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(ENCODINGS[self.query["encoding"][0]], int(self.query["sample_rate"][0]))
        self._turn = 0
        self._turn_ms = self._told_ms = 0.0
        self._formats = self.query.get("format_turns") == ["true"]

    async def greet(self) -> None:
        await self.send({"type": "Begin", "id": "0000", "expires_at": 1_900_000_000})

    async def hear(self, piece: bytes) -> None:
        if not 50 <= self.format.ms_of(len(piece)) <= 1000:
            await self.send({"type": "Error", "error_code": 3007, "error": "Input duration violation"})
            await self.socket.close(3007, "Input duration violation")
            return
        await super().hear(piece)

    def _words(self) -> list[Heard]:
        return [word for word in self.words() if word.start_ms >= self._turn_ms - 1]

    async def progress(self) -> None:
        words = self._words()
        if not words or self.heard_ms - self._told_ms < self.EVERY_MS:
            return
        self._told_ms = self.heard_ms
        if self.heard_ms - words[-1].end_ms >= self.END_MS:
            await self._end(words)
        else:
            await self._tell(words, over=False, formatted=False)

    async def _end(self, words: list[Heard]) -> None:
        await self._tell(words, over=True, formatted=False)
        if self._formats:
            await self._tell(words, over=True, formatted=True)
        self._turn, self._turn_ms = self._turn + 1, self.heard_ms

    async def _tell(self, words: list[Heard], *, over: bool, formatted: bool) -> None:
        final = words if over else words[:-1]
        timed = [
            {
                "start": round(word.start_ms),
                "end": round(word.end_ms),
                "confidence": 0.96,
                "text": word.word,
                "word_is_final": over or word is not words[-1],
            }
            for word in words
        ]
        text = " ".join(word.word for word in final)
        await self.send(
            {
                "type": "Turn",
                "turn_order": self._turn,
                "turn_is_formatted": formatted,
                "end_of_turn": over,
                "transcript": f"{text.capitalize()}." if formatted else text,
                "end_of_turn_confidence": 0.9 if over else 0.1,
                "words": timed,
            },
            final=over,
        )

    async def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "ForceEndpoint":
            if words := self._words():
                await self._end(words)
        elif kind == "Terminate":
            await self.send({"type": "Termination", "audio_duration_seconds": 1, "session_duration_seconds": 1})
            await self.socket.close(1000)
        elif kind not in ("UpdateConfiguration", "KeepAlive"):
            await self.send({"type": "Error", "error_code": 3006, "error": "Invalid message"})
            await self.socket.close(3006, "Invalid message")


class FakeAssemblyAI(FakeVendor):
    session_class = StreamingSession

    def authorised(self, request: Request) -> bool:
        return request.headers.get("Authorization") == KEY

    def unfit(self, request: Request) -> str | None:
        return None if urlsplit(request.path).path == "/v3/ws" else "no such path"
