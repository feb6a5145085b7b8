"""An application's recogniser, as docs.vapi.ai/customization/custom-transcriber describes one: it is told ``start``, hears two channels,
and says partial words as they come and final ones after its own silence."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from tests.providers.fakes.server import KEY, FakeVendor, Session
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

START = {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": 16000, "channels": 2}


class TranscriberSession(Session):
    END_MS = 150

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(Encoding.PCM16, 16000)
        self.agent = bytearray()
        """The other channel."""
        self.partials = 0
        self._final = self._partial = 0
        """Words that have been told."""

    async def told(self, message: dict[str, Any]) -> None:
        assert message == START

    async def hear(self, piece: bytes) -> None:
        both = np.frombuffer(piece, "<i2").reshape(-1, 2)
        self.agent += both[:, 1].tobytes()
        await super().hear(both[:, 0].tobytes())

    async def progress(self) -> None:
        words = self.words()
        if len(words) > self._final and self.heard_ms - words[-1].end_ms >= self.END_MS:
            await self._say("final", [word.word for word in words[self._final :]])
            self._final = self._partial = len(words)
        elif len(words) > self._partial and not self.vendor.silent_until_final:  # type: ignore[attr-defined]
            await self._say("partial", [word.word for word in words[self._final :]])
            self._partial = len(words)

    async def _say(self, kind: str, words: list[str]) -> None:
        message = {"type": "transcriber-response", "transcription": " ".join(words), "channel": "customer"}
        if kind == "partial":
            message["transcriptType"] = kind
            self.partials += 1
        await self.send({**message, "channel": "assistant", "transcription": "an echo"})
        await self.send(message, final=kind == "final")
        await asyncio.sleep(0)


class FakeTranscriber(FakeVendor):
    session_class = TranscriberSession
    silent_until_final = False

    def authorised(self, request: Request) -> bool:
        return request.headers.get("X-Vapi-Secret") == KEY

    @property
    def url(self) -> str:
        return super().url + "/listen?tenant=a"

    def unfit(self, request: Request) -> str | None:
        return None if request.path == "/listen?tenant=a" else "no such path"
