"""Deepgram's Aura: one connection of ``/v1/speak`` for each reply that is being spoken, kept for the next.

The wire: developers.deepgram.com/reference/text-to-speech/speak-streaming and …/docs/tts-ws-flush, tts-ws-clear, and the types of
``deepgram.speak.v1`` in the vendor's Python package. It times no words.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog

from antiphon.errors import ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within, websocket_url
from antiphon.providers.tts.vendor_socket import SocketPool, VendorSocket, meaning
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, Piece, VendorStream
from antiphon.vocabulary import TELEPHONE, Encoding

NAME = "deepgram"
SLOWEST, FASTEST = 0.7, 1.5
FLUSHES, FLUSHES_WITHIN_S = 20, 60.0
"""The vendor's limit for one connection: what is left of a reply goes to another one."""
MOST_CHARACTERS = 2_000
"""Of one message."""
_CLEARED_WITHIN_S = 2.0
"""A connection that still speaks a reply nobody wants is replaced then."""
_ENCODINGS = {Encoding.PCM16: "linear16", Encoding.MULAW: "mulaw", Encoding.ALAW: "alaw"}

log = structlog.get_logger(__name__)


class _Message(msgspec.Struct):
    type: str = ""
    code: Any = None
    description: str | None = None
    err_code: str | None = None
    err_msg: str | None = None


_DECODER = msgspec.json.Decoder(_Message)
_ENCODER = msgspec.json.Encoder()


class _Socket(VendorSocket):
    """One connection, for one voice, format and speed; it speaks for one reply at a time."""

    def __init__(self, url: str, pool: SocketPool) -> None:
        super().__init__(NAME, url)
        self._pool = pool
        self.stream: DeepgramStream | None = None
        self._clearing: asyncio.TimerHandle | None = None
        self._flushes: deque[float] = deque()

    @property
    def may_flush(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        while self._flushes and now_s - self._flushes[0] > FLUSHES_WITHIN_S:
            self._flushes.popleft()
        return len(self._flushes) < FLUSHES

    def speak(self, text: str) -> None:
        for at in range(0, len(text), MOST_CHARACTERS):
            self.send(_ENCODER.encode({"type": "Speak", "text": text[at : at + MOST_CHARACTERS]}))
        self.send(b'{"type":"Flush"}')
        self._flushes.append(asyncio.get_running_loop().time())

    def leave(self, *, speaking: bool) -> None:
        """Its reply is over; where it is still ``speaking``, it is stopped, and the place is free when it has stopped."""
        self.stream = None
        if speaking and self.is_open:
            self.send(b'{"type":"Clear"}')
            self._clearing = asyncio.get_running_loop().call_later(_CLEARED_WITHIN_S, self._never_cleared)
        else:
            self._release()

    def on_binary(self, message: bytes) -> None:
        if self.stream is not None:
            self.stream.audio(message)

    def on_text(self, message: bytes) -> None:
        try:
            told = _DECODER.decode(message)
        except msgspec.DecodeError:
            self._broken("the vendor sent a message that cannot be read")
            return
        if told.type == "Flushed" and self.stream is not None:
            self.stream.flushed()
        elif told.type == "Cleared" and self._clearing is not None:
            self._clearing.cancel()
            self._clearing = None
            self._release()
        elif told.type == "Warning":
            log.warning("voice_warned", provider=NAME, problem=meaning(str(told.code or ""), told.description or ""))
        elif told.type == "Error" or told.err_code:
            self._broken(meaning(str(told.code or ""), told.description or "", told.err_code or "", told.err_msg or ""))

    def on_lost(self, problem: str) -> None:
        self._pool.lost(self)
        if self._clearing is not None:
            self._clearing.cancel()
            self._clearing = None
            self._release()
        if self.stream is not None:
            self.stream.failed(Lost(NAME, problem))

    def _broken(self, problem: str) -> None:
        if self.stream is not None:
            self.stream.failed(ProviderUnavailable(NAME, problem))
        self._pool.retire(self)

    def _never_cleared(self) -> None:
        self._clearing = None
        self._pool.retire(self)
        self._release()
        self.close()

    def _release(self) -> None:
        if not self.may_flush:
            self._pool.retire(self)
        self._pool.release(self)


class DeepgramStream(VendorStream):
    """One reply. Each piece is flushed by itself, and the vendor tells when it has been."""

    def __init__(self, voice: DeepgramTextToSpeech, request: VoiceRequest) -> None:
        super().__init__(NAME, request, voice.audio_timeout_s)
        self._voice = voice
        self._socket: _Socket | None = None
        self._sent = 0
        """Pieces that the connection was given, and that are not over."""
        self._limited = False
        """Whether the connection may be given no more: what follows waits for another one."""

    async def connect(self) -> bool:
        socket = await self._voice.pool.lease(self._voice.url(self.request))
        assert isinstance(socket, _Socket)
        self._socket, socket.stream, self._sent, self._limited = socket, self, 0, False
        return socket.used

    def send_piece(self, piece: Piece) -> None:
        assert self._socket is not None
        if self._limited or not self._socket.may_flush:
            self._limited = True
            if not self._sent:
                self.renew()
            return
        self._sent += 1
        self._socket.speak(piece.text.strip())

    def send_end(self) -> None:
        """Every piece was flushed."""

    def disconnect(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.leave(speaking=self._sent > 0)

    def flushed(self) -> None:
        """All audio of the first of the pieces has come."""
        if not self._sent:
            return
        self._sent -= 1
        self.piece_done()
        if not self._sent and any(piece.sounds for piece in self.pieces) and not self.has_failed:
            self.renew()


class DeepgramTextToSpeech:
    """Implements ``TextToSpeech`` and ``StreamingVoice``. Words are not timed."""

    name = NAME
    formats = FORMATS
    needs_key = True

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "wss://api.deepgram.com",
        model: str = "aura-2",
        voice: str = "thalia",
        language: str = "en",
        mip_opt_out: bool = False,
        sockets: int = 200,
        audio_timeout_ms: int = 4_000,
    ) -> None:
        """A voice is ``model``-``voice``-``language``, e.g. ``aura-2-thalia-en``; a ``voice`` that begins with ``aura`` is a whole name.
        Raises ConfigurationError."""
        check_vendor(NAME, api_key, audio_timeout_ms, sockets)
        self._base_url = websocket_url(base_url)
        self.model = model
        self._default_voice = voice
        self._language = language
        self._mip_opt_out = mip_opt_out
        self.audio_timeout_s = audio_timeout_ms / 1000
        self.pool = SocketPool(NAME, self._make, {"Authorization": f"Token {api_key}"}, places=1, most=sockets)

    async def start(self) -> None:
        """Connect for telephone calls. Raises ProviderUnavailable where the vendor refuses."""
        await self.pool.warm(self.url(VoiceRequest(TELEPHONE)))

    async def close(self) -> None:
        self.pool.close()

    def open(self, request: VoiceRequest) -> DeepgramStream:
        return DeepgramStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

    def url(self, request: VoiceRequest) -> str:
        voice = request.voice or self._default_voice
        query = {
            "model": voice if voice.startswith("aura") else f"{self.model}-{voice}-{self._language}",
            "encoding": _ENCODINGS.get(request.audio.encoding, ""),
            "sample_rate": str(request.audio.rate_hz),
        }
        if request.speed != 1.0:
            query["speed"] = f"{speed_within(NAME, request.speed, SLOWEST, FASTEST):g}"
        if self._mip_opt_out:
            query["mip_opt_out"] = "true"
        return f"{self._base_url}/v1/speak?{urlencode(query)}"

    def _make(self, url: str) -> _Socket:
        return _Socket(url, self.pool)
