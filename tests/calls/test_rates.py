"""How often a key may ask, in one process."""

from __future__ import annotations

import pytest

from antiphon.calls.rates import MemoryRates


async def test_a_key_that_asks_too_often_waits_and_no_other_does() -> None:
    now_ms = 0
    rates = MemoryRates(60, lambda: now_ms)
    assert [await rates.take("a") for _ in range(10)] == [0.0] * 10
    assert await rates.take("a") == pytest.approx(1.0)
    assert await rates.take("b") == 0.0
    now_ms = 1000
    assert await rates.take("a") == 0.0
    assert await rates.take("a") > 0
