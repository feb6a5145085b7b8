"""The frames an engine's worker process and the server exchange over a socket pair.

On the wire: two unsigned 32-bit little-endian lengths (header, payload), then the header as JSON (``[stream, kind, fields]``),
then the payload as it is. Audio travels as payload and is never encoded again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.errors import MalformedMessage

_LENGTHS = struct.Struct("<II")

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Header and payload together. More can only come from a broken peer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message about one stream. Stream 0 is the process itself."""

    stream: int
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    header = orjson.dumps((frame.stream, frame.kind, dict(frame.fields)))
    return b"".join((_LENGTHS.pack(len(header), len(frame.payload)), header, frame.payload))


class FrameReader:
    """Puts frames together again from whatever pieces the socket gives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame completed by ``data``. Raises MalformedMessage("worker_frame"): the stream is then lost."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            header_bytes, payload_bytes = _LENGTHS.unpack_from(self._buffer)
            end = _LENGTHS.size + header_bytes + payload_bytes
            if end > MAX_FRAME_BYTES:
                raise MalformedMessage("worker_frame", f"{end} bytes, at most {MAX_FRAME_BYTES} allowed")
            if len(self._buffer) < end:
                return
            split = _LENGTHS.size + header_bytes
            header = bytes(self._buffer[_LENGTHS.size : split])
            payload = bytes(self._buffer[split:end])
            del self._buffer[:end]
            yield _frame(header, payload)


def _frame(header: bytes, payload: bytes) -> Frame:
    try:
        stream, kind, fields = orjson.loads(header)
    except (orjson.JSONDecodeError, ValueError, TypeError) as broken:
        raise MalformedMessage("worker_frame", "unreadable header") from broken
    return Frame(stream, kind, fields, payload)
