"""A stream that stops is found out, and one that only takes long is not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from tests.calls.virtual import run_virtually

from antiphon.clock import ManualClock
from antiphon.providers.stalls import StallWatch
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE


@dataclass
class Outcome:
    over_s: float
    stalled: bool
    begun: bool


def run(*gaps_s: float) -> Outcome:
    """A stream whose pieces come so far apart, watched for a stall of ten seconds."""
    clock, outcome = ManualClock(0), Outcome(0.0, False, False)
    _, _, wire = memory_pair(clock, TELEPHONE)

    async def main() -> None:
        watch = StallWatch(10.0)
        try:
            async with watch:
                for gap_s in gaps_s:
                    await asyncio.sleep(gap_s)
                    watch.alive()
        except TimeoutError:
            outcome.stalled = True
        outcome.over_s, outcome.begun = clock.now_ms() / 1000, watch.begun

    run_virtually(clock, wire, main, 120_000)
    return outcome


def test_a_stream_that_goes_on_may_last_as_long_as_it_likes() -> None:
    assert run(*[9.0] * 6) == Outcome(pytest.approx(54, abs=0.1), False, True)


@pytest.mark.parametrize(("gaps_s", "found_s"), [((30.0,), 10), ((4.0, 30.0), 14), ((9.9, 9.9, 30.0), 29.8)])
def test_one_that_stops_is_found_when_it_has_been_silent_for_so_long(gaps_s: tuple[float, ...], found_s: float) -> None:
    assert run(*gaps_s) == Outcome(pytest.approx(found_s, abs=0.1), True, len(gaps_s) > 1)


def test_a_stream_may_end_at_once() -> None:
    assert run() == Outcome(pytest.approx(0, abs=0.1), False, False)
