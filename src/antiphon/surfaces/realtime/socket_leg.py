"""The sound of a session over its own WebSocket, where the server plays the agent out (``?playout=server``): binary messages of PCM at
24 kHz, both ways, in real time. It is WebRTC's way of leading a conversation for clients that no UDP reaches: the agent is held while a
sound may be an interruption, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from antiphon.surfaces.realtime.audio_buffers import AppendedAudio, AudioAhead
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.transports.base import CallSink

LONGEST_MS = 1000
"""Of one message with sound. Clients send 20 to 100 ms at a time."""
FLUSH = b'{"type":"antiphon.flush"}'
"""Tells the client to throw away what it has not played. What comes after it is to be played."""


class SoundSocket(Protocol):
    """The WebSocket, as far as sound goes."""

    def send_sound(self, audio: bytes) -> None: ...

    def send_text(self, payload: bytes) -> None: ...

    def unsent_bytes(self) -> int: ...


class SocketLeg:
    """The ``CallTransport`` of such a session. It is given the session's ``CallSink`` by ``listen``."""

    marks = False
    paced = True

    def __init__(self, socket: SoundSocket, ahead: AudioAhead) -> None:
        """``ahead`` counts what comes before its time."""
        self.send_audio: Callable[[bytes], None] = socket.send_sound
        self.unsent_bytes = socket.unsent_bytes
        self._socket = socket
        self._ahead = ahead
        self._samples = AppendedAudio()
        self._sink: CallSink | None = None

    def listen(self, sink: CallSink) -> None:
        """From now on it is told what the client says."""
        self._sink = sink

    def receive(self, audio: bytes) -> None:
        """One binary message of the client. Raises ClientError, and nothing of it is heard."""
        duration_ms = PCM.ms_of(len(audio))
        if duration_ms > LONGEST_MS:
            raise ClientError("invalid_message", f"A message holds at most {LONGEST_MS} ms of sound.")
        if self._sink is not None:
            self._ahead.take(duration_ms)
            self._sink.audio(self._samples.take(audio), None)

    # CallTransport

    def send_mark(self, name: str) -> None:
        """There are none (``marks``): a clock estimates what was heard."""

    def clear(self) -> None:
        self._socket.send_text(FLUSH)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """The session is over; who drives it is told by the session. What was sent is played to its end."""
        self._sink = None
