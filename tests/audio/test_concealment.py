from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio import codec
from antiphon.audio.concealment import Concealer
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

NARROW = AudioFormat(Encoding.PCM16, 8000)


def tone(samples: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 200 * np.arange(samples) / 8000)).astype(np.int16)


def test_repeats_the_last_20_ms_fading_out_within_60() -> None:
    concealer = Concealer(NARROW)
    heard = tone(480)
    concealer.hear(codec.encode(heard, Encoding.PCM16))
    filled = codec.decode(concealer.fill(800), Encoding.PCM16).astype(float)
    repeated = np.tile(heard[-160:], 3)
    expected = repeated * (1 - np.arange(480) / 480)
    assert np.abs(filled[:480] - expected).max() <= 1
    assert not filled[480:].any()


def test_a_gap_filled_in_steps_sounds_like_one_filled_at_once() -> None:
    at_once, in_steps = Concealer(TELEPHONE), Concealer(TELEPHONE)
    for concealer in (at_once, in_steps):
        concealer.hear(codec.encode(tone(480), Encoding.MULAW))
    assert b"".join(in_steps.fill(160) for _ in range(5)) == at_once.fill(800)


def test_real_audio_starts_afresh() -> None:
    concealer = Concealer(TELEPHONE)
    speech = codec.encode(tone(160), Encoding.MULAW)
    concealer.hear(speech)
    first = concealer.fill(160)
    concealer.fill(800)
    concealer.hear(speech)
    assert concealer.fill(160) == first


def test_short_packets_add_up_to_20_ms() -> None:
    in_one, in_pieces = Concealer(TELEPHONE), Concealer(TELEPHONE)
    speech = codec.encode(tone(400), Encoding.MULAW)
    in_one.hear(speech)
    for at in range(0, 400, 80):
        in_pieces.hear(speech[at : at + 80])
    in_pieces.hear(b"")
    assert in_pieces.fill(320) == in_one.fill(320)


def test_less_than_20_ms_is_repeated_as_it_is() -> None:
    concealer = Concealer(NARROW)
    concealer.hear(codec.encode(np.array([1000, 2000], np.int16), Encoding.PCM16))
    filled = codec.decode(concealer.fill(4), Encoding.PCM16)
    assert filled.tolist() == [1000, 1995, 995, 1987]


def test_silence_before_anything_was_heard() -> None:
    assert Concealer(TELEPHONE).fill(160) == b"\xff" * 160


@given(st.integers(0, 5000), st.sampled_from([TELEPHONE, NARROW]))
def test_exactly_what_was_asked_up_to_the_limit(missing: int, audio: AudioFormat) -> None:
    concealer = Concealer(audio, max_fill_ms=500)
    concealer.hear(codec.silence(audio, 160))
    assert len(concealer.fill(missing)) == min(missing, 4000) * audio.bytes_per_sample


@pytest.mark.parametrize("audio", [TELEPHONE, NARROW])
def test_time_spent_in_silence_counts(audio: AudioFormat) -> None:
    concealer = Concealer(audio)
    concealer.hear(codec.encode(tone(160), audio.encoding))
    concealer.fill(480)
    assert concealer.fill(160) == codec.silence(audio, 160)
