"""Cartesia's Sonic: one context of its WebSocket for each reply; many replies share a connection.

The wire: docs.cartesia.ai/api-reference/tts/websocket, …/use-the-api/tts-websocket/contexts and …/context-flushing-and-flush-i-ds, and
the types ``GenerationRequestParam`` and ``WebsocketResponse`` of the vendor's Python package.
"""

from __future__ import annotations

import asyncio
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import orjson
import structlog

from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within, websocket_url
from antiphon.providers.tts.vendor_socket import SocketPool, VendorSocket, meaning, refusal
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, Piece, VendorStream
from antiphon.vocabulary import Encoding

NAME = "cartesia"
VERSION = "2026-03-01"
CONTEXTS_A_SOCKET = 24
"""The vendor speaks of dozens; what an account may do at once is less."""
SLOWEST, FASTEST = 0.6, 1.5
QUIETEST, LOUDEST = 0.5, 2.0
_CONTEXT_LASTS_S = 0.8
"""A context is gone a second after its last audio; a later piece gets a new one."""
_ENCODINGS = {Encoding.PCM16: "pcm_s16le", Encoding.MULAW: "pcm_mulaw", Encoding.ALAW: "pcm_alaw"}

log = structlog.get_logger(__name__)


class _Words(msgspec.Struct):
    words: list[str] = []
    start: list[float] = []
    end: list[float] = []


class _Message(msgspec.Struct):
    type: str = ""
    context_id: str | None = None
    data: str | None = None
    status_code: int | None = None
    word_timestamps: _Words | None = None
    error_code: str | None = None
    title: str | None = None
    message: str | None = None
    error: str | None = None


_DECODER = msgspec.json.Decoder(_Message)


class _Socket(VendorSocket):
    """One connection; tells its contexts what is theirs. What comes for a context that nobody listens to is let go."""

    def __init__(self, url: str, pool: SocketPool) -> None:
        super().__init__(NAME, url)
        self._pool = pool
        self.contexts: dict[str, CartesiaStream] = {}
        self._serial = 0

    def begin(self, stream: CartesiaStream) -> str:
        self._serial += 1
        context = f"r{self._serial}"
        self.contexts[context] = stream
        return context

    def on_text(self, message: bytes) -> None:
        try:
            told = _DECODER.decode(message)
        except msgspec.DecodeError:
            self._broken("the vendor sent a message that cannot be read")
            return
        stream = self.contexts.get(told.context_id or "")
        if stream is not None:
            stream.take(told)
        elif told.type == "error" and not told.context_id:
            self._broken(_problem(told))

    def on_lost(self, problem: str) -> None:
        self._pool.lost(self)
        contexts, self.contexts = self.contexts, {}
        for stream in contexts.values():
            stream.failed(Lost(NAME, problem))

    def _broken(self, problem: str) -> None:
        for stream in tuple(self.contexts.values()):
            stream.failed(ProviderUnavailable(NAME, problem))
        self._pool.retire(self)


class CartesiaStream(VendorStream):
    """One reply. Each piece is flushed by itself, and the vendor tells when it has been; the context keeps its melody."""

    def __init__(self, voice: CartesiaTextToSpeech, request: VoiceRequest) -> None:
        super().__init__(NAME, request, voice.audio_timeout_s)
        self._voice = voice
        self._socket: _Socket | None = None
        self._context = ""
        self._context_ms = 0.0
        """Of the context's audio, what belongs to pieces that are over."""
        self._origin_ms: float | None = None
        """From where the words of the piece at work are timed; None before its first word."""
        self._quiet_since_s = 0.0
        self._said_again: Piece | None = None
        """The piece that was said again because its context was gone: once."""

    async def connect(self) -> bool:
        socket = await self._voice.pool.lease(self._voice.url)
        assert isinstance(socket, _Socket)
        self._socket = socket
        self._context = ""
        return socket.used

    def send_piece(self, piece: Piece) -> None:
        now_s = asyncio.get_running_loop().time()
        idle = self.pieces[0] is piece
        if not self._context or (idle and self._quiet_since_s and now_s - self._quiet_since_s > _CONTEXT_LASTS_S):
            self._new_context()
        # Transcripts are joined as they are, so the blank between two pieces is part of the first.
        self._send({"transcript": f"{piece.text.strip()} ", "continue": True})
        self._send({"transcript": "", "continue": True, "flush": True})

    def send_end(self) -> None:
        if self._context:
            self._send({"transcript": "", "continue": False})

    def disconnect(self) -> None:
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._context in socket.contexts:
            del socket.contexts[self._context]
            if self.pieces:
                socket.send(orjson.dumps({"context_id": self._context, "cancel": True}))
        self._voice.pool.release(socket)

    def take(self, told: _Message) -> None:
        """One message of this context."""
        match told.type:
            case "chunk":
                self._chunk(told.data or "")
            case "timestamps":
                self._words_told(told.word_timestamps)
            case "flush_done":
                # Where a connection does not buffer it flushes of itself, too: one that follows no audio ends nothing.
                if self.spoken_bytes:
                    self._piece_over()
            case "done":
                self._context_over()
            case "error":
                self.failed(ProviderError(NAME, _problem(told)))

    def _chunk(self, data: str) -> None:
        try:
            audio = a2b_base64(data)
        except (NotBase64, ValueError):
            self.failed(ProviderError(NAME, "the vendor sent audio that cannot be read"))
            return
        self.audio(audio)

    def _words_told(self, told: _Words | None) -> None:
        for word, start_s, end_s in zip(told.words, told.start, told.end, strict=False) if told else ():
            start_ms = start_s * 1000
            if self._origin_ms is None:
                # Times count from the context's first sample; where they do not, from the flush's.
                self._origin_ms = self._context_ms if start_ms >= self._context_ms - 100 else 0.0
            self.timed_word(word, start_ms - self._origin_ms, end_s * 1000 - self._origin_ms)

    def _piece_over(self) -> None:
        self._context_ms += self.request.audio.ms_of(self.spoken_bytes)
        self._origin_ms = None
        self._quiet_since_s = asyncio.get_running_loop().time()
        self.piece_done()

    def _context_over(self) -> None:
        """By our end, or because it had nothing to do for a second."""
        if self._socket is not None:
            self._socket.contexts.pop(self._context, None)
        self._context = ""
        if self.spoken_bytes:
            self._piece_over()
        waiting = [piece for piece in self.pieces if piece.sounds]
        if waiting and self._said_again is waiting[0]:
            self.failed(ProviderError(NAME, "the vendor ended before it had said everything"))
        elif waiting:  # said to a context that was about to go
            self._said_again = waiting[0]
            for piece in waiting:
                self.send_piece(piece)
            if self.ended:
                self.send_end()

    def _new_context(self) -> None:
        if self._socket is not None:
            self._socket.contexts.pop(self._context, None)
            self._context = self._socket.begin(self)
        self._context_ms, self._origin_ms = 0.0, None

    def _send(self, fields: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(orjson.dumps({**self._voice.fields(self.request), "context_id": self._context, **fields}))


def _problem(told: _Message) -> str:
    found = meaning(told.error_code or "", told.title or "", told.message or "", told.error or "")
    status = told.status_code or 0
    return refusal(status) if status in (401, 402, 403, 404, 429) else found


class CartesiaTextToSpeech:
    """Implements ``TextToSpeech`` and ``StreamingVoice``. Words are timed by the vendor."""

    name = NAME
    formats = FORMATS
    needs_key = True

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "wss://api.cartesia.ai",
        model: str = "sonic-3.5",
        voice: str = "a0e99841-438c-4a64-b679-ae501e7d6091",
        language: str = "",
        volume: float = 1.0,
        emotion: str = "",
        sockets: int = 8,
        audio_timeout_ms: int = 4_000,
    ) -> None:
        """``voice`` is the vendor's id of a voice, ``language`` (ISO 639-1) wins over that of the assistant, ``volume`` is 0.5 … 2,
        ``emotion`` one that the vendor names. Raises ConfigurationError."""
        check_vendor(NAME, api_key, audio_timeout_ms, sockets)
        if not QUIETEST <= volume <= LOUDEST:
            raise ConfigurationError("tts.volume", f"must be {QUIETEST} … {LOUDEST}")
        self.url = f"{websocket_url(base_url)}/tts/websocket?cartesia_version={VERSION}"
        self.model = model
        self._default_voice = voice
        self._language = language
        self._generation = {
            **({"volume": volume} if volume != 1.0 else {}),
            **({"emotion": emotion} if emotion else {}),
        }
        self.audio_timeout_s = audio_timeout_ms / 1000
        headers = {"X-API-Key": api_key, "Cartesia-Version": VERSION}
        self.pool = SocketPool(NAME, self._make, headers, places=CONTEXTS_A_SOCKET, most=sockets)

    async def start(self) -> None:
        """Connect. Raises ProviderUnavailable where the vendor refuses."""
        await self.pool.warm(self.url)

    async def close(self) -> None:
        self.pool.close()

    def open(self, request: VoiceRequest) -> CartesiaStream:
        return CartesiaStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

    def fields(self, request: VoiceRequest) -> dict[str, Any]:
        """What every request of one context repeats."""
        generation: dict[str, Any] = dict(self._generation)
        if request.speed != 1.0:
            generation["speed"] = speed_within(NAME, request.speed, SLOWEST, FASTEST)
        language = self._language or request.language
        return {
            "model_id": self.model,
            "voice": {"mode": "id", "id": request.voice or self._default_voice},
            "output_format": {
                "container": "raw",
                "encoding": _ENCODINGS[request.audio.encoding],
                "sample_rate": request.audio.rate_hz,
            },
            "add_timestamps": True,
            "max_buffer_delay_ms": 0,
            **({"language": language} if language else {}),
            **({"generation_config": generation} if generation else {}),
        }

    def _make(self, url: str) -> _Socket:
        return _Socket(url, self.pool)
