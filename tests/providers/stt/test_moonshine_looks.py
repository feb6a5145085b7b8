"""How a short utterance is cut and levelled to be heard again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.providers.stt.calls import Noise

from antiphon.providers.stt.moonshine_looks import SHORT_MS, other_looks

RATE_HZ = 16_000


def said(noise: Noise, ms: int, level: float = 1.0, around_ms: int = 500) -> NDArray[np.float32]:
    """A tone of −10 dBFS on a line with noise, quiet before and after it."""
    quiet, size = RATE_HZ * around_ms // 1000, RATE_HZ * ms // 1000
    sound = noise(2 * quiet + size, -55.0).astype(np.float32)
    sound[quiet : quiet + size] += np.float32(0.447) * np.sin(np.arange(size, dtype=np.float32) * 0.08)
    return (sound * np.float32(level)).astype(np.float32)


def dbfs(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10((samples**2).mean()))


@pytest.mark.parametrize("level", [1.0, 0.1])
def test_a_short_word_is_cut_closely_and_brought_to_one_level(noise: Noise, level: float) -> None:
    close, wide = other_looks(said(noise, 400, level))
    assert close.size == pytest.approx(RATE_HZ * 600 / 1000, abs=RATE_HZ // 50)
    assert dbfs(close[RATE_HZ // 10 : -RATE_HZ // 10]) == pytest.approx(-20.0, abs=0.3)
    assert wide.size == pytest.approx(RATE_HZ * 1100 / 1000, abs=RATE_HZ // 50)
    assert not wide[-RATE_HZ * 300 // 1000 :].any()
    assert wide[: -RATE_HZ * 300 // 1000].any()
    assert close.dtype == wide.dtype == np.float32


def test_a_faint_word_with_a_click_is_not_clipped(noise: Noise) -> None:
    sound = said(noise, 400, 0.02)
    sound[RATE_HZ * 7 // 10] = 0.5
    close, _ = other_looks(sound)
    assert np.abs(close).max() <= 1.0


def test_what_is_at_the_edge_has_nothing_around_it(noise: Noise) -> None:
    close, _ = other_looks(said(noise, 300, around_ms=0))
    assert close.size == RATE_HZ * 300 // 1000


def test_what_is_long_silent_or_empty_is_heard_once(noise: Noise) -> None:
    assert other_looks(said(noise, SHORT_MS + 100)) == ()
    assert other_looks(np.zeros(RATE_HZ, dtype=np.float32)) == ()
    assert other_looks(np.zeros(0, dtype=np.float32)) == ()
    assert other_looks(np.zeros(7, dtype=np.float32)) == ()
