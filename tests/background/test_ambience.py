"""Sounds of a room that are heard over and over."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.audio import pcm
from antiphon.background.ambience import ROOM_DBFS, endless, office


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000, 48_000])
def test_an_office_is_heard_at_a_rooms_level_whatever_the_rate(rate_hz: int) -> None:
    sound = endless(office(rate_hz), rate_hz)
    assert len(sound) == 19.5 * rate_hz
    seconds = sound[: 19 * rate_hz].reshape(19, -1)
    levels = [pcm.dbfs(second) for second in seconds]
    assert pcm.dbfs(sound) == pytest.approx(ROOM_DBFS, abs=2.0)
    assert min(levels) > ROOM_DBFS - 10 and max(levels) < ROOM_DBFS + 10, "alive, and never a shock"
    assert np.array_equal(office(rate_hz), office(rate_hz))


def test_the_end_runs_on_into_the_beginning() -> None:
    rate_hz = 8000
    rising = np.linspace(-20_000, 20_000, 4 * rate_hz).astype(np.int16)
    loop = endless(rising, rate_hz).astype(np.int32)
    twice = np.concatenate((loop, loop))
    assert np.abs(np.diff(twice)).max() < 20, "without a click where it begins again"


def test_loud_and_soft_recordings_come_to_the_same_level() -> None:
    random = np.random.default_rng(1)
    noise = random.standard_normal(16_000)
    for loud in (300, 20_000):
        samples = np.clip(noise * loud / 3, -32768, 32767).astype(np.int16)
        assert pcm.dbfs(endless(samples, 8000)) == pytest.approx(ROOM_DBFS, abs=0.5)


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_hardly_anything_is_no_fault(size: int) -> None:
    assert len(endless(np.ones(size, dtype=np.int16), 8000)) == size - size // 4
