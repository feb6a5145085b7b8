"""A vendor's voice over WebSockets that many replies share: what is the same whatever the vendor's wire.

A vendor's file has three classes: a ``ReplySocket`` (what its messages mean), a ``SocketStream`` (what a reply sends) and a ``VendorVoice``
(address and settings). ``deepgram.py`` is the example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from antiphon.errors import ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.socket_pool import PooledSocket, SocketPool
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, VendorStream
from antiphon.providers.vendor_settings import websocket_url
from antiphon.vocabulary import TELEPHONE, AudioFormat

Voice = TypeVar("Voice", bound="VendorVoice")
Socket = TypeVar("Socket", bound="ReplySocket[Any]")
Stream = TypeVar("Stream", bound="SocketStream[Any, Any]")


class ReplySocket(PooledSocket, ABC, Generic[Stream]):
    """One connection and the replies that are spoken over it, each in a context. What comes for a context that nobody listens to is let
    go."""

    def __init__(self, voice: VendorVoice, url: str) -> None:
        super().__init__(url)
        self.provider = voice.name
        self.pool = voice.pool
        self.contexts: dict[str, Stream] = {}
        self._serial = 0
        self._incident = object()

    @abstractmethod
    def told(self, message: bytes) -> None:
        """A text message. May raise ``msgspec.DecodeError``."""

    def sound(self, audio: bytes) -> None:
        """A binary message."""

    def let_go(self, stream: Stream) -> None:
        """A reply is over for us, spoken or not. Its place is free as soon as the vendor speaks it no more: by default, at once."""
        self.contexts.pop(stream.context, None)
        self.pool.release(self)

    def begin(self, stream: Stream) -> str:
        """A context for a reply. Returns its name."""
        self._serial += 1
        context = f"r{self._serial}"
        self.contexts[context] = stream
        return context

    @property
    def only(self) -> Stream | None:
        """The reply on a connection that has one place."""
        return next(iter(self.contexts.values()), None)

    def arrived(self, payload: bytes, text: bool) -> None:
        if not text:
            self.sound(payload)
            return
        try:
            self.told(payload)
        except msgspec.DecodeError:
            self.broken("the vendor sent a message that cannot be read")

    def broken(self, problem: str) -> None:
        """What was said is for nobody we know: every reply on this connection would wait in vain."""
        self._fail(tuple(self.contexts.values()), ProviderUnavailable, problem)
        self.pool.retire(self)

    def on_lost(self, problem: str) -> None:
        self.pool.lost(self)
        contexts, self.contexts = self.contexts, {}
        self._fail(contexts.values(), Lost, problem)

    def _fail(self, streams: Iterable[Stream], kind: type[ProviderError], problem: str) -> None:
        for stream in streams:
            error = kind(self.provider, problem)
            error.incident = self._incident
            stream.failed(error)


class SocketStream(VendorStream, Generic[Voice, Socket]):
    """One reply, over a connection that it shares or has for itself."""

    def __init__(self, voice: Voice, request: VoiceRequest) -> None:
        super().__init__(voice.name, request, voice.audio_timeout_s)
        self.voice = voice
        self.socket: Socket | None = None
        self.context = ""

    def begin(self, socket: Socket) -> None:
        """A place was found on a connection."""
        self.context = socket.begin(self)

    async def connect(self) -> bool:
        socket: Socket = await self.voice.pool.lease(self.voice.url(self.request))
        self.socket = socket
        self.begin(socket)
        return socket.used

    def disconnect(self) -> None:
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.let_go(self)

    def read_base64(self, data: str) -> bytes:
        """Sound in a JSON message; where it cannot be read, the reply has failed and there is none."""
        try:
            return a2b_base64(data)
        except (NotBase64, ValueError):
            self.failed(ProviderError(self.provider, "the vendor sent audio that cannot be read"))
            return b""


class VendorVoice(ABC):
    """Implements ``TextToSpeech`` and ``StreamingVoice``; a subclass names its classes and its address."""

    name: ClassVar[str]
    formats: tuple[AudioFormat, ...] = FORMATS
    needs_key = True
    socket_class: ClassVar[Any]
    """``ReplySocket``: made of the voice and a URL."""
    stream_class: ClassVar[Any]
    """``SocketStream``: made of the voice and a request."""
    places = 1
    """Replies at once on one connection."""
    speeds = (1.0, 1.0)
    """The slowest and the fastest that the vendor speaks."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        model: str,
        voice: str,
        language: str,
        sockets: int,
        audio_timeout_ms: int,
        headers: Mapping[str, str],
    ) -> None:
        """``headers`` carry the key. There are at most ``sockets`` connections. Raises ConfigurationError."""
        check_vendor(api_key, audio_timeout_ms, sockets)
        self.base_url = websocket_url(base_url, "tts.base_url")
        self.model = model
        self.default_voice = voice
        self.language = language
        """As the assistant sets it for this voice; empty where it does not."""
        self.audio_timeout_s = audio_timeout_ms / 1000
        self.pool: SocketPool[Any] = SocketPool(
            self.name, lambda url: self.socket_class(self, url), headers, places=self.places, most=sockets
        )

    @abstractmethod
    def url(self, request: VoiceRequest) -> str:
        """Where a connection for such a reply leads to: replies with one URL share connections."""

    def speed(self, request: VoiceRequest) -> float | None:
        """As the vendor can speak; None for its own."""
        return None if request.speed == 1.0 else speed_within(self.name, request.speed, *self.speeds)

    async def start(self) -> None:
        """Connect for telephone calls. Raises ProviderUnavailable where the vendor refuses."""
        await self.pool.warm(self.url(VoiceRequest(TELEPHONE)))

    async def close(self) -> None:
        self.pool.close()

    def open(self, request: VoiceRequest) -> VendorStream:
        stream: VendorStream = self.stream_class(self, request)
        return stream

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)
