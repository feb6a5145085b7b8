"""Percentiles exact and counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.caller.lateness import PAUSE_MS, Lateness, Spacing, percentile


def test_percentiles_are_values_that_occurred() -> None:
    values = [5.0, 1.0, 2.0, 4.0, 3.0]
    assert [percentile(values, share) for share in (0, 0.2, 0.5, 0.95, 1)] == [1, 1, 3, 5, 5]
    assert percentile([], 0.5) is None


def test_nothing_counted_has_no_percentile() -> None:
    assert Lateness().percentile(0.5) is None


def test_early_is_not_late() -> None:
    lateness = Lateness()
    lateness.add(-3.0)
    assert (lateness.count, lateness.worst_ms, lateness.percentile(1.0)) == (1, 0.0, 0.0)


@given(st.lists(st.floats(0, 490), min_size=1, max_size=60), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_counted_percentiles_are_right_to_a_quarter_millisecond(values: list[float], share: float) -> None:
    first, second = Lateness(), Lateness()
    for value in values:
        (first if value < 100 else second).add(value)
    first.merge(second)
    counted, exact = first.percentile(share), percentile(values, share)
    assert counted is not None
    assert exact is not None
    assert exact <= counted + 1e-9
    assert counted <= exact + 0.25
    assert first.count == len(values)
    assert first.worst_ms == max(values)


def test_over_half_a_second_the_worst_is_told() -> None:
    lateness = Lateness()
    lateness.add(700.0)
    lateness.add(900.0)
    assert lateness.percentile(0.5) == 900.0


def test_messages_are_late_against_the_length_of_the_one_before() -> None:
    spacing = Spacing()
    for now_ms, length_ms in ((0.0, 60.0), (60.0, 20.0), (90.0, 20.0), (95.0, 20.0)):
        spacing.arrived(now_ms, length_ms)
    assert spacing.lateness.count == 3
    assert spacing.lateness.worst_ms == 10.0


@pytest.mark.parametrize("interrupt", [True, False])
def test_after_a_pause_or_a_clear_nothing_is_late(interrupt: bool) -> None:
    spacing = Spacing()
    spacing.arrived(0.0, 20.0)
    if interrupt:
        spacing.interrupted()
    spacing.arrived(100.0 if interrupt else 20.0 + PAUSE_MS, 20.0)
    assert spacing.lateness.count == 0
