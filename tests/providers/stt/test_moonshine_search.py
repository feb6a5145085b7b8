"""How sure Moonshine is of what it writes."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.providers.stt.calls import CARDS, Clip, Noise, wire

from antiphon.audio import codec
from antiphon.audio.resample import resample
from antiphon.providers.stt.heard import Heard
from antiphon.providers.stt.jsgf import automaton_of_jsgf
from antiphon.providers.stt.moonshine_model import END, Model
from antiphon.providers.stt.moonshine_search import Answers, hear
from antiphon.providers.stt.spelling import Spelling
from antiphon.vocabulary import TELEPHONE, Encoding


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def heard(model: Model, samples: NDArray[np.float32], *, quick: bool = False) -> Heard:
    return result(hear(model, samples, None, quick=quick))


def result(steps: Generator[None, None, Heard]) -> Heard:
    while True:
        try:
            next(steps)
        except StopIteration as over:
            return over.value  # type: ignore[no-any-return]


def cough(noise: Noise, pitch_hz: float) -> NDArray[np.float32]:
    """A dying burst with a pitch, over line noise."""
    line = noise(14_400, -55.0)
    time_s = np.arange(6_400) / 16_000
    voice = sum(np.sin(2 * np.pi * pitch_hz * n * time_s) / n for n in range(1, 20)) * 0.05
    line[3_200:9_600] += (voice + noise(6_400, -26.0)) * np.exp(-8 * time_s)
    return line


@pytest.mark.parametrize("pitch_hz", [110.0, 180.0, 250.0])
def test_what_it_writes_of_any_noise_is_not_believed(model: Model, noise: Noise, pitch_hz: float) -> None:
    sound = cough(noise, pitch_hz)
    by_itself, said = heard(model, sound, quick=True), heard(model, sound)
    assert said.text == by_itself.text != ""
    assert by_itself.confidence > 0.7, "by the odds of its tokens alone it is sure"
    assert said.confidence == said.sure < 0.3


@pytest.mark.parametrize("name", ["cards-001.wav", "cards-004.wav", "goforward.wav"])
def test_what_people_say_is(model: Model, clip: Clip, name: str) -> None:
    assert heard(model, clip(name).astype(np.float32) / 32768).confidence > 0.5


def test_a_short_answer_needs_less_evidence_than_a_long_one(model: Model, clip: Clip) -> None:
    """What was heard freely is "Gang.", and nothing like a card."""
    answers = Answers(Spelling(automaton_of_jsgf(CARDS.grammar)), model.vocabulary)
    speech = over_telephone(clip("../answers/king.wav"))
    said = result(hear(model, speech, answers))
    assert answers.spelling.read(said.text) is None
    assert said.expected == ("king",)
    assert said.confidence > 0.7


def over_telephone(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """As 8 kHz µ-law, brought back to 16 kHz."""
    narrow = codec.decode(wire(samples, TELEPHONE), Encoding.MULAW)
    return resample(narrow, 8000, 16000).astype(np.float32) / 32768


class Writes:
    """A model that writes these tokens, each as likely as ``odds`` (natural logarithm), and thinks ``before`` of them all after nothing."""

    nothing = None

    def __init__(self, tokens: tuple[int, ...], odds: float, before: float) -> None:
        self._tokens, self._odds, self._before = (*tokens, END), odds, before
        self.vocabulary = self

    def text(self, tokens: list[int]) -> str:
        return " ".join(map(str, tokens))

    def encode(self, samples: NDArray[np.float32]) -> None: ...

    def begin(self, encoding: None) -> tuple[NDArray[np.float32], int]:
        return self.go_on(None, -1, [0])

    def go_on(self, encoding: None, cache: int, tokens: list[int]) -> tuple[NDArray[np.float32], int]:
        logits = np.full((1, 100), -20.0, dtype=np.float32)
        logits[0, self._tokens[cache + 1]] = self._odds
        return logits, cache + 1

    def likelihood(self, encoding: None, tokens: tuple[int, ...]) -> float:
        assert tokens == self._tokens
        return self._before


@pytest.mark.parametrize(
    ("tokens", "before", "believed"),
    [((10, 11), -9.0, True), ((10, 11), -4.0, False), ((10, 11) * 4, -9.0, True), (tuple(range(10, 18)), -9.0, False)],
    ids=["rare words", "what it writes of any noise", "rare words again and again", "a likely sentence"],
)
def test_a_repetition_speaks_neither_for_words_nor_against_them(
    tokens: tuple[int, ...], before: float, believed: bool
) -> None:
    model = cast("Model", Writes(tokens, odds=-0.25, before=before))
    said = heard(model, np.zeros(16_000, dtype=np.float32))
    assert said.text == " ".join(map(str, tokens))
    assert (said.confidence > 0.5) is believed


def test_words_are_likelier_after_their_sound_than_where_nothing_is_heard(model: Model, clip: Clip) -> None:
    tokens = (*(model.vocabulary.by_text[text][0] for text in (" go", " forward")), END)
    sound = model.encode(clip("goforward.wav")[:24_000].astype(np.float32) / 32768)
    assert model.likelihood(sound, tokens) > model.likelihood(model.nothing, tokens) + 3


def test_all_at_once_and_one_after_the_other_are_about_as_likely(model: Model) -> None:
    tokens = (*(model.vocabulary.by_text[text][0] for text in (" go", " forward")), END)
    logits, cache = model.begin(model.nothing)
    one_by_one = float(logits[0, tokens[0]])
    for before, token in pairwise(tokens):
        logits, cache = model.go_on(model.nothing, cache, [before])
        one_by_one += float(logits[0, token])
    assert model.likelihood(model.nothing, tokens) == pytest.approx(one_by_one, abs=1.5)
