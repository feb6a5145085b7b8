"""What waits until an engine's process has time for it: recordings, and speech that comes faster than anybody speaks.

Live speech is never put here. Each stream has its own queue, bounded in bytes, and streams take turns, one frame each: so
whoever sends an hour of audio at once waits for it himself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from antiphon.providers.worker_frames import Frame

MAX_STREAM_BYTES = 2 * 1024 * 1024
"""A minute of 16-bit audio at 16 kHz is 1.8 MiB: the longest utterance of a recogniser fits."""
MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Of all streams of one process."""
_FRAME_BYTES = 256
"""What a frame costs beside its payload."""

OnSent = Callable[[], None]


class TurnQueue:
    """Frames of many streams; each keeps its order, and streams alternate."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[tuple[Frame, OnSent | None]]] = {}
        """In the order in which they take turns: the next one is first."""
        self._bytes: dict[int, int] = {}
        self._total = 0

    def holds(self, stream: int) -> bool:
        """Whether something of this stream waits: what it sends now has to wait behind it."""
        return stream in self._waiting

    def put(self, frame: Frame, on_sent: OnSent | None = None) -> bool:
        """False where there is no room for it."""
        cost = len(frame.payload) + _FRAME_BYTES
        held = self._bytes.get(frame.stream, 0)
        if held + cost > MAX_STREAM_BYTES or self._total + cost > MAX_TOTAL_BYTES:
            return False
        self._waiting.setdefault(frame.stream, deque()).append((frame, on_sent))
        self._bytes[frame.stream] = held + cost
        self._total += cost
        return True

    def take(self) -> tuple[Frame, OnSent | None] | None:
        """The next stream's next frame."""
        if not self._waiting:
            return None
        stream = next(iter(self._waiting))
        frames = self._waiting.pop(stream)
        frame, on_sent = frames.popleft()
        cost = len(frame.payload) + _FRAME_BYTES
        self._total -= cost
        if frames:
            self._waiting[stream] = frames  # behind all the others
            self._bytes[stream] -= cost
        else:
            del self._bytes[stream]
        return frame, on_sent

    def forget(self, stream: int) -> None:
        """Its frames are not wanted any more."""
        if self._waiting.pop(stream, None) is not None:
            self._total -= self._bytes.pop(stream)
