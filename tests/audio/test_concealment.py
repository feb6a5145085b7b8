from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio import codec
from antiphon.audio.concealment import conceal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

NARROW = AudioFormat(Encoding.PCM16, 8000)


def tone(samples: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 200 * np.arange(samples) / 8000)).astype(np.int16)


def test_repeats_the_last_20_ms_fading_out_within_60() -> None:
    heard = tone(480)
    filled = codec.decode(conceal(codec.encode(heard, Encoding.PCM16), 800, NARROW), Encoding.PCM16).astype(float)
    repeated = np.tile(heard[-160:], 3)
    expected = repeated * (1 - np.arange(480) / 480)
    assert np.abs(filled[:480] - expected).max() <= 1
    assert not filled[480:].any()


def test_a_short_hole_is_filled_as_the_beginning_of_a_long_one() -> None:
    speech = codec.encode(tone(480), Encoding.MULAW)
    assert conceal(speech, 160, TELEPHONE) == conceal(speech, 800, TELEPHONE)[:160]


def test_less_than_20_ms_is_repeated_as_it_is() -> None:
    filled = conceal(codec.encode(np.array([1000, 2000], np.int16), Encoding.PCM16), 4, NARROW)
    assert codec.decode(filled, Encoding.PCM16).tolist() == [1000, 1995, 995, 1987]


def test_silence_before_anything_was_heard() -> None:
    assert conceal(b"", 160, TELEPHONE) == b"\xff" * 160


@given(st.integers(0, 5000), st.sampled_from([TELEPHONE, NARROW]), st.integers(0, 200))
def test_exactly_what_was_asked(missing: int, audio: AudioFormat, heard: int) -> None:
    assert len(conceal(codec.silence(audio, heard), missing, audio)) == missing * audio.bytes_per_sample


@pytest.mark.parametrize("audio", [TELEPHONE, NARROW])
def test_what_is_longer_than_the_fade_is_silence(audio: AudioFormat) -> None:
    filled = conceal(codec.encode(tone(160), audio.encoding), 640, audio)
    assert filled[480 * audio.bytes_per_sample :] == codec.silence(audio, 160)
