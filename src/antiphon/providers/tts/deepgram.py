"""Deepgram's Aura: one connection of ``/v1/speak`` for each reply that is being spoken, kept for the next.

The wire: developers.deepgram.com/reference/text-to-speech/speak-streaming and …/docs/tts-ws-flush, tts-ws-clear, and the types of
``deepgram.speak.v1`` in the vendor's Python package. It times no words.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog

from antiphon.providers.base import VoiceRequest
from antiphon.providers.tts.vendor_stream import Piece
from antiphon.providers.tts.vendor_voice import ReplySocket, SocketStream, VendorVoice
from antiphon.providers.tts.vendor_words import meaning
from antiphon.vocabulary import Encoding

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


class _Socket(ReplySocket["DeepgramStream"]):
    """One connection, for one voice, format and speed; it speaks for one reply at a time."""

    def __init__(self, voice: DeepgramTextToSpeech, url: str) -> None:
        super().__init__(voice, url)
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

    def let_go(self, stream: DeepgramStream) -> None:
        """Where it is still being spoken, it is stopped, and the place is free when it has stopped."""
        self.contexts.clear()
        if stream.sent and self.is_open:
            self.send(b'{"type":"Clear"}')
            self._clearing = asyncio.get_running_loop().call_later(_CLEARED_WITHIN_S, self._never_cleared)
        else:
            self._release()

    def sound(self, audio: bytes) -> None:
        if self.only is not None:
            self.only.audio(audio)

    def told(self, message: bytes) -> None:
        told = _DECODER.decode(message)
        if told.type == "Flushed" and self.only is not None:
            self.only.flushed()
        elif told.type == "Cleared":
            self._cleared()
        elif told.type == "Warning":
            log.warning("voice_warned", provider=self.provider, problem=meaning(told.code, told.description))
        elif told.type == "Error" or told.err_code:
            self.broken(meaning(told.code, told.description, told.err_code, told.err_msg))

    def on_lost(self, problem: str) -> None:
        self._cleared()
        super().on_lost(problem)

    def _cleared(self) -> None:
        if self._clearing is not None:
            self._clearing.cancel()
            self._clearing = None
            self._release()

    def _never_cleared(self) -> None:
        self._clearing = None
        self.pool.retire(self)
        self._release()
        self.hang_up()

    def _release(self) -> None:
        if not self.may_flush:
            self.pool.retire(self)
        self.pool.release(self)


class DeepgramStream(SocketStream["DeepgramTextToSpeech", _Socket]):
    """One reply. Each piece is flushed by itself, and the vendor tells when it has been."""

    sent = 0
    """Pieces that the connection was given, and that are not over."""
    _limited = False
    """Whether the connection may be given no more: what follows waits for another one."""

    def begin(self, socket: _Socket) -> None:
        super().begin(socket)
        self.sent, self._limited = 0, False

    def send_piece(self, piece: Piece) -> None:
        assert self.socket is not None
        if self._limited or not self.socket.may_flush:
            self._limited = True
            if not self.sent:
                self.renew()
            return
        self.sent += 1
        self.socket.speak(piece.text.strip())

    def send_end(self) -> None:
        """Every piece was flushed."""

    def flushed(self) -> None:
        """All audio of the first of the pieces has come."""
        if not self.sent:
            return
        self.sent -= 1
        self.piece_done()
        if not self.sent and any(piece.sounds for piece in self.pieces) and not self.has_failed:
            self.renew()


class DeepgramTextToSpeech(VendorVoice):
    """Words are not timed."""

    name = "deepgram"
    socket_class, stream_class = _Socket, DeepgramStream
    speeds = (0.7, 1.5)

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
        super().__init__(
            api_key=api_key, base_url=base_url, model=model, voice=voice, language=language, sockets=sockets,
            audio_timeout_ms=audio_timeout_ms, headers={"Authorization": f"Token {api_key}"},
        )  # fmt: skip
        self._mip_opt_out = mip_opt_out

    def url(self, request: VoiceRequest) -> str:
        voice = request.voice or self.default_voice
        query = {
            "model": voice if voice.startswith("aura") else f"{self.model}-{voice}-{self.language}",
            "encoding": _ENCODINGS.get(request.audio.encoding, ""),
            "sample_rate": str(request.audio.rate_hz),
        }
        if (speed := self.speed(request)) is not None:
            query["speed"] = f"{speed:g}"
        if self._mip_opt_out:
            query["mip_opt_out"] = "true"
        return f"{self.base_url}/v1/speak?{urlencode(query)}"
