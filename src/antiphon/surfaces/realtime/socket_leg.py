"""The sound of a session over its own WebSocket, where the server plays the agent out (``?playout=server``): binary messages of PCM at
24 kHz, both ways, in real time. It is WebRTC's way of leading a conversation for clients that no UDP reaches: the agent is held while a
sound may be an interruption, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import orjson

from antiphon.surfaces.realtime.audio_buffers import AppendedAudio, AudioAhead
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.transports.base import CallSink

LONGEST_MS = 1000
"""Of one message with sound. Clients send 20 to 100 ms at a time."""
MARK = "antiphon.mark"
"""The type of a mark, in both directions: ``{"type", "mark"}``."""
_MAX_MARK_BYTES = 256
FLUSH = b'{"type":"antiphon.flush"}'
"""Tells the client to throw away what it has not played. What comes after it is to be played."""


class SoundSocket(Protocol):
    """The WebSocket, as far as sound goes."""

    def send_sound(self, audio: bytes) -> None: ...

    def send_text(self, payload: bytes) -> None: ...

    def unsent_bytes(self) -> int: ...


class SocketLeg:
    """The ``CallTransport`` of such a session. It is given the session's ``CallSink`` by ``listen``."""

    paced = True

    def __init__(self, socket: SoundSocket, ahead: AudioAhead, *, marks: bool = False) -> None:
        """``ahead`` counts what comes before its time. ``marks``: the client has asked for marks, and sends each back when it has played
        all the sound before it, or thrown it away; else a clock estimates what was heard."""
        self.marks = marks
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

    def take_mark(self, payload: bytes) -> bool:
        """Whether this message of the client was a mark. One that nobody waits for (any more) changes nothing. Raises ClientError for a
        mark without its name."""
        if not self.marks or len(payload) > _MAX_MARK_BYTES or MARK.encode() not in payload:
            return False
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(message, dict) or message.get("type") != MARK:
            return False
        name = message.get("mark")
        if not isinstance(name, str):
            raise ClientError("invalid_value", f"{MARK}: mark must be the text that the server has sent.", "mark")
        if self._sink is not None:
            self._sink.mark(name)
        return True

    # CallTransport

    def send_mark(self, name: str) -> None:
        self._socket.send_text(orjson.dumps({"type": MARK, "mark": name}))

    def clear(self) -> None:
        self._socket.send_text(FLUSH)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """The session is over; who drives it is told by the session. What was sent is played to its end."""
        self._sink = None
