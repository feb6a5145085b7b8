from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.audio.resample import MAX_FACTOR, Resampler, resample
from antiphon.errors import ConfigurationError

PAIRS = [
    (8000, 16000),
    (16000, 8000),
    (24000, 8000),
    (22050, 8000),
    (22050, 16000),
    (48000, 8000),
    (48000, 16000),
    (48000, 24000),
    (8000, 24000),
    (44100, 48000),
    (11025, 16000),
]


def tone(hz: float, rate_hz: int, seconds: float = 0.5) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def level_db(samples: NDArray[np.float64]) -> float:
    """Level of the middle, away from where the recording begins and ends, against ``tone``'s."""
    middle = samples[samples.size // 5 : -samples.size // 5].astype(np.float64)
    return float(10 * np.log10(np.mean(middle**2) / 0.125 + 1e-20))


def split_at_tone(samples: NDArray[np.float32], hz: float, rate_hz: int) -> tuple[float, float]:
    """Levels of the tone (by least squares) and of everything else, dB."""
    angle = 2 * np.pi * hz * np.arange(samples.size) / rate_hz
    basis = np.stack((np.sin(angle), np.cos(angle)), axis=1)
    weights = np.linalg.lstsq(
        basis[samples.size // 5 : -samples.size // 5], samples[samples.size // 5 : -samples.size // 5]
    )[0]
    return level_db(basis @ weights), level_db(samples - basis @ weights)


def int16_noise(seed: int, count: int) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_pass_band_is_flat_and_images_are_rejected(from_hz: int, to_hz: int) -> None:
    for hz in np.linspace(100, 0.425 * min(from_hz, to_hz), 6):
        kept, rest = split_at_tone(resample(tone(hz, from_hz), from_hz, to_hz), hz, to_hz)
        assert abs(kept) < 0.5, hz
        assert rest < -50, hz


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_aliases_are_rejected(from_hz: int, to_hz: int) -> None:
    for hz in np.linspace(to_hz / 2, from_hz / 2 - 50, 9):
        assert level_db(resample(tone(hz, from_hz), from_hz, to_hz)) < -50, hz


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_recording_keeps_its_time_base(from_hz: int, to_hz: int) -> None:
    """The one-shot result lies on the tone itself: neither late nor early, and of the right length."""
    output = resample(tone(440, from_hz), from_hz, to_hz)
    exact = tone(440, to_hz, seconds=1)[: output.size]
    assert output.size == round(round(from_hz * 0.5) * to_hz / from_hz)
    assert level_db(output - exact) < -50


def test_a_constant_stays_constant() -> None:
    """Every phase has a gain of exactly one; otherwise silence with an offset would buzz."""
    output = resample(np.full(2000, 10_000, dtype=np.int16), 8000, 24000)
    assert set(output[200:-200].tolist()) == {10_000}


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "at_most_ms"),
    [(8000, 16000, 3.0), (16000, 8000, 3.0), (24000, 8000, 3.0), (48000, 16000, 1.5)],
)
def test_delay_is_short_and_as_stated(from_hz: int, to_hz: int, at_most_ms: float) -> None:
    resampler = Resampler(from_hz, to_hz)
    click = np.zeros(from_hz // 10, dtype=np.float32)
    click[from_hz // 50] = 1.0
    heard_ms = int(np.argmax(resampler.process(click))) * 1000 / to_hz
    assert heard_ms - 20 == pytest.approx(resampler.delay_ms, abs=500 / to_hz)
    assert 0 < resampler.delay_ms <= at_most_ms


@settings(deadline=None, max_examples=60)
@given(
    pair=st.sampled_from([*PAIRS, (8000, 8000)]),
    cuts=st.lists(st.integers(0, 1500), max_size=12),
    seed=st.integers(0, 1000),
    as_float=st.booleans(),
)
def test_how_the_stream_was_cut_cannot_be_heard(
    pair: tuple[int, int], cuts: list[int], seed: int, as_float: bool
) -> None:
    samples = int16_noise(seed, 1500)
    stream = samples.astype(np.float32) / 30_000 if as_float else samples
    whole, in_pieces = Resampler(*pair), Resampler(*pair)
    expected = np.concatenate((whole.process(stream), whole.flush()))
    pieces = [in_pieces.process(piece) for piece in np.split(stream, sorted(cuts))]
    got = np.concatenate((*pieces, in_pieces.flush()))
    assert got.dtype == stream.dtype
    assert np.array_equal(got, expected)


@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_output_comes_as_soon_as_it_can(pair: tuple[int, int], sizes: list[int]) -> None:
    resampler = Resampler(*pair)
    total_in = total_out = 0
    for size in sizes:
        total_in += size
        total_out += resampler.process(int16_noise(1, size)).size
        assert total_out == -(-total_in * pair[1] // pair[0])


@given(st.sampled_from(PAIRS), st.integers(0, 700))
def test_flush_completes_the_stream(pair: tuple[int, int], count: int) -> None:
    resampler = Resampler(*pair)
    given_out = resampler.process(int16_noise(2, count)).size + resampler.flush().size
    delay = round(resampler.delay_ms * pair[1] / 1000)
    assert given_out == (delay + round(count * pair[1] / pair[0]) if count else 0)
    assert resample(int16_noise(2, count), *pair).size == round(count * pair[1] / pair[0])


@pytest.mark.parametrize("end", [Resampler.flush, Resampler.reset])
def test_after_the_end_it_is_as_new(end) -> None:
    used, new = Resampler(8000, 16000), Resampler(8000, 16000)
    used.process(int16_noise(3, 333))
    end(used)
    chunk = int16_noise(4, 160)
    assert np.array_equal(used.process(chunk), new.process(chunk))


def test_loud_input_saturates_and_does_not_wrap() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], dtype=np.int16), 40), 20)
    output = resample(square, 8000, 16000)  # the filter rings beyond full scale at each edge
    assert output.max() == 32767
    assert output.min() == -32768
    assert np.abs(np.diff(output.astype(int))).max() < 50_000


def test_equal_rates_pass_through_untouched() -> None:
    resampler = Resampler(16000, 16000)
    chunk = np.array([1e-9, 0.5], dtype=np.float32)
    assert resampler.process(chunk) is chunk
    assert resampler.flush().dtype == np.float32
    assert resampler.delay_ms == 0
    assert resample(chunk, 16000, 16000) is chunk


def test_flush_of_an_unused_stream_is_empty() -> None:
    assert Resampler(8000, 16000).flush().size == 0


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(0, 8000), (8000, -1), (44_100, 44_101), (8000, 8000 * (MAX_FACTOR + 1))]
)
def test_impossible_rates_are_refused(from_hz: int, to_hz: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Resampler(from_hz, to_hz)
    assert caught.value.field == "rate_hz"


def test_a_long_recording_takes_little_more_room_than_it_has_itself() -> None:
    recording = np.zeros(4_000_000, dtype=np.int16)
    tracemalloc.start()
    try:
        resample(recording, 192_000, 8000)
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()
