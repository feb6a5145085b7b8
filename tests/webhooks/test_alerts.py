"""An alert is told once when its threshold is crossed, and once when it is over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon.webhooks.alerts import AlertStates, Reading, Threshold

RATE = Threshold("error-rate", "percent", 5.0, 4.0, at_least=10)


def told(states: AlertStates, *readings: Reading) -> list[str]:
    return [alert.state for reading in readings for alert in states.judge({"error-rate": reading})]


def test_a_value_that_wavers_about_its_limit_is_told_once() -> None:
    values = [4.9, 5.0, 4.5, 5.5, 4.0, 3.9, 4.9, 5.0]
    assert told(AlertStates([RATE]), *(Reading(value, 20) for value in values)) == ["crossed", "over", "crossed"]


def test_few_samples_say_nothing_and_none_at_all_end_it() -> None:
    states = AlertStates([RATE])
    assert told(states, Reading(100, 9)) == []
    assert told(states, Reading(100, 10), Reading(100, 3)) == ["crossed"]
    assert told(states, Reading(0, 0)) == ["over"]
    assert states.judge({}) == [], "no reading, no change"


def test_what_could_not_be_told_is_judged_again() -> None:
    states = AlertStates([RATE])
    for state, value in (("crossed", 50), ("over", 0)):
        (alert,) = states.judge({"error-rate": Reading(value, 50)})
        states.take_back(alert)
        (again,) = states.judge({"error-rate": Reading(value, 50)})
        assert alert.state == again.state == state


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 30)), max_size=60))
def test_both_are_told_in_turns(readings: list[tuple[float, int]]) -> None:
    states = told(AlertStates([RATE]), *(Reading(value, samples) for value, samples in readings))
    assert states == ["crossed" if at % 2 == 0 else "over" for at in range(len(states))]
