from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.workflow import times
from antiphon.workflow.words import tokenize

OPENS, CLOSES = dt.time(9), dt.time(16, 30)


def found(text: str) -> list[str]:
    return [item.value.within(OPENS, CLOSES).isoformat("minutes") for item in times.find(tokenize(text))]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("three pm", "15:00"),
        ("three p.m. please", "15:00"),
        ("at three", "15:00"),
        ("three", "15:00"),
        ("no i said three", "15:00"),
        ("nine", "09:00"),
        ("half past three", "15:30"),
        ("quarter past ten", "10:15"),
        ("quarter to nine", "08:45"),
        ("a quarter to ten", "09:45"),
        ("ten to four", "15:50"),
        ("twenty five past four", "16:25"),
        ("ten thirty", "10:30"),
        ("nine oh five", "09:05"),
        ("three o'clock", "15:00"),
        ("nine in the morning", "09:00"),
        ("seven in the evening", "19:00"),
        ("eight am", "08:00"),
        ("twelve thirty pm", "12:30"),
        ("twelve am", "00:00"),
        ("noon", "12:00"),
        ("quarter to noon", "11:45"),
        ("ten to midnight", "23:50"),
        ("10:30", "10:30"),
        ("3pm", "15:00"),
        ("15:00", "15:00"),
        ("fifteen hundred", "15:00"),
        ("fifteen thirty", "15:30"),
        ("how about half past two instead", "14:30"),
    ],
)
def test_times_as_people_say_them(text: str, time: str) -> None:
    assert found(text) == [time]


@pytest.mark.parametrize(
    "text",
    [
        "i have three kids",
        "wednesday",
        "the third",
        "at five main street",
        "twenty eight hundred",
        "sixty",
        "half past",
        "to",
        "",
    ],
)
def test_words_that_name_no_time(text: str) -> None:
    assert found(text) == []


def test_a_bare_number_is_not_sure_to_be_a_time() -> None:
    assert [item.explicit for item in times.find(tokenize("three"))] == [False]
    assert [item.explicit for item in times.find(tokenize("three pm"))] == [True]


@pytest.mark.parametrize(("hour", "time"), [(8, "08:00"), (10, "10:00"), (12, "12:00"), (4, "16:00"), (5, "17:00")])
def test_the_half_of_the_day_is_the_open_one_else_the_usual_one(hour: int, time: str) -> None:
    assert times.ClockTime(hour, 0).within(OPENS, CLOSES).isoformat("minutes") == time


@given(st.times().map(lambda time: time.replace(second=0, microsecond=0)))
def test_a_time_as_the_agent_says_it_is_understood_as_that_time(time: dt.time) -> None:
    assert [item.value.within(OPENS, CLOSES) for item in times.find(tokenize(times.spoken(time)))] == [time]


@given(
    st.lists(
        st.sampled_from(
            [
                "half",
                "quarter",
                "a",
                "to",
                "past",
                "ten",
                "three",
                "thirty",
                "oh",
                "o'clock",
                "pm",
                "noon",
                "in",
                "the",
                "morning",
                "at",
                "two",
            ]
        )
    )
)
def test_no_combination_of_words_is_an_error(words: list[str]) -> None:
    for item in times.find(tokenize(" ".join(words))):
        assert isinstance(item.value.within(OPENS, CLOSES), dt.time)
