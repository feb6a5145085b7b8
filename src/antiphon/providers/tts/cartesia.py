"""Cartesia's Sonic: one context of its WebSocket for each reply; many replies share a connection.

The wire: docs.cartesia.ai/api-reference/tts/websocket, …/use-the-api/tts-websocket/contexts and …/context-flushing-and-flush-i-ds, and
the types ``GenerationRequestParam`` and ``WebsocketResponse`` of the vendor's Python package.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import orjson

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import VoiceRequest
from antiphon.providers.tts.vendor_stream import Piece
from antiphon.providers.tts.vendor_voice import ReplySocket, SocketStream, VendorVoice
from antiphon.providers.tts.vendor_words import meaning
from antiphon.providers.websocket import refusal
from antiphon.vocabulary import Encoding

VERSION = "2026-03-01"
CONTEXTS_A_SOCKET = 24
"""The vendor speaks of dozens; what an account may do at once is less."""
QUIETEST, LOUDEST = 0.5, 2.0
_CONTEXT_LASTS_S = 0.8
"""A context is gone a second after its last audio; a later piece gets a new one."""
_ENCODINGS = {Encoding.PCM16: "pcm_s16le", Encoding.MULAW: "pcm_mulaw", Encoding.ALAW: "pcm_alaw"}


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


class _Socket(ReplySocket["CartesiaStream"]):
    """One connection; tells its contexts what is theirs."""

    def told(self, message: bytes) -> None:
        told = _DECODER.decode(message)
        stream = self.contexts.get(told.context_id or "")
        if stream is not None:
            stream.take(told)
        elif told.type == "error" and not told.context_id:
            self.broken(_problem(self.provider, told))

    def let_go(self, stream: CartesiaStream) -> None:
        if stream.context in self.contexts and stream.pieces:
            self.send(orjson.dumps({"context_id": stream.context, "cancel": True}))
        super().let_go(stream)


class CartesiaStream(SocketStream["CartesiaTextToSpeech", _Socket]):
    """One reply. Each piece is flushed by itself, and the vendor tells when it has been; the context keeps its melody."""

    _context_ms = 0.0
    """Of the context's audio, what belongs to pieces that are over."""
    _origin_ms: float | None = None
    """From where the words of the piece at work are timed; None before its first word."""
    _quiet_since_s = 0.0
    _said_again: Piece | None = None
    """The piece that was said again because its context was gone: once."""

    def begin(self, socket: _Socket) -> None:
        self.context = ""  # with the first piece: a context does not wait

    def send_piece(self, piece: Piece) -> None:
        now_s = asyncio.get_running_loop().time()
        idle = self.pieces[0] is piece
        if not self.context or (idle and self._quiet_since_s and now_s - self._quiet_since_s > _CONTEXT_LASTS_S):
            self._new_context()
        # Transcripts are joined as they are, so the blank between two pieces is part of the first.
        self._send({"transcript": f"{piece.text.strip()} ", "continue": True})
        self._send({"transcript": "", "continue": True, "flush": True})

    def send_end(self) -> None:
        if self.context:
            self._send({"transcript": "", "continue": False})

    def take(self, told: _Message) -> None:
        """One message of this context."""
        match told.type:
            case "chunk":
                self.audio(self.read_base64(told.data or ""))
            case "timestamps":
                self._words_told(told.word_timestamps)
            case "flush_done":
                # Where a connection does not buffer it flushes of itself, too: one that follows no audio ends nothing.
                if self.spoken_bytes:
                    self._piece_over()
            case "done":
                self._context_over()
            case "error":
                self.failed(ProviderError(self.provider, _problem(self.provider, told)))

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
        if self.socket is not None:
            self.socket.contexts.pop(self.context, None)
        self.context = ""
        if self.spoken_bytes:
            self._piece_over()
        waiting = [piece for piece in self.pieces if piece.sounds]
        if waiting and self._said_again is waiting[0]:
            self.failed(ProviderError(self.provider, "the vendor ended before it had said everything"))
        elif waiting:  # said to a context that was about to go
            self._said_again = waiting[0]
            for piece in waiting:
                self.send_piece(piece)
            if self.ended:
                self.send_end()

    def _new_context(self) -> None:
        if self.socket is not None:
            self.socket.contexts.pop(self.context, None)
            self.context = self.socket.begin(self)
        self._context_ms, self._origin_ms = 0.0, None

    def _send(self, fields: dict[str, Any]) -> None:
        if self.socket is not None:
            self.socket.send(orjson.dumps({**self.voice.fields(self.request), "context_id": self.context, **fields}))


def _problem(provider: str, told: _Message) -> str:
    status = told.status_code or 0
    if status in (401, 402, 403, 404, 429):
        return refusal(provider, status).error.problem
    return meaning(told.error_code, told.title, told.message, told.error)


class CartesiaTextToSpeech(VendorVoice):
    """Words are timed by the vendor."""

    name = "cartesia"
    socket_class, stream_class, places = _Socket, CartesiaStream, CONTEXTS_A_SOCKET
    speeds = (0.6, 1.5)

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
        super().__init__(
            api_key=api_key, base_url=base_url, model=model, voice=voice, language=language, sockets=sockets,
            audio_timeout_ms=audio_timeout_ms, headers={"X-API-Key": api_key, "Cartesia-Version": VERSION},
        )  # fmt: skip
        if not QUIETEST <= volume <= LOUDEST:
            raise ConfigurationError("tts.volume", f"must be {QUIETEST} … {LOUDEST}")
        self._generation = {
            **({"volume": volume} if volume != 1.0 else {}),
            **({"emotion": emotion} if emotion else {}),
        }

    def url(self, request: VoiceRequest) -> str:
        return f"{self.base_url}/tts/websocket?cartesia_version={VERSION}"

    def fields(self, request: VoiceRequest) -> dict[str, Any]:
        """What every request of one context repeats."""
        speed = self.speed(request)
        generation = {**self._generation, **({"speed": speed} if speed is not None else {})}
        language = self.language or request.language
        return {
            "model_id": self.model,
            "voice": {"mode": "id", "id": request.voice or self.default_voice},
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
