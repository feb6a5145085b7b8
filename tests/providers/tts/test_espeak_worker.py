"""Shaping a speech: cut at words, at the rate asked for, without delay."""

from __future__ import annotations

import numpy as np

from antiphon.providers.espeak_library import EventKind, SynthesisEvent
from antiphon.providers.tts.espeak_worker import SpeechShaper
from antiphon.vocabulary import Encoding

NATIVE_HZ = 22050


def word(position: int, sample: int) -> SynthesisEvent:
    return SynthesisEvent(EventKind.WORD, position, sample)


def test_audio_waits_for_the_end_of_its_word() -> None:
    shaper = SpeechShaper("one two", NATIVE_HZ, Encoding.PCM16, 16000)
    second = np.ones(NATIVE_HZ, dtype=np.int16)
    shaper.add(second[:11025], [word(0, 0)])
    assert shaper.take() == (b"", [])
    shaper.add(second[:11025], [word(4, 20000)])
    audio, words = shaper.take()
    assert words == [["one", 0, 907]]
    assert abs(len(audio) / 2 - 20000 * 16000 / NATIVE_HZ) < 60  # what the filter holds back
    rest, words = shaper.finish()
    assert words == [["two", 907, 1000]]
    assert len(audio + rest) == 2 * 16000


def test_a_word_the_engine_says_in_parts_is_one() -> None:
    shaper = SpeechShaper("pay 42 now", NATIVE_HZ, Encoding.PCM16, 8000)
    shaper.add(
        np.zeros(NATIVE_HZ, dtype=np.int16), [word(0, 0), word(4, 5000), word(5, 9000), word(7, 15000), word(8, 16000)]
    )
    _, words = shaper.finish()
    assert [entry[0] for entry in words] == ["pay", "42", "now"]


def test_a_pause_belongs_to_no_word() -> None:
    shaper = SpeechShaper("one. two", NATIVE_HZ, Encoding.PCM16, 8000)
    end = SynthesisEvent(EventKind.END, 3, 5000)
    shaper.add(np.zeros(NATIVE_HZ, dtype=np.int16), [word(0, 0), end, word(5, 11025)])
    _, words = shaper.finish()
    assert words == [["one.", 0, 226], ["two", 500, 1000]]


def test_words_the_engine_says_as_one_share_its_time() -> None:
    shaper = SpeechShaper("out of the way", NATIVE_HZ, Encoding.PCM16, 8000)
    shaper.add(np.zeros(NATIVE_HZ, dtype=np.int16), [word(0, 0), word(4, 2205), word(11, 13230)])
    _, words = shaper.finish()
    assert words == [["out", 0, 100], ["of", 100, 300], ["the", 300, 600], ["way", 600, 1000]]


def test_signs_nobody_pronounces_stay_with_the_word_before() -> None:
    shaper = SpeechShaper("wait - no ...", NATIVE_HZ, Encoding.PCM16, 8000)
    shaper.add(np.zeros(NATIVE_HZ, dtype=np.int16), [word(0, 0), word(7, 11025)])
    _, words = shaper.finish()
    assert words == [["wait -", 0, 500], ["no ...", 500, 1000]]
