"""A recogniser that decodes whole pieces of speech, in its worker process. Frames in: ``open``, ``expect``, ``begin``, ``audio``,
``finish``, ``close``; out: ``text`` (partial or final) and ``failed``.

Frames only collect sound and say what is to be done; decoding is done between them, the most urgent first: finals of people who have
stopped speaking, what was said before a pause, partials (for at most half of the time), recordings in turns. What is decoded, and how, is a
subclass's: Moonshine in steps of some milliseconds, libraries that cannot be interrupted a piece at a time.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.utterance import Job, Utterance, Why
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

Expected = TypeVar("Expected")
Floats = NDArray[np.float32]


class Call(Generic[Expected]):
    """One stream: its format, what it expects, and at most one open utterance."""

    def __init__(self, encoding: Encoding, rate_hz: int) -> None:
        self.encoding = encoding
        self.rate_hz = rate_hz
        self.resampler: Resampler | None = None
        self.expected: Expected | None = None
        self.problem = ""
        """Why the expected answers cannot be recognised."""
        self.utterance: Utterance | None = None
        self.turn = 0
        """When its last piece of work was done: whoever was served longest ago is next."""


class UtteranceEngine(ABC, Generic[Expected]):
    """A ``PatientEngine``. ``decode`` says what is heard in a piece of speech."""

    sure_without_pitch: float | None = None
    """How sure of its last words (``Heard.sure``) it must be where hardly anything of the sound has a pitch: that is a cough, a click, or
    "six". None: then it is not asked."""

    def __init__(self, partial_every_ms: int) -> None:
        self._partial_every_ms = partial_every_ms
        self._calls: dict[int, Call[Expected]] = {}
        self._turns = 0
        self._pace_again_s = 0.0

    @abstractmethod
    def decode(self, samples: Floats, expected: Expected | None, *, quick: bool) -> Generator[None, None, Heard]:
        """What is heard in 16 kHz samples (−1…1), shape (n,); yields between steps, so that frames are handled meanwhile. ``quick``: for a
        partial, which need not be right to the last letter."""

    def prepare(self, phrases: Sequence[str], grammar: str) -> Expected | None:
        """What the assistant expects to hear, ready to be decoded with; None where the engine makes nothing of it. Raises
        ConfigurationError."""
        return None

    def judged(self, call: Call[Expected], utterance: Utterance, heard: Heard) -> Heard:
        """What was decoded, as it is told."""
        return heard

    @abstractmethod
    def warm(self) -> None:
        """As ``Engine``."""

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "open":
            self._calls[frame.stream] = Call(Encoding(frame.fields["encoding"]), frame.fields["rate_hz"])
            return
        call = self._calls[frame.stream]
        if frame.kind == "expect":
            self._expect(call, frame.fields["phrases"], frame.fields["grammar"])
        elif frame.kind == "begin":
            self._begin(call, frame, link)
        elif frame.kind == "audio":
            _hear(call, frame.payload)
        elif frame.kind == "finish":
            utterance = call.utterance
            if utterance is not None and utterance.number == frame.fields["utterance"]:
                utterance.finish()
                self._answer(frame.stream, call, link)
        elif frame.kind == "close":
            del self._calls[frame.stream]

    def work(self, link: Link) -> bool:
        now_s = time.monotonic()
        chosen = min(self._ready(now_s), default=None)
        if chosen is None:
            return False
        stream = chosen[-1]
        call = self._calls[stream]
        try:
            self._step(stream, call, link)
        except OSError:
            raise
        except Exception as failure:
            # Of a foreign error only the type is told: its text may hold the caller's words.
            problem = (
                str(failure) if isinstance(failure, AntiphonError) else f"the engine raised {type(failure).__name__}"
            )
            assert call.utterance is not None
            link.send(Frame(stream, "failed", {"utterance": call.utterance.number, "problem": problem}))
            call.utterance = None
        return True

    # -------------------------------------------------------------------------------------------- frames

    def _expect(self, call: Call[Expected], phrases: list[str], grammar: str) -> None:
        """Prepare now, while the agent speaks, so that the search need not. A problem is told with the next utterance."""
        call.problem = ""
        call.expected = None
        if not phrases and not grammar:
            return
        try:
            call.expected = self.prepare(phrases, grammar)
        except ConfigurationError as failure:
            call.problem = str(failure)

    def _begin(self, call: Call[Expected], frame: Frame, link: Link) -> None:
        number = frame.fields["utterance"]
        call.utterance = None
        if call.problem:
            link.send(Frame(frame.stream, "failed", {"utterance": number, "problem": call.problem}))
            return
        if call.rate_hz != RATE_HZ:
            call.resampler = Resampler(call.rate_hz, RATE_HZ)
        call.utterance = Utterance(
            number, time.monotonic(), expects=call.expected is not None, partial_every_ms=self._partial_every_ms
        )

    # -------------------------------------------------------------------------------------------- work

    def _ready(self, now_s: float) -> list[tuple[int, int, int]]:
        """Streams that have something to do: urgency, turn, stream."""
        ready: list[tuple[int, int, int]] = []
        for stream, call in self._calls.items():
            utterance = call.utterance
            if utterance is None:
                continue
            recording = utterance.is_recording(now_s)
            due = utterance.due(recording=recording)
            if due is not None and (due[0] != Why.PACE or now_s >= self._pace_again_s):
                utterance.begin(Job(*due, self._decode(call, utterance, *due)))
            if utterance.job is not None:
                ready.append((Why.CUT if recording else utterance.job.why, call.turn, stream))
        return ready

    def _decode(
        self, call: Call[Expected], utterance: Utterance, why: Why, start: int, end: int
    ) -> Generator[None, None, Heard]:
        sound, quick, needed = utterance.sound, why == Why.PACE, 0.0
        if not sound.is_speech(start, end):
            if quick or self.sure_without_pitch is None or sound.has_pitch(start, end):
                return Heard("", 0.0)
            needed = self.sure_without_pitch
        samples = sound.samples(start, end)
        expected = call.expected if utterance.expects else None
        heard = yield from self.decode(samples, expected, quick=quick)
        return heard if heard.sure >= needed else Heard("", 0.0)

    def _step(self, stream: int, call: Call[Expected], link: Link) -> None:
        utterance = call.utterance
        assert utterance is not None and utterance.job is not None
        job = utterance.job
        began_s = time.process_time()
        try:
            next(job.steps)
        except StopIteration as over:
            heard: Heard | None = over.value
        else:
            heard = None
        job.spent_s += time.process_time() - began_s
        if heard is None:
            return
        self._turns += 1
        call.turn = self._turns
        if job.why == Why.PACE:
            self._pace_again_s = time.monotonic() + job.spent_s
        so_far = utterance.end_job(self.judged(call, utterance, heard))
        if utterance.finished:
            self._answer(stream, call, link)
        elif so_far.text and so_far.text != utterance.told:
            utterance.told = so_far.text
            link.send(_text(stream, utterance.number, so_far, final=False))

    def _answer(self, stream: int, call: Call[Expected], link: Link) -> None:
        """The final, if everything is decoded."""
        utterance = call.utterance
        if utterance is None or (final := utterance.final()) is None:
            return
        call.utterance = None
        link.send(_text(stream, utterance.number, final, final=True))


def _hear(call: Call[Expected], audio: bytes) -> None:
    utterance = call.utterance
    if utterance is None:
        return  # it has failed, and the server's word of it has crossed ours
    samples: NDArray[np.int16] = codec.decode(audio, call.encoding)
    if call.resampler is not None:
        samples = call.resampler.process(samples)
    utterance.sound.push(samples)


def _text(stream: int, utterance: int, heard: Heard, *, final: bool) -> Frame:
    fields = {
        "utterance": utterance,
        "text": heard.text,
        "confidence": round(heard.confidence, 3),
        "final": final,
        "expected": heard.matched,
    }
    return Frame(stream, "text", fields)
