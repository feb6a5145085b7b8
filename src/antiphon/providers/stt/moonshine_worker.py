"""Moonshine, in its worker process (frames: ``utterance_engine``). Decoding is done in steps of some milliseconds, freely or as one of the
expected answers. Runs only there: importing it needs onnxruntime.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.jsgf import automaton_of_jsgf
from antiphon.providers.stt.moonshine_model import Model
from antiphon.providers.stt.moonshine_search import Answers, hear
from antiphon.providers.stt.moonshine_text import shown
from antiphon.providers.stt.phrases import grammar_of_phrases
from antiphon.providers.stt.spelling import Spelling
from antiphon.providers.stt.utterance import Utterance
from antiphon.providers.stt.utterance_engine import Call, Floats, UtteranceEngine

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


class MoonshineEngine(UtteranceEngine[Expected]):
    """The ``PatientEngine`` of this process."""

    sure_without_pitch = 0.6
    """Of 61 recorded noises 9 have hardly a pitch, the surest at 0.59 ("ah"); of 171 short words 5, four of them above ("six", "but")."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the model's files are not there, or are others."""
        super().__init__(options["partial_every_ms"])
        self._min_confidence: float = options["min_confidence"]
        self._expected_only: bool = options["expected_only"]
        self._model = Model()
        self._grammars: OrderedDict[tuple[str, ...], Expected] = OrderedDict()

    def warm(self) -> None:
        """The first run plans its memory."""
        for _ in hear(self._model, np.zeros(RATE_HZ, dtype=np.float32), None):
            pass

    def prepare(self, phrases: Sequence[str], grammar: str) -> Expected:
        key = (grammar,) if grammar else ("", *phrases)
        expected = self._grammars.get(key)
        if expected is None:
            written: Mapping[str, str] = {}
            if not grammar:
                of_phrases = grammar_of_phrases(phrases, lambda word: True)
                grammar, written = of_phrases.jsgf, of_phrases.phrases
            answers = Answers(Spelling(automaton_of_jsgf(grammar)), self._model.vocabulary)
            answers.continuations(answers.spelling.start())
            expected = self._grammars[key] = Expected(answers, written)
        self._grammars.move_to_end(key)
        if len(self._grammars) > _MAX_GRAMMARS:
            self._grammars.popitem(last=False)
        return expected

    def decode(self, samples: Floats, expected: Expected | None, *, quick: bool) -> Generator[None, None, Heard]:
        answers = expected.answers if expected is not None else None
        return (yield from hear(self._model, samples, answers, quick=quick))

    def judged(self, call: Call[Expected], utterance: Utterance, heard: Heard) -> Heard:
        """An expected answer in its author's words; other words as they are written, or not at all where only answers count."""
        if heard.expected is not None and call.expected is not None and heard.confidence >= self._min_confidence:
            # Which answer it was is one thing, whether anybody spoke another: a "yeah" may be a cough.
            sure = min(heard.confidence, heard.sure)
            return Heard(call.expected.written(heard.expected), sure, matched=True)
        if utterance.expects and self._expected_only:
            return Heard("", heard.confidence)
        return Heard(shown(heard.text), heard.sure)
