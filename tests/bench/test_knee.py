"""Which number of calls is tried next."""

from __future__ import annotations

import pytest

from antiphon.bench.knee import held, next_calls


def search(capacity: int, start: int, most: int) -> tuple[int, list[int]]:
    """Run the search against a server that holds ``capacity``; what was found, and the numbers tried."""
    tried = [(start, start <= capacity)]
    while (number := next_calls(tried, most)) is not None:
        tried.append((number, number <= capacity))
        assert len(tried) < 30, "the search does not end"
    return held(tried), [number for number, _ in tried]


@pytest.mark.parametrize("capacity", [1, 2, 7, 22, 23, 60, 149, 420, 444, 900])
@pytest.mark.parametrize("start", [1, 50, 400])
def test_the_knee_is_found_to_a_tenth(capacity: int, start: int) -> None:
    found, tried = search(capacity, start, most=1000)
    assert found <= capacity
    assert capacity - found <= max(1, 0.1 * (capacity + 100 * (capacity < start)) + 10 * (capacity >= 100)), (
        found,
        tried,
    )
    assert len(set(tried)) == len(tried), "no number is tried twice"


def test_a_server_that_holds_all_there_are_is_asked_for_no_more() -> None:
    found, tried = search(10_000, start=200, most=500)
    assert found == 500
    assert tried == [200, 260, 340, 440, 500]


def test_a_server_that_holds_nothing() -> None:
    assert search(0, start=8, most=100) == (0, [8, 4, 2, 1])


def test_what_held_beyond_a_failure_was_luck() -> None:
    assert held([(50, True), (100, False), (120, True)]) == 50
