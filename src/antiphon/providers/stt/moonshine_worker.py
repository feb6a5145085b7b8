"""Moonshine, in its worker process. Frames in: ``open``, ``expect``, ``begin``, ``audio``, ``finish``, ``close``; out: ``text``
(partial or final) and ``failed``.

Frames only collect sound and say what is to be done; decoding is done in steps of some milliseconds between them, the most urgent first:
finals of people who have stopped speaking, what was said before a pause, partials (for at most half of the time), recordings in turns.
Runs only there: importing it needs onnxruntime.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers.stt.jsgf import automaton_of_jsgf
from antiphon.providers.stt.moonshine_model import RATE_HZ, Model
from antiphon.providers.stt.moonshine_search import Answers, Heard, hear
from antiphon.providers.stt.moonshine_text import shown
from antiphon.providers.stt.moonshine_utterance import Job, Utterance, Why
from antiphon.providers.stt.phrases import grammar_of_phrases
from antiphon.providers.stt.spelling import Spelling
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

_MAX_GRAMMARS = 32
"""Kept for the next call that expects the same; an assistant has a handful."""


class Expected:
    """A grammar as it is searched, and its words as somebody wrote them."""

    def __init__(self, answers: Answers, phrases: Mapping[str, str]) -> None:
        self.answers = answers
        self._phrases = phrases

    def written(self, words: tuple[str, ...]) -> str:
        recognised = " ".join(words)
        return self._phrases.get(recognised, recognised)


class Call:
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


class MoonshineEngine:
    """The ``PatientEngine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the model's files are not there, or are others."""
        self._min_confidence: float = options["min_confidence"]
        self._partial_every_ms: int = options["partial_every_ms"]
        self._expected_only: bool = options["expected_only"]
        self._model = Model()
        self._calls: dict[int, Call] = {}
        self._grammars: OrderedDict[tuple[str, ...], Expected] = OrderedDict()
        self._turns = 0
        self._pace_again_s = 0.0

    def warm(self) -> None:
        """The first run plans its memory."""
        for _ in hear(self._model, np.zeros(RATE_HZ, dtype=np.float32), None):
            pass

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

    def _expect(self, call: Call, phrases: list[str], jsgf: str) -> None:
        """Prepare now, while the agent speaks, so that the search need not. A problem is told with the next utterance."""
        call.problem = ""
        call.expected = None
        if not phrases and not jsgf:
            return
        try:
            call.expected = self._grammar(phrases, jsgf)
        except ConfigurationError as failure:
            call.problem = str(failure)

    def _grammar(self, phrases: list[str], jsgf: str) -> Expected:
        key = (jsgf,) if jsgf else ("", *phrases)
        expected = self._grammars.get(key)
        if expected is None:
            written: Mapping[str, str] = {}
            if not jsgf:
                grammar = grammar_of_phrases(phrases, lambda word: True)
                jsgf, written = grammar.jsgf, grammar.phrases
            answers = Answers(Spelling(automaton_of_jsgf(jsgf)), self._model.vocabulary)
            answers.continuations(answers.spelling.start())
            expected = self._grammars[key] = Expected(answers, written)
        self._grammars.move_to_end(key)
        if len(self._grammars) > _MAX_GRAMMARS:
            self._grammars.popitem(last=False)
        return expected

    def _begin(self, call: Call, frame: Frame, link: Link) -> None:
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

    def _decode(self, call: Call, utterance: Utterance, why: Why, start: int, end: int) -> Generator[None, None, Heard]:
        if not utterance.sound.is_speech(start, end):
            return Heard("", 0.0)
        samples = utterance.sound.samples(start, end)
        answers = call.expected.answers if call.expected is not None and utterance.expects else None
        return (yield from hear(self._model, samples, answers, quick=why == Why.PACE))

    def _step(self, stream: int, call: Call, link: Link) -> None:
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
        so_far = utterance.end_job(self._judged(call, utterance, heard))
        if utterance.finished:
            self._answer(stream, call, link)
        elif so_far.text and so_far.text != utterance.told:
            utterance.told = so_far.text
            link.send(_text(stream, utterance.number, so_far, final=False))

    def _judged(self, call: Call, utterance: Utterance, heard: Heard) -> Heard:
        """As it is told: an expected answer in its author's words; other words as they are written, or not at all where only answers
        count."""
        if heard.expected is not None and call.expected is not None and heard.confidence >= self._min_confidence:
            return Heard(call.expected.written(heard.expected), heard.confidence, matched=True)
        if utterance.expects and self._expected_only:
            return Heard("", heard.confidence)
        return Heard(shown(heard.text), heard.sure)

    def _answer(self, stream: int, call: Call, link: Link) -> None:
        """The final, if everything is decoded."""
        utterance = call.utterance
        if utterance is None or (final := utterance.final()) is None:
            return
        call.utterance = None
        link.send(_text(stream, utterance.number, final, final=True))


def _hear(call: Call, audio: bytes) -> None:
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
