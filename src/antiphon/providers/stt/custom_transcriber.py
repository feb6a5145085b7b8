"""An application's own recogniser: a WebSocket to ``transcriber.server``, in the voice platform's protocol for custom transcribers.

It hears all audio and says what it likes when it likes: words have no times, nothing asks for the last ones, and nothing says that they
are all. So time tells whose words they are. Until an utterance of ours ends, they are of what has been sent so far. After it, the next
final words are still its own, unless it has some already and nothing hints at more.

The audio has two channels, the customer's and the assistant's. The assistant's is silent here: a recogniser is not given what is spoken.
What is said to have been heard on it is passed over.

Protocol: docs.vapi.ai/customization/custom-transcriber.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.own_server import headers_of, own_server, secret_of
from antiphon.providers.socket import VendorSocket
from antiphon.providers.stt.streamed import StreamedSpeechToText, StreamedTranscription
from antiphon.providers.stt.wire import Segment, Told, Wire, json_object
from antiphon.providers.websocket import Addresses, Failure
from antiphon.vocabulary import AudioFormat, Encoding

_START = b'{"type":"start","encoding":"linear16","container":"raw","sampleRate":16000,"channels":2}'
_FORMAT = AudioFormat(Encoding.PCM16, 16000)
_NEVER_GIVEN = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding"})
_MOST_TEXT = 20_000
_LATE_MS = 3_000
"""Audio after the end of an utterance in which final words may still be its own …"""
_TAIL_MS = 600
"""… and where it has final words already."""


class CustomTranscriber(StreamedSpeechToText):
    """Implements ``SpeechToText``."""

    name = "custom-transcriber"
    formats = (_FORMAT,)
    needs_key = False

    def __init__(self, server: Mapping[str, Any], *, ca_file: str = "") -> None:
        """``server``: ``url`` (wss, ws, https or http), ``secret`` (sent as ``X-Vapi-Secret``) and ``headers``, as assistants write them.
        Raises ConfigurationError."""
        server = own_server(server, "transcriber.server")
        super().__init__(secret_of(server), ca_file)
        self.addresses: Addresses | None = None
        """Which addresses of a name may be called; None: all. Whoever makes engines for assistants sets it."""
        url = str(server.get("url") or "")
        scheme, _, rest = url.partition("://")
        scheme = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}.get(scheme, "")
        if not scheme or not rest or not url.isascii() or not url.isprintable() or " " in url:
            raise ConfigurationError("transcriber.server.url", "must be wss://host, perhaps with a path")
        self._url = f"{scheme}://{rest}"
        headers = headers_of(server, "transcriber.server", _NEVER_GIVEN)
        self._headers = {
            name: value for name, value in headers.items() if not name.lower().startswith("sec-websocket-")
        }

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        return CustomWire(self._url, self._headers)

    def socket_for(self, wire: Wire, owner: StreamedTranscription) -> VendorSocket:
        socket = super().socket_for(wire, owner)
        socket.addresses = self.addresses
        return socket


class CustomWire:
    """One call. Implements ``Wire``."""

    greets = False
    interim_suffices = False
    talks_back = False
    """It may say nothing but final words."""
    answers_silence = False
    smallest_ms = 0
    quiet_after_s = 0.0
    filler = b""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url, self._headers = url, headers
        self._sent_ms = 0.0
        self._ended: deque[float] = deque(maxlen=32)
        """Ends of utterances for which final words are awaited."""
        self._tail_ms = -1.0
        """The end of the last one that had final words when it ended."""
        self._open = self._had_final = False
        """Of the utterance that goes on: whether partial words came after its last final ones, and whether any final ones came."""

    def url(self) -> str:
        return self._url

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def opened(self) -> Sequence[bytes]:
        self._sent_ms, self._tail_ms = 0.0, -1.0
        self._ended.clear()
        self._open = self._had_final = False
        return (_START,)

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        self._sent_ms += _FORMAT.ms_of(len(piece))
        both = np.zeros((len(piece) // 2, 2), "<i2")
        both[:, 0] = np.frombuffer(piece, "<i2")
        return both.tobytes(), False

    def finish(self, utterance: int) -> bytes | None:
        if self._had_final and not self._open:
            self._tail_ms = self._sent_ms
        else:
            self._ended.append(self._sent_ms)
        self._open = self._had_final = False
        return None

    def idle(self) -> tuple[bytes, bool] | None:
        return None

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        return None

    def goodbye(self) -> bytes | None:
        return None

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        if message.get("type") != "transcriber-response" or message.get("channel", "customer") != "customer":
            return ()
        said = message["transcription"]
        if not isinstance(said, str) or len(said) > _MOST_TEXT:
            raise MalformedMessage("transcription")
        final = message.get("transcriptType", "final") != "partial"
        at_ms = self._position_ms(final=final)
        return (Segment(said.strip(), final, max(at_ms - 1, 0), at_ms),)

    def _position_ms(self, *, final: bool) -> float:
        """Up to where in the audio words are heard that come now."""
        while self._ended and self._sent_ms - self._ended[0] > _LATE_MS:
            self._ended.popleft()
        if self._ended:
            return self._ended.popleft() if final else self._ended[0]
        if self._tail_ms >= 0 and self._sent_ms - self._tail_ms <= _TAIL_MS:
            return self._tail_ms
        self._open, self._had_final = not final, self._had_final or final
        return self._sent_ms

    def closed(self, code: int, reason: str) -> Failure | None:
        return None
