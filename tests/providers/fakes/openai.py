"""OpenAI's transcription: sessions (developers.openai.com/api/docs/guides/realtime-transcription,
/api/reference/resources/realtime/client-events and /server-events) and files (/api/docs/guides/speech-to-text), as of November 2026.
"""

from __future__ import annotations

import base64
import io
import itertools
import wave
from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.speech import recognise
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

ENCODINGS = {"audio/pcm": Encoding.PCM16, "audio/pcmu": Encoding.MULAW, "audio/pcma": Encoding.ALAW}
MODELS = ("gpt-live-transcribe", "gpt-transcribe", "whisper-1")


class TranscriptionSession(Session):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = AudioFormat(Encoding.PCM16, 24000)
        self.config: dict[str, Any] = {}
        self._item = 1
        self._told = 0
        self._event = itertools.count(1)

    async def _send(self, kind: str, *, final: bool = False, **fields: Any) -> None:
        await self.send({"type": kind, "event_id": f"event_{next(self._event)}", **fields}, final=final)

    async def greet(self) -> None:
        await self._send(
            "session.created", session={"type": "transcription", "id": "sess_1", "object": "realtime.session"}
        )

    async def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "session.update":
            await self._update(message["session"])
        elif kind == "input_audio_buffer.append":
            await self.hear(base64.b64decode(message["audio"]))
        elif kind == "input_audio_buffer.commit":
            await self._commit()
        else:
            await self._error("unknown_event", f"no such event: {kind}")

    async def _update(self, session: dict[str, Any]) -> None:
        heard = session["audio"]["input"]
        model = heard["transcription"]["model"]
        if model not in MODELS:
            await self._error("model_not_found", f"The model {model} does not exist")
            return
        self.config = heard
        self.format = AudioFormat(ENCODINGS[heard["format"]["type"]], int(heard["format"].get("rate", 8000)))
        if self.fault != "never_ready":
            await self._send("session.updated", session={"id": "sess_1", "object": "realtime.session", **session})

    async def _error(self, code: str, message: str) -> None:
        await self._send("error", error={"type": "invalid_request_error", "code": code, "message": message})

    async def progress(self) -> None:
        words = self.words()
        if len(words) - 1 > self._told and self.config["transcription"]["model"] == "gpt-live-transcribe":
            text = "".join(f" {word.word}" for word in words[self._told : -1])
            self._told = len(words) - 1
            await self._delta(text)

    async def _delta(self, text: str) -> None:
        await self._send(
            "conversation.item.input_audio_transcription.delta",
            item_id=f"item_{self._item}",
            content_index=0,
            delta=text,
        )

    async def _commit(self) -> None:
        if self.heard_ms < 100:
            await self._error(
                "input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small."
            )
            return
        words, item = self.words(), f"item_{self._item}"
        self.audio.clear()
        self._item, self._told = self._item + 1, 0
        await self._send("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        await self._send(
            "conversation.item.input_audio_transcription.completed",
            final=True,
            item_id=item,
            content_index=0,
            transcript=" ".join(word.word for word in words),
            usage={"type": "duration", "seconds": 1.0},
        )


class FakeOpenAI(FakeVendor):
    session_class = TranscriptionSession

    @property
    def base_url(self) -> str:
        return f"https://localhost:{self.port}/v1"

    def unfit(self, request: Request) -> str | None:
        address = urlsplit(request.path)
        if address.path.removeprefix("/v1") != "/realtime":
            return "no such path"
        return None if parse_qs(address.query).get("intent") == ["transcription"] else "no intent"


def file_app(answers: deque[int], seen: list[dict[str, Any]]) -> Starlette:
    """``/v1/audio/transcriptions``: answers with the words in the file, or with the next status of ``answers``."""

    async def transcribe(request: HttpRequest) -> Response:
        if request.headers.get("authorization") not in (None, f"Bearer {KEY}"):
            return JSONResponse({"error": {"message": f"Incorrect API key provided: {KEY[:4]}"}}, 401)
        if answers and (status := answers.popleft()) != 200:
            return JSONResponse({"error": {"message": "on command", "code": None}}, status)
        async with request.form() as form:
            file = await form["file"].read()  # type: ignore[union-attr]
            seen.append({name: value for name, value in form.items() if name != "file"})
        with wave.open(io.BytesIO(file)) as reader:
            audio = AudioFormat(Encoding.PCM16, reader.getframerate())
            words = recognise(reader.readframes(reader.getnframes()), audio)
        return JSONResponse({"text": " ".join(word.word for word in words)})

    return Starlette(routes=[Route("/v1/audio/transcriptions", transcribe, methods=["POST"])])
