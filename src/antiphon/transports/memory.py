"""An in-process wire: a ``CallTransport`` and the far side that hears it, on a clock that a test moves.

What the session sends arrives ``delay_ms`` later; what the far side says arrives as much later at the sink; a share of the
caller's audio can be lost, by a seeded generator, so that every run is the same. The far side plays what it is sent at
the pace of the audio, answers marks when they have been played or flushed, and remembers what the caller would have heard.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from antiphon.clock import ManualClock
from antiphon.transports.base import CallSink, LostReason
from antiphon.vocabulary import AudioFormat


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of audio as the caller heard it, and when its first sample was played."""

    at_ms: float
    audio: bytes


class Wire:
    """Things that happen later, in order of time and then of being asked. Both directions of a pair share one."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, at_ms: float, happen: Callable[[], None]) -> None:
        """``happen`` at ``at_ms``, or with the next ``advance`` where that is past."""
        self._asked += 1
        heapq.heappush(self._due, (at_ms, self._asked, happen))

    def after(self, delay_ms: float, happen: Callable[[], None]) -> None:
        """``happen`` in ``delay_ms``."""
        self.at(self._clock.now_ms() + delay_ms, happen)

    def advance(self, by_ms: int) -> None:
        """Move the clock forward by ``by_ms``, stopping at everything that is due on the way."""
        end_ms = self._clock.now_ms() + by_ms
        while self._due and self._due[0][0] <= end_ms:
            at_ms, _, happen = heapq.heappop(self._due)
            self._clock.advance(max(0, ceil(at_ms) - self._clock.now_ms()))
            happen()
        self._clock.advance(end_ms - self._clock.now_ms())


class MemoryTransport:
    """The near side: what a session holds."""

    marks = True
    paced = True

    def __init__(self, wire: Wire, phone: MemoryPhone, delay_ms: int) -> None:
        self._wire = wire
        self._phone = phone
        self._delay_ms = delay_ms
        self.backlog_bytes = 0
        """What ``unsent_bytes`` answers; a test sets it to play a peer that does not read."""
        self.closed_with: tuple[int, str] | None = None
        """Code and reason of ``close``, once it was called."""

    def send_audio(self, audio: bytes) -> None:
        self._send(lambda: self._phone.receive_audio(audio))

    def send_mark(self, name: str) -> None:
        self._send(lambda: self._phone.receive_mark(name))

    def clear(self) -> None:
        self._send(self._phone.receive_clear)

    def unsent_bytes(self) -> int:
        return self.backlog_bytes

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.closed_with is None:
            self.closed_with = (code, reason)
            self._phone.disconnect()

    def _send(self, arrive: Callable[[], None]) -> None:
        if self.closed_with is None:
            self._wire.after(self._delay_ms, arrive)


class MemoryPhone:
    """The far side: what a caller hears and says."""

    def __init__(
        self, clock: ManualClock, wire: Wire, audio: AudioFormat, delay_ms: int, loss: float, seed: int
    ) -> None:
        self._clock = clock
        self._wire = wire
        self._audio = audio
        self._delay_ms = delay_ms
        self._loss = loss
        self._random = random.Random(seed)
        self._sink: CallSink | None = None
        self._said_ms = 0.0
        self._playout: list[Heard] = []
        self._plays_until_ms = 0.0
        self._marks: deque[tuple[int, str]] = deque()
        self._mark_count = 0
        self.lost_frames = 0
        """How many of the caller's frames the wire has swallowed."""

    # The caller's side, for a test to use.

    def connect(self, sink: CallSink) -> None:
        """Where what the caller says goes."""
        self._sink = sink

    def say(self, audio: bytes) -> None:
        """The caller's next audio. What is lost leaves a gap in ``media_ms``."""
        media_ms = round(self._said_ms)
        self._said_ms += self._audio.ms_of(len(audio))
        if self._random.random() < self._loss:
            self.lost_frames += 1
        else:
            self._tell(lambda sink: sink.audio(audio, media_ms))

    def press(self, digit: str) -> None:
        """The caller presses a key."""
        self._tell(lambda sink: sink.dtmf(digit))

    def hang_up(self, reason: LostReason = "stop") -> None:
        """The caller is gone."""

        def gone(sink: CallSink) -> None:
            self._sink = None
            sink.closed(reason)

        self._tell(gone)

    def heard(self) -> list[Heard]:
        """What the caller has heard up to now, in order; the last stretch cut where it is still playing."""
        now_ms = self._clock.now_ms()
        return [self._until(stretch, now_ms) for stretch in self._playout if stretch.at_ms < now_ms]

    def forget_heard(self) -> None:
        """Forget what was played up to now: on a call of an hour it would be most of the memory."""
        now_ms = self._clock.now_ms()
        self._playout = [each for each in self._playout if each.at_ms + self._audio.ms_of(len(each.audio)) > now_ms]

    # The wire's side.

    def receive_audio(self, audio: bytes) -> None:
        """Played after everything received before."""
        start_ms = max(float(self._clock.now_ms()), self._plays_until_ms)
        self._playout.append(Heard(start_ms, audio))
        self._plays_until_ms = start_ms + self._audio.ms_of(len(audio))

    def receive_mark(self, name: str) -> None:
        """Answered when everything received before has been played; at once where nothing plays."""
        self._mark_count += 1
        number = self._mark_count
        self._marks.append((number, name))
        self._wire.at(max(float(self._clock.now_ms()), self._plays_until_ms), lambda: self._answer_marks(number))

    def receive_clear(self) -> None:
        """Stop playing; pending marks are answered at once, as carriers do."""
        now_ms = self._clock.now_ms()
        self._playout = self.heard()
        self._plays_until_ms = float(now_ms)
        self._answer_marks(self._mark_count)

    def disconnect(self) -> None:
        """The session has closed: nothing more reaches it."""
        self._sink = None

    def _answer_marks(self, up_to: int) -> None:
        while self._marks and self._marks[0][0] <= up_to:
            _, name = self._marks.popleft()
            self._tell_mark(name)

    def _tell_mark(self, name: str) -> None:
        self._tell(lambda sink: sink.mark(name))

    def _tell(self, say: Callable[[CallSink], None]) -> None:
        def arrive() -> None:
            if self._sink is not None:
                say(self._sink)

        self._wire.after(self._delay_ms, arrive)

    def _until(self, stretch: Heard, now_ms: int) -> Heard:
        played = self._audio.bytes_for_ms(now_ms - stretch.at_ms)
        return Heard(stretch.at_ms, stretch.audio[:played])


def memory_pair(
    clock: ManualClock, audio: AudioFormat, *, delay_ms: int = 0, loss: float = 0.0, seed: int = 1
) -> tuple[MemoryTransport, MemoryPhone, Wire]:
    """The two ends of a call and the wire that moves time. ``loss`` is the share of the caller's frames that vanish."""
    wire = Wire(clock)
    phone = MemoryPhone(clock, wire, audio, delay_ms, loss, seed)
    return MemoryTransport(wire, phone, delay_ms), phone, wire
