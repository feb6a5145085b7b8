"""Two sessions of this process on one line: what one plays the other hears, in real time, a frame every 20 ms in both directions.

Each end is the ``CallTransport`` of one session. Between words a line carries silence, as a telephone's does: who listens hears by it that
the other has finished.
"""

from __future__ import annotations

import asyncio
from collections import deque

from antiphon.audio.codec import silence
from antiphon.clock import Clock
from antiphon.transports.base import CallSink
from antiphon.vocabulary import AudioFormat

FRAME_MS = 20
_MOST_AT_ONCE = 25
"""Frames that are made up for after the loop was late. What is older, time has gone over."""
LINGER_MS = 1000
"""Who is hung up on hears silence for so long first, as on a telephone: the last words before are heard, and recognised."""
_MOST_WAITING_MS = 10_000
"""Of what a session has sent and the other has not heard: its lead is a fraction of a second."""


class JoinedEnd:
    """One session's side of the line."""

    marks = True
    paced = True

    def __init__(self, audio: AudioFormat) -> None:
        self.session: CallSink | None = None
        """Whose end this is. Nothing reaches it before it is here."""
        self.closed = False
        self._frame_bytes = audio.bytes_for_ms(FRAME_MS)
        self._silence = silence(audio, self._frame_bytes // audio.bytes_per_sample)
        self._most_bytes = audio.bytes_for_ms(_MOST_WAITING_MS)
        self._waiting = bytearray()
        self._marks: deque[tuple[int, str]] = deque()
        """Each with how many of the waiting bytes come before it."""

    # What the session says (CallTransport).

    def send_audio(self, audio: bytes) -> None:
        if not self.closed:
            self._waiting += audio[: max(0, self._most_bytes - len(self._waiting))]

    def send_mark(self, name: str) -> None:
        if not self.closed:
            self._marks.append((len(self._waiting), name))

    def clear(self) -> None:
        self._waiting.clear()
        self._marks = deque((0, name) for _, name in self._marks)

    def unsent_bytes(self) -> int:
        """The line takes all that it is sent."""
        return 0

    def close(self, code: int = 1000, reason: str = "") -> None:
        """The other session is told a moment later, never from within this call."""
        self.closed = True
        self._waiting.clear()
        self._marks.clear()

    # What the line does.

    def next_frame(self) -> bytes:
        """What the other session hears next."""
        frame = bytes(self._waiting[: self._frame_bytes])
        del self._waiting[: len(frame)]
        self._marks = deque((max(0, before - len(frame)), name) for before, name in self._marks)
        return frame + self._silence[len(frame) :]

    def tell_marks(self) -> None:
        """Those that have been reached."""
        while self._marks and self._marks[0][0] == 0 and self.session is not None:
            self.session.mark(self._marks.popleft()[1])

    def hang_up(self) -> None:
        """The other session has gone."""
        if not self.closed:
            self.close()
            if self.session is not None:
                self.session.closed("hangup")


class JoinedLine:
    """The two ends, and the beat between them."""

    def __init__(self, clock: Clock, audio: AudioFormat) -> None:
        self._clock = clock
        self.ends = (JoinedEnd(audio), JoinedEnd(audio))
        self._beat = clock.now_ms() // FRAME_MS
        self._carried_ms = 0
        self._hung_up_ms: int | None = None
        """When the first of the two went."""

    def beat(self, now_ms: int) -> None:
        """Carry what is due, and tell an end that the other has gone."""
        one, other = self.ends
        due, self._beat = now_ms // FRAME_MS - self._beat, now_ms // FRAME_MS
        for _ in range(min(due, _MOST_AT_ONCE)):
            self._carry(one, other)
            self._carry(other, one)
            self._carried_ms += FRAME_MS
        if one.closed or other.closed:
            self._hung_up_ms = now_ms if self._hung_up_ms is None else self._hung_up_ms
            if now_ms - self._hung_up_ms >= LINGER_MS:
                self.hang_up()

    def hang_up(self) -> None:
        """Both sessions are told that the other has gone, where they do not know it."""
        for end in self.ends:
            end.hang_up()

    async def run(self) -> None:
        """Until both have gone."""
        while not all(end.closed for end in self.ends):
            self.beat(self._clock.now_ms())
            await asyncio.sleep(max(0, (self._beat + 1) * FRAME_MS - self._clock.now_ms()) / 1000)

    def _carry(self, speaker: JoinedEnd, listener: JoinedEnd) -> None:
        frame = speaker.next_frame()
        if listener.session is not None and not listener.closed:
            listener.session.audio(frame, self._carried_ms)
        speaker.tell_marks()
