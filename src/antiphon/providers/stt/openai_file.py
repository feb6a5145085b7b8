"""File transcription (``/v1/audio/transcriptions``) for OpenAI and every server compatible with it: each utterance is one request.

Protocol: developers.openai.com/api/reference/resources/audio/subresources/transcriptions, and the types of openai 3.57.
"""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import Callable
from typing import Any

import httpx

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.base import (
    DOUBTFUL_PUNCTUATION,
    ExpectedAnswers,
    OnTranscription,
    Partials,
    Transcribed,
    TranscriptionFailed,
)
from antiphon.providers.vendor_settings import tls_context
from antiphon.providers.websocket import presentable, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

LONGEST_MS = 120_000
"""Of one utterance; the rest is not heard. The documented limit of a file is 25 MB."""
SHORTEST_MS = 100
"""Shorter files are refused by OpenAI; there is no word in them."""
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_RETRY_AFTER_S = 0.25


class OpenAIFileSpeechToText:
    """Implements ``SpeechToText``."""

    name = "openai-file"
    formats = (AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 8000), TELEPHONE)
    continuous = False
    partials: Partials = "none"
    punctuation = DOUBTFUL_PUNCTUATION

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-transcribe",
        language: str = "",
        *,
        prompt: str = "",
        timeout_ms: int = 10_000,
        ca_file: str = "",
    ) -> None:
        """``api_key`` may be empty for a server of one's own. ``language``: ISO 639-1. Raises ConfigurationError."""
        if not api_key.isascii() or (api_key and not api_key.isprintable()):
            raise ConfigurationError("api_key", "must be printable ASCII")
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError("base_url", "must be an address like https://host/v1")
        if timeout_ms <= 0:
            raise ConfigurationError("timeout_ms", "must be positive")
        self._key = api_key.strip()
        self._address = f"{base_url.rstrip('/')}/audio/transcriptions"
        self.model = model
        self._fields = {"model": model, "response_format": "json"}
        if language:
            self._fields["language"] = language
        if prompt:
            self._fields["prompt"] = prompt
        self._timeout_s, self._ca_file = timeout_ms / 1000, ca_file
        self._client: httpx.AsyncClient | None = None
        self._streams: set[FileTranscription] = set()

    async def start(self) -> None:
        """Opens the pool; nothing is asked of the vendor before a call."""
        self._client = self._new_client(await asyncio.to_thread(tls_context, self._ca_file))

    def _new_client(self, tls: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return httpx.AsyncClient(headers=headers, timeout=self._timeout_s, verify=tls)

    async def close(self) -> None:
        for stream in list(self._streams):
            stream.close()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> FileTranscription:
        if audio not in self.formats:
            raise ProviderError(self.name, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        stream = FileTranscription(self, audio, on_event, self._streams.discard)
        self._streams.add(stream)
        return stream

    async def transcribe(self, file: bytes) -> str:
        """The words in a WAV file. Raises ProviderError."""
        if self._client is None:
            self._client = self._new_client(tls_context(self._ca_file))
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._post(self._client, file)
                if answer.status_code in _RETRIED:
                    await asyncio.sleep(_RETRY_AFTER_S)
                    answer = await self._post(self._client, file)
        except (TimeoutError, httpx.TimeoutException):
            raise ProviderTimeout(self.name, "no answer in time") from None
        except httpx.HTTPError as error:
            problem = f"cannot be reached ({type(error).__name__}): check the options base_url and ca_file"
            raise ProviderUnavailable(self.name, problem) from None
        if answer.status_code != 200:
            raise refusal(self.name, answer.status_code, _reason(answer), secret=self._key).error
        try:
            return str(answer.json()["text"]).strip()
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            raise ProviderError(self.name, "the answer cannot be read: check the option base_url") from None

    async def _post(self, client: httpx.AsyncClient, file: bytes) -> httpx.Response:
        files = {"file": ("speech.wav", file, "audio/wav")}
        return await client.post(self._address, data=self._fields, files=files)


class FileTranscription:
    """One call. Implements ``SpeechToTextStream``."""

    def __init__(
        self,
        engine: OpenAIFileSpeechToText,
        audio: AudioFormat,
        on_event: OnTranscription,
        on_close: Callable[[FileTranscription], None],
    ) -> None:
        self._engine, self._audio, self._on_event, self._on_close = engine, audio, on_event, on_close
        self._most_bytes = audio.bytes_for_ms(LONGEST_MS)
        self._heard = bytearray()
        self._utterance = 0
        self._queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(maxsize=8)
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    def begin(self, utterance: int) -> None:
        if self._closed:
            return
        if self._utterance:
            self.finish(self._utterance)
        self._utterance = utterance
        self._heard.clear()

    @property
    def behind(self) -> bool:
        return False  # a vendor takes audio as fast as the network does

    def push(self, audio: bytes) -> None:
        if self._utterance and len(self._heard) < self._most_bytes:
            self._heard += audio

    def finish(self, utterance: int) -> None:
        if self._closed or not utterance or utterance != self._utterance:
            return
        self._utterance = 0
        heard, self._heard = bytes(self._heard), bytearray()
        try:
            self._queue.put_nowait((utterance, heard))
        except asyncio.QueueFull:
            self._on_event(TranscriptionFailed(utterance, "too many utterances wait for their words"))
            return
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work(), name="file-transcription")

    def expect(self, answers: ExpectedAnswers) -> None:
        """File transcription has no place for expected answers that does not put them into silence's mouth."""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._utterance = 0
        self._heard.clear()
        if self._worker is not None:
            self._worker.cancel()
        self._on_close(self)

    async def _work(self) -> None:
        """One request after the other, so that answers come in order."""
        while not self._queue.empty():
            utterance, heard = self._queue.get_nowait()
            event: Transcribed | TranscriptionFailed
            try:
                short = len(heard) < self._audio.bytes_for_ms(SHORTEST_MS)
                event = Transcribed(
                    utterance, "" if short else await self._engine.transcribe(self._as_file(heard)), True
                )
            except ProviderError as error:
                event = TranscriptionFailed(utterance, error.problem)
            if not self._closed:
                self._on_event(event)

    def _as_file(self, heard: bytes) -> bytes:
        usable = len(heard) - len(heard) % self._audio.bytes_per_sample
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(self._audio.rate_hz)
            writer.writeframes(codec.decode(heard[:usable], self._audio.encoding).tobytes())
        return file.getvalue()


def _reason(answer: httpx.Response) -> str:
    try:
        return presentable(str(answer.json()["error"]["message"]))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return presentable(answer.text[:500])
