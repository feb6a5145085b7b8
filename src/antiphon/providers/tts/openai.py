"""OpenAI's voices over HTTP: each piece of a reply is a request to ``/v1/audio/speech``, whose audio is streamed.

The wire: platform.openai.com/docs/api-reference/audio/createSpeech and ``SpeechCreateParams`` of the vendor's Python package. The vendor
makes 24 kHz PCM; a telephone's µ-law is made of it here. It times no words. Servers of others that speak the same protocol
(``base_url``) will do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import numpy as np
import structlog

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.refusals import Refusals
from antiphon.providers.tts.socket_pool import CONNECT_TIMEOUT_S
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, Piece, VendorStream
from antiphon.providers.vendor_settings import http_url
from antiphon.vocabulary import AudioFormat, Encoding

NAME = "openai"
NATIVE = AudioFormat(Encoding.PCM16, 24000)
SLOWEST, FASTEST = 0.25, 4.0
_IDLE_CONNECTION_S = 120.0

log = structlog.get_logger(__name__)


class _Converter:
    """From what the vendor makes to what is wanted, piece by piece of any number of bytes."""

    def __init__(self, wanted: AudioFormat) -> None:
        self._wanted = wanted
        self._resampler = None if wanted.rate_hz == NATIVE.rate_hz else Resampler(NATIVE.rate_hz, wanted.rate_hz)
        self._skip = round(self._resampler.delay_ms * wanted.rate_hz / 1000) if self._resampler else 0
        self._odd = b""

    def take(self, audio: bytes, *, last: bool = False) -> bytes:
        audio = self._odd + audio
        whole = len(audio) & ~1
        audio, self._odd = audio[:whole], audio[whole:]
        if self._resampler is None:
            return audio
        parts = [self._resampler.process(codec.decode(audio, Encoding.PCM16))] if audio else []
        if last:
            parts.append(self._resampler.flush())
        if not parts:
            return b""
        samples = np.concatenate(parts)
        skipped = min(self._skip, samples.size)
        self._skip -= skipped
        return codec.encode(samples[skipped:], self._wanted.encoding)


class OpenAIStream(VendorStream):
    """One reply: requests one after the other, the next as soon as the audio of the one before has come."""

    def __init__(self, voice: OpenAITextToSpeech, request: VoiceRequest) -> None:
        super().__init__(NAME, request, voice.audio_timeout_s)
        self._voice = voice
        self._task: asyncio.Task[None] | None = None
        self._waiting: asyncio.Queue[Piece] = asyncio.Queue()  # bounded by the reply's length

    async def connect(self) -> bool:
        self._voice.refusals.check()
        self._waiting = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._work(), name="openai-voice")
        return False  # the client replaces connections that died by itself

    def send_piece(self, piece: Piece) -> None:
        self._waiting.put_nowait(piece)

    def send_end(self) -> None:
        """Every piece is a request of its own."""

    def disconnect(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _work(self) -> None:
        while True:
            piece = await self._waiting.get()
            try:
                await self._speak(piece.text.strip())
            except ProviderError as problem:
                self.failed(problem)
            except httpx.TimeoutException:
                self.failed(ProviderTimeout(NAME, "no connection in time (setting base_url)"))
            except httpx.RemoteProtocolError:
                self.failed(Lost(NAME, "the connection was lost"))
            except (httpx.HTTPError, ssl.SSLError, OSError) as error:
                self.failed(ProviderUnavailable(NAME, f"cannot be reached ({type(error).__name__}; setting base_url)"))

    async def _speak(self, text: str) -> None:
        converter = _Converter(self.request.audio)
        async with self._voice.client.stream(
            "POST", self._voice.url, json=self._voice.body(text, self.request)
        ) as answer:
            if answer.status_code != 200:
                raise self._voice.refusals.refused(answer.status_code, answer.headers)
            kind = answer.headers.get("Content-Type", "")
            if kind.startswith(("text/", "application/json")):
                raise ProviderError(NAME, "the vendor's answer is no audio")
            async for audio in answer.aiter_bytes():
                self.audio(converter.take(audio))
        self.audio(converter.take(b"", last=True))
        self.piece_done()


class OpenAITextToSpeech:
    """Implements ``TextToSpeech`` and ``StreamingVoice``. Words are not timed."""

    name = NAME
    formats = FORMATS
    needs_key = True

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-4o-mini-tts",
        voice: str = "marin",
        language: str = "",
        instructions: str = "",
        sockets: int = 100,
        audio_timeout_ms: int = 5_000,
    ) -> None:
        """``instructions`` say how the voice shall sound. The vendor finds out the language from the text; ``language`` is told to it with
        the instructions. Raises ConfigurationError."""
        check_vendor(api_key, audio_timeout_ms, sockets)
        if len(instructions) > 4096:
            raise ConfigurationError("tts.instructions", "must not be longer than 4096 characters")
        self.url = f"{http_url(base_url, 'tts.base_url')}/audio/speech"
        self.model = model
        self._default_voice = voice
        self._instructions = " ".join(
            filter(None, [instructions, f"Speak the language {language} (ISO 639-1)." if language else ""])
        )
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._most = sockets
        self._client: httpx.AsyncClient | None = None
        self.audio_timeout_s = audio_timeout_ms / 1000
        self.refusals = Refusals(NAME)

    @property
    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers=self._headers,
                verify=ssl.create_default_context(),
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
                limits=httpx.Limits(
                    max_connections=self._most,
                    max_keepalive_connections=self._most,
                    keepalive_expiry=_IDLE_CONNECTION_S,
                ),
            )
        return self._client

    async def start(self) -> None:
        """Connect, so that the first reply need not. Raises ProviderUnavailable where the vendor refuses the key."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                answer = await self.client.get(self.url.removesuffix("/audio/speech") + "/models")
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise ProviderUnavailable(NAME, f"cannot be reached ({type(error).__name__}; setting base_url)") from None
        if answer.status_code in (401, 403):
            raise self.refusals.refused(answer.status_code, answer.headers)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, request: VoiceRequest) -> OpenAIStream:
        return OpenAIStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

    def body(self, text: str, request: VoiceRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "voice": request.voice or self._default_voice,
            "input": text,
            "response_format": "pcm",
            "stream_format": "audio",
        }
        if request.speed != 1.0:
            body["speed"] = speed_within(NAME, request.speed, SLOWEST, FASTEST)
        if self._instructions and not self.model.startswith("tts-1"):
            body["instructions"] = self._instructions
        return body
