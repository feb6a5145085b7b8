"""Words to phonemes: which of them make which sound, and what an unknown word costs the second time."""

from __future__ import annotations

import itertools
import time

import pytest

from antiphon.providers.tts.piper_model import joe
from antiphon.providers.tts.piper_sounds import WordSounds
from antiphon.providers.tts.piper_worker import sentences


@pytest.fixture(scope="module")
def sounds() -> WordSounds:
    return WordSounds(joe().description["phoneme_id_map"])


def test_every_word_has_its_place(sounds: WordSounds) -> None:
    words = ["Well", "—", "thank", "you,", "Mister", "O'Connell."]
    made = sounds.of(words)
    spans = [span for span in made.words if span is not None]
    assert len(made.words) == len(words)
    assert len(spans) == len(words)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert spans[-1][1] < len(made.ids)


@pytest.mark.parametrize("word", ["correct", "operation", "mineral", "carry", "hearing"])
def test_an_r_between_vowels_is_said(sounds: WordSounds, word: str) -> None:
    assert joe().description["phoneme_id_map"]["ɹ"][0] in sounds.of([word]).ids


@pytest.mark.parametrize("text", ["🙂", "日本語", "привет", "\0"])
def test_a_word_without_a_sound_has_no_place(sounds: WordSounds, text: str) -> None:
    assert sounds.of(["yes", text]).words[1] is None


def test_the_same_words_always_sound_the_same(sounds: WordSounds) -> None:
    assert sounds.of(["Kowalczyk"]) == sounds.of(["Kowalczyk"])


def test_an_unknown_word_is_worked_out_once(sounds: WordSounds) -> None:
    sounds.of(["Przybylski"])
    began = time.process_time()
    for _ in range(20):
        sounds.of(["Przybylski"])
    assert time.process_time() - began < 0.1  # 6 to 15 ms each, were it worked out


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One. Two! Three", ["One.", "Two!", "Three"]),
        ("no end", ["no end"]),
        ("", []),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
    ],
)
def test_sentences(text: str, cut: list[str]) -> None:
    assert [" ".join(words) for words in sentences(text.split())] == cut


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    made = sentences(("word " * 20 + "word, " + "word " * 20).split())
    assert [words[-1] for words in made] == ["word,", "word"]
    assert sum(map(len, made)) == 41
