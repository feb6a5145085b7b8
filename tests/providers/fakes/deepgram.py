"""Deepgram's ``/v1/listen`` as its documentation has it: developers.deepgram.com/reference/speech-to-text/listen-streaming,
/docs/interim-results, /docs/endpointing, /docs/finalize, /docs/audio-keep-alive, /docs/close-stream (pages of November 2026).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.fakes.server import FakeVendor, Session
from tests.providers.fakes.speech import Heard
from websockets.http11 import Request

from antiphon.bench.vendors.messages import TimedWord, deepgram_metadata, deepgram_results
from antiphon.vocabulary import AudioFormat, Encoding

ENCODINGS = {"mulaw": Encoding.MULAW, "alaw": Encoding.ALAW, "linear16": Encoding.PCM16}
INTERIM_EVERY_MS = 200


class NovaSession(Session):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(ENCODINGS[self.query["encoding"][0]], int(self.query["sample_rate"][0]))
        self._final_ms = 0.0
        self._told_ms = 0.0
        self._endpointing_ms = int(self.query.get("endpointing", ["10"])[0].replace("false", "0"))

    def _new_words(self) -> list[Heard]:
        return [word for word in self.words() if word.start_ms >= self._final_ms - 1]

    async def progress(self) -> None:
        if self.heard_ms - self._told_ms < INTERIM_EVERY_MS:
            return
        self._told_ms = self.heard_ms
        words = self._new_words()
        quiet_ms = self.heard_ms - words[-1].end_ms if words else 0.0
        if words and self._endpointing_ms and quiet_ms >= self._endpointing_ms:
            await self._results(words, final=True, speech_final=True)
        elif not words and self.heard_ms - self._final_ms >= 3000:
            await self._results(words, final=True)
        else:
            await self._results(words, final=False)

    async def _results(
        self, words: list[Heard], *, final: bool, speech_final: bool = False, from_finalize: bool = False
    ) -> None:
        start_ms, end_ms = self._final_ms, self.heard_ms
        if final:
            self._final_ms = end_ms
        told = [TimedWord(word.word, word.start_ms, word.end_ms) for word in words]
        await self.send(
            deepgram_results(
                told, start_ms, end_ms, final=final, speech_final=speech_final, from_finalize=from_finalize
            ),
            final=final,
        )

    async def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "Finalize":
            await self._results(self._new_words(), final=True, from_finalize=True)
        elif kind == "CloseStream":
            if words := self._new_words():
                await self._results(words, final=True)
            await self.send(deepgram_metadata(self.heard_ms))
            await self.socket.close(1000)
        elif kind != "KeepAlive":
            await self.socket.close(1008, "DATA-0000: unknown message")


class FluxSession(Session):
    """``/v2/listen``: developers.deepgram.com/docs/flux/quickstart, /docs/flux/state, /docs/flux/configuration."""

    EAGER_MS, END_MS, UPDATE_MS = 120, 600, 240

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(ENCODINGS[self.query["encoding"][0]], int(self.query["sample_rate"][0]))
        self._sequence = self._turn = 0
        self._turn_ms = self._told_ms = 0.0
        self._started = self._eager = False
        self._known = 0

    async def greet(self) -> None:
        await self._send({"type": "Connected", "request_id": "0000"})

    async def _send(self, message: dict[str, Any], *, final: bool = False) -> None:
        await self.send({**message, "sequence_id": self._sequence}, final=final)
        self._sequence += 1

    async def progress(self) -> None:
        words = [word for word in self.words() if word.start_ms >= self._turn_ms - 1]
        quiet_ms = self.heard_ms - words[-1].end_ms if words else 0.0
        if words and not self._started:
            self._started = True
            await self._tell("StartOfTurn", words, 0.01)
        elif self._eager and len(words) > self._known:
            self._eager = False
            await self._tell("TurnResumed", words, 0.1)
        elif words and quiet_ms >= self.END_MS:
            await self.end_turn(words, "model")
        elif words and not self._eager and quiet_ms >= self.EAGER_MS and "eager_eot_threshold" in self.query:
            self._eager = True
            await self._tell("EagerEndOfTurn", words, 0.5)
        elif self.heard_ms - self._told_ms >= self.UPDATE_MS:
            await self._tell("Update", words, 0.1)
        self._known = len(words) if self._started else 0

    async def end_turn(self, words: list[Heard], trigger: str) -> None:
        await self._tell("EndOfTurn", words, 0.9, trigger=trigger)
        self._turn, self._turn_ms, self._started, self._eager = self._turn + 1, self.heard_ms, False, False

    async def _tell(self, event: str, words: list[Heard], sure: float, **more: str) -> None:
        self._told_ms = self.heard_ms
        text = " ".join(word.word for word in words)
        await self._send(
            {
                "type": "TurnInfo",
                "request_id": "0000",
                "event": event,
                "turn_index": self._turn,
                "audio_window_start": self._turn_ms / 1000,
                "audio_window_end": self.heard_ms / 1000,
                "transcript": text,
                "words": [{"word": word.word, "confidence": 0.97, **self._times(word)} for word in words],
                "end_of_turn_confidence": sure,
                **more,
            },
            final=event == "EndOfTurn",
        )

    def _times(self, word: Heard) -> dict[str, float]:
        vendor = self.vendor
        assert isinstance(vendor, FakeFlux)
        return {"start": word.start_ms / 1000, "end": word.end_ms / 1000} if vendor.times_words else {}

    async def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "ForceEndTurn":
            await self.end_turn([word for word in self.words() if word.start_ms >= self._turn_ms - 1], "manual")
        elif kind == "Configure":
            await self._send(
                {"type": "ConfigureSuccess", "request_id": "0000", "keyterms": message.get("keyterms", [])}
            )
        elif kind == "CloseStream":
            await self.socket.close(1000)
        else:
            await self._send({"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": "unknown message"})
            await self.socket.close(1008, "unknown message")


class FakeFlux(FakeVendor):
    session_class = FluxSession
    times_words = True

    def unfit(self, request: Request) -> str | None:
        query = parse_qs(urlsplit(request.path).query)
        if urlsplit(request.path).path != "/v2/listen":
            return "no such path"
        return None if query.get("model", [""])[0].startswith("flux-general-") else "unknown model"


class FakeDeepgram(FakeVendor):
    session_class = NovaSession

    def unfit(self, request: Request) -> str | None:
        query = parse_qs(urlsplit(request.path).query)
        if urlsplit(request.path).path != "/v1/listen":
            return "no such path"
        if query.get("model", [""])[0] not in ("nova-3", "nova-2"):
            return "No such model/language/tier combination found."
        return None if query.get("encoding", [""])[0] in ENCODINGS else "unknown encoding"
