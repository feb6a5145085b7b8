"""A reply over plain HTTP: each piece of it is a request, whose audio is streamed."""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import numpy as np

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.refusals import Refusals
from antiphon.providers.tts.socket_pool import CONNECT_TIMEOUT_S
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, Piece, VendorStream
from antiphon.vocabulary import AudioFormat, Encoding

MOST_AUDIO_S = 300.0
"""Of one piece, which is a sentence: what sends more never ends."""
_IDLE_CONNECTION_S = 120.0


class HttpVoice(ABC):
    """A voice that is asked for each piece. Implements ``TextToSpeech`` and ``StreamingVoice``, but for ``start``."""

    name: str
    formats = FORMATS

    def __init__(self, url: str, headers: Mapping[str, str], connections: int, audio_timeout_s: float) -> None:
        self.url = url
        self.audio_timeout_s = audio_timeout_s
        self.refusals = Refusals(self.name)
        self._headers, self._most = headers, connections
        self._client: httpx.AsyncClient | None = None

    @abstractmethod
    def made(self, request: VoiceRequest) -> AudioFormat:
        """What it is asked to make for such a call: 16 bits, little-endian, one channel."""

    @abstractmethod
    def body(self, text: str, request: VoiceRequest) -> Mapping[str, Any]:
        """What is posted, as JSON."""

    def transport(self) -> httpx.AsyncBaseTransport | None:
        """What requests go over; None for the library's own."""
        return None

    @property
    def client(self) -> httpx.AsyncClient:
        """Keeps its connections between replies. How long audio may take is watched by the stream."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers=self._headers,
                verify=ssl.create_default_context(),
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
                limits=connection_limits(self._most),
                transport=self.transport(),
            )
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, request: VoiceRequest) -> HttpVoiceStream:
        return HttpVoiceStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)


def connection_limits(connections: int) -> httpx.Limits:
    return httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_CONNECTION_S
    )


class _Converter:
    """From what is made to what is wanted, piece by piece of any number of bytes."""

    def __init__(self, made: AudioFormat, wanted: AudioFormat) -> None:
        self._wanted = wanted
        self._as_it_is = made == wanted
        self._resampler = None if made.rate_hz == wanted.rate_hz else Resampler(made.rate_hz, wanted.rate_hz)
        self._skip = round(self._resampler.delay_ms * wanted.rate_hz / 1000) if self._resampler else 0
        self._odd = b""

    def take(self, audio: bytes, *, last: bool = False) -> bytes:
        audio = self._odd + audio
        whole = len(audio) & ~1
        audio, self._odd = audio[:whole], audio[whole:]
        if self._as_it_is:
            return audio
        samples = codec.decode(audio, Encoding.PCM16)
        if self._resampler is not None:
            parts = [self._resampler.process(samples)] if audio else []
            if last:
                parts.append(self._resampler.flush())
            if not parts:
                return b""
            samples = np.concatenate(parts)
            skipped = min(self._skip, samples.size)
            self._skip -= skipped
            samples = samples[skipped:]
        return codec.encode(samples, self._wanted.encoding)


class HttpVoiceStream(VendorStream):
    """One reply: requests one after the other, the next as soon as the audio of the one before has come."""

    def __init__(self, voice: HttpVoice, request: VoiceRequest) -> None:
        super().__init__(voice.name, request, voice.audio_timeout_s)
        self._voice = voice
        self._task: asyncio.Task[None] | None = None
        self._waiting: asyncio.Queue[Piece] = asyncio.Queue()  # bounded by the reply's length

    async def connect(self) -> bool:
        self._voice.refusals.check()
        self._waiting = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._work(), name=f"{self.provider}-voice")
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
        name = self.provider
        while True:
            piece = await self._waiting.get()
            try:
                await self._speak(piece.text.strip())
            except ProviderError as problem:
                self.failed(problem)
            except httpx.TimeoutException:
                self.failed(ProviderTimeout(name, "no connection in time (setting base_url)"))
            except httpx.RemoteProtocolError:
                self.failed(Lost(name, "the connection was lost"))
            except (httpx.HTTPError, ssl.SSLError, OSError) as error:
                self.failed(ProviderUnavailable(name, f"cannot be reached ({type(error).__name__}; setting base_url)"))

    async def _speak(self, text: str) -> None:
        made = self._voice.made(self.request)
        converter, room = _Converter(made, self.request.audio), made.bytes_for_ms(MOST_AUDIO_S * 1000)
        body = self._voice.body(text, self.request)
        async with self._voice.client.stream("POST", self._voice.url, json=body) as answer:
            if answer.status_code != 200:
                raise self._voice.refusals.refused(answer.status_code, answer.headers)
            kind = answer.headers.get("Content-Type", "")
            if kind.startswith(("text/", "application/json")):
                raise ProviderError(self.provider, "the answer is no audio")
            async for audio in answer.aiter_bytes():
                room -= len(audio)
                if room < 0:
                    raise ProviderError(self.provider, "its audio does not end")
                self.audio(converter.take(audio))
        self.audio(converter.take(b"", last=True))
        self.piece_done()
