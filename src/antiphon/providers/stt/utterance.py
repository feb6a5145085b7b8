"""One utterance on its way through a model that hears whole pieces: which stretch is to be decoded next, why, and what has come of it.

Such a model (Moonshine, Whisper) does not stream: a partial decodes everything again. So it is asked at each pause (if nothing follows,
that answer is the final, and costs the caller no time at all), and otherwise at a set pace, if at all. What is longer than a model hears
well is cut at a pause and kept.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum

from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.sound import Sound

PAUSE_MS = 200
"""Quiet for so long is a pause: longer than the hold before a "t", shorter than any wait for the end of a turn."""
KEEP_AFTER_MS = 8_000
"""At a pause after so much, the words are kept and the sound is not decoded again: the model is best with whole sentences, and attention
costs the square of the length."""
CUT_AFTER_MS = 15_000
"""Without a pause for so long the sound is cut where it is quietest; the model was trained on pieces of up to 30 s."""
LONGEST_ANSWER_MS = 15_000
"""Whoever goes on for longer does not give one of the expected answers, and is heard freely from there on."""
RECORDING_AHEAD_MS = 3_000
"""Sound that comes so much faster than anybody speaks is a recording: nobody waits for its partials."""


class Why(IntEnum):
    """Reasons to decode, the most urgent first."""

    FINAL = 0
    PAUSE = 1
    PACE = 2
    CUT = 3


@dataclass(slots=True)
class Job:
    """One stretch to decode."""

    why: Why
    start: int
    end: int
    steps: Generator[None, None, Heard]
    spent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Decoded:
    end: int
    heard: Heard


_NOTHING = Heard("", 0.0)


class Utterance:
    """Positions are samples at 16 kHz from its start."""

    def __init__(self, number: int, begun_s: float, *, expects: bool, partial_every_ms: int) -> None:
        """``begun_s``: by the clock that ``is_recording`` is asked with. ``expects``: whether only some answers are expected.
        ``partial_every_ms``: 0 for partials at pauses alone."""
        self.number = number
        self.sound = Sound()
        self.expects = expects
        self.finished = False
        self.told = ""
        """The last partial."""
        self.job: Job | None = None
        self._begun_s = begun_s
        self._recording = False
        self._partial_every = partial_every_ms * RATE_HZ // 1000
        self._kept: list[tuple[Heard, int]] = []
        """Words of pieces that are over, and the pieces' lengths."""
        self._base = 0
        """Where the piece begins that is not over."""
        self._asked = 0
        """Up to where the last job reached."""
        self._asked_at_pause = 0
        """Up to where the last job reached that was no mere partial."""
        self._decoded: _Decoded | None = None
        """The last whole answer about the piece that is not over."""

    def is_recording(self, now_s: float) -> bool:
        """Whether it ever was ahead of the clock: it does not become live by being waited for."""
        self._recording |= self.sound.end / RATE_HZ - (now_s - self._begun_s) > RECORDING_AHEAD_MS / 1000
        return self._recording

    def due(self, *, recording: bool) -> tuple[Why, int, int] | None:
        """What to decode next, from where to where; None for nothing now. Never with a job at work that does as well."""
        sound = self.sound
        end, size = sound.end, sound.end - self._base
        if self.expects and size > _samples(LONGEST_ANSWER_MS):
            self.expects = False
        too_long = not self.expects and size > _samples(CUT_AFTER_MS)
        if self.job is not None and self.job.why != Why.PACE:
            return None
        if too_long:
            cut = sound.quietest(self._base + _samples(KEEP_AFTER_MS), self._base + _samples(CUT_AFTER_MS))
            return Why.CUT, self._base, cut
        if self.finished:
            return None if self._is_answered() else (Why.FINAL, self._base, end)
        if recording:
            return None
        if sound.quiet_ms() >= PAUSE_MS and sound.loud_since(self._asked_at_pause):
            return Why.PAUSE, self._base, end
        paced = self._partial_every > 0 and end - self._asked >= self._partial_every
        if self.job is None and paced and sound.loud_since(self._asked):
            return Why.PACE, self._base, end
        return None

    def begin(self, job: Job) -> None:
        """Takes the place of a job that is at work."""
        self.job = job
        self._asked = job.end
        if job.why != Why.PACE:
            self._asked_at_pause = job.end

    def finish(self) -> None:
        """Nothing more will be said. A job at work that has heard all of it becomes the final one."""
        self.finished = True
        job = self.job
        if job is not None and job.why == Why.PAUSE and not self.sound.loud_since(job.end):
            job.why = Why.FINAL
        elif job is not None and job.why != Why.CUT:
            self.job = None

    def end_job(self, heard: Heard) -> Heard:
        """The job at work has its answer. Returns the words of the whole utterance so far."""
        job = self.job
        assert job is not None
        self.job = None
        if job.why in (Why.FINAL, Why.PAUSE):
            self._decoded = _Decoded(job.end, heard)
        keeps = job.why == Why.PAUSE and not self.expects and job.end - job.start >= _samples(KEEP_AFTER_MS)
        if job.why == Why.CUT or keeps:
            self._kept.append((heard, job.end - job.start))
            self._base = job.end
            self._decoded = None
            self.sound.forget(job.end)
            return self._with(_NOTHING)
        return self._with(heard)

    def final(self) -> Heard | None:
        """The answer; None as long as there is something to decode."""
        if not self.finished or not self._is_answered():
            return None
        return self._with(self._decoded.heard if self._decoded is not None else _NOTHING)

    def _is_answered(self) -> bool:
        if self._decoded is not None:
            return not self.sound.loud_since(self._decoded.end)
        return bool(self._kept) and not self.sound.loud_since(self._base)

    def _with(self, heard: Heard) -> Heard:
        pieces = [*self._kept, (heard, max(1, self.sound.end - self._base))]
        spoken = [(piece, size) for piece, size in pieces if piece.text]
        if len(self._kept) == 0 or not spoken:
            return heard
        total = sum(size for _, size in spoken)
        return Heard(
            " ".join(piece.text for piece, _ in spoken),
            sum(piece.confidence * size for piece, size in spoken) / total,
            matched=all(piece.matched for piece, _ in spoken),
        )


def _samples(ms: int) -> int:
    return ms * RATE_HZ // 1000
