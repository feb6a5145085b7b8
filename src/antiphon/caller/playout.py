"""What the caller's telephone plays: an 8 kHz µ-law buffer that empties in real time, as Twilio's does.

Pure. Times are float milliseconds since the stream began: this is a measuring instrument, and the length of any µ-law
audio (n / 8 ms) is exact in binary, so positions never drift. Calls must come with ``now_ms`` that never goes back.

Rules (Twilio, "Media Streams - WebSocket Messages"):
1. Audio is played in the order it came, at 8 kHz, from the moment it arrives if nothing is left to play.
2. A mark is echoed when the audio before it has been played, at once if nothing is buffered, or when ``clear`` drops it.
3. More than ten minutes of unplayed audio is discarded (warning 31931).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from antiphon.caller.lateness import Lateness

SAMPLES_PER_MS = 8
SILENCE = b"\xff"
"""µ-law zero."""

LIMIT_MS = 600_000
"""Rule 3."""
MARK_LIMIT = 10_000
"""Marks waiting to be echoed; more are echoed at once. Twilio names no limit, but ours must have one."""

UNDERRUN_MS = 200
"""A hole shorter than this between two pieces of audio is taken for late audio; a longer one for a pause of the agent."""

StretchEnd = Literal["played", "cleared", "playing"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Audio heard without a hole."""

    start_ms: float
    end_ms: float
    """When it ended, or will end with what is buffered now."""
    ended: StretchEnd


class Playout:
    """One call's playout buffer and the record of what was heard."""

    def __init__(self, *, keep_audio: bool = False) -> None:
        """``keep_audio`` records the heard samples (8 kB a second of speech)."""
        self.stretches: list[Stretch] = []
        """Stretches that have ended. The one being played is ``playing``."""
        self.lateness = Lateness()
        """How long after the sound before it had ended each message came: 0 where there was something left to play. After a pause or
        a ``clear`` nothing is late."""
        self.underruns = 0
        self.underrun_ms = 0.0
        self.cleared_ms = 0.0
        """Audio dropped by ``clear``."""
        self.overflow_ms = 0.0
        """Audio discarded by rule 3."""
        self._start_ms: float | None = None
        self._end_ms = 0.0
        self._marks: deque[tuple[float, str]] = deque()
        self._echoes: list[str] = []
        self._pieces: list[tuple[float, bytes]] | None = [] if keep_audio else None

    @property
    def playing(self) -> Stretch | None:
        """The stretch being played, if any."""
        return None if self._start_ms is None else Stretch(self._start_ms, self._end_ms, "playing")

    def buffered_ms(self, now_ms: float) -> float:
        """Audio received and not yet played."""
        return max(0.0, self._end_ms - now_ms) if self._start_ms is not None else 0.0

    def receive(self, audio: bytes, now_ms: float) -> float | None:
        """Take µ-law audio. Returns when its first sample will be heard, or None where rule 3 discards it."""
        self.advance(now_ms)
        duration_ms = len(audio) / SAMPLES_PER_MS
        if self.buffered_ms(now_ms) + duration_ms > LIMIT_MS:
            self.overflow_ms += duration_ms
            return None
        if self._start_ms is None:
            self._note_underrun(now_ms)
            self._start_ms = self._end_ms = now_ms
        else:
            self.lateness.add(0.0)
        heard_ms = self._end_ms
        self._end_ms += duration_ms
        if self._pieces is not None:
            self._pieces.append((heard_ms, audio))
        return heard_ms

    def mark(self, name: str, now_ms: float) -> None:
        """Take a mark (rule 2)."""
        self.advance(now_ms)
        if self._start_ms is None or len(self._marks) >= MARK_LIMIT:
            self._echoes.append(name)
        else:
            self._marks.append((self._end_ms, name))

    def clear(self, now_ms: float) -> None:
        """Drop what has not been played, and echo its marks (rule 2)."""
        self.advance(now_ms)
        if self._start_ms is None:
            return
        self.cleared_ms += self._end_ms - now_ms
        self._end_ms = now_ms
        self._drop_pieces_from(now_ms)
        self._echoes.extend(name for _, name in self._marks)
        self._marks.clear()
        self._close_stretch("cleared")

    def advance(self, now_ms: float) -> None:
        """Play up to ``now_ms``."""
        while self._marks and self._marks[0][0] <= now_ms:
            self._echoes.append(self._marks.popleft()[1])
        if self._start_ms is not None and self._end_ms <= now_ms:
            self._close_stretch("played")

    def echoes(self) -> list[str]:
        """The marks to be echoed now, in order; each is returned once."""
        due, self._echoes = self._echoes, []
        return due

    def heard(self, from_ms: float, to_ms: float) -> bytes:
        """What was heard between two times of the stream: µ-law, silence where nothing was played.

        Needs ``keep_audio``.
        """
        if self._pieces is None:
            raise ValueError("this playout does not keep audio")
        origin = round(from_ms * SAMPLES_PER_MS)
        track = bytearray(SILENCE * max(0, round(to_ms * SAMPLES_PER_MS) - origin))
        for start_ms, audio in self._pieces:
            first = round(start_ms * SAMPLES_PER_MS) - origin
            inside = audio[max(0, -first) : max(0, len(track) - first)]
            track[max(0, first) : max(0, first) + len(inside)] = inside
        return bytes(track)

    def _note_underrun(self, now_ms: float) -> None:
        # A hole right after ``clear`` is what ``clear`` is for.
        if self.stretches and self.stretches[-1].ended == "played":
            hole_ms = now_ms - self.stretches[-1].end_ms
            if 0 < hole_ms < UNDERRUN_MS:
                self.lateness.add(hole_ms)
                self.underruns += 1
                self.underrun_ms += hole_ms

    def _close_stretch(self, ended: StretchEnd) -> None:
        assert self._start_ms is not None
        self.stretches.append(Stretch(self._start_ms, self._end_ms, ended))
        self._start_ms = None

    def _drop_pieces_from(self, now_ms: float) -> None:
        while self._pieces and self._pieces[-1][0] >= now_ms:
            self._pieces.pop()
        if self._pieces:
            start_ms, audio = self._pieces[-1]
            self._pieces[-1] = (start_ms, audio[: round((now_ms - start_ms) * SAMPLES_PER_MS)])
