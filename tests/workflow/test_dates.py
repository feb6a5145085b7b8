from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.workflow import dates
from antiphon.workflow.words import tokenize

TUESDAY = dt.date(2026, 5, 12)


def found(text: str) -> list[str | None]:
    """Days in ISO 8601; None for a phrase that the grammar knows in part only."""
    return [item.value.isoformat() if item.value else None for item in dates.find(tokenize(text), TUESDAY)]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("today", "2026-05-12"),
        ("tomorrow please", "2026-05-13"),
        ("the day after tomorrow", "2026-05-14"),
        ("wednesday", "2026-05-13"),
        ("on wednesday please", "2026-05-13"),
        ("tuesday", "2026-05-19"),
        ("this friday", "2026-05-15"),
        ("next tuesday", "2026-05-19"),
        ("next friday", "2026-05-22"),
        ("friday next week", "2026-05-22"),
        ("friday week", "2026-05-22"),
        ("a week from friday", "2026-05-22"),
        ("wednesday the thirteenth", "2026-05-13"),
        ("wednesday the twentieth of may", "2026-05-20"),
        ("the third of june", "2026-06-03"),
        ("the third of may", "2027-05-03"),
        ("may the third", "2027-05-03"),
        ("june twenty third", "2026-06-23"),
        ("the twenty first", "2026-05-21"),
        ("the first", "2026-06-01"),
        ("march first two thousand twenty seven", "2027-03-01"),
        ("3rd of June", "2026-06-03"),
        ("June 3, 2027", "2027-06-03"),
        ("february twenty ninth", "2028-02-29"),
        ("in two weeks", "2026-05-26"),
        ("in ten days", "2026-05-22"),
        ("three days from now", "2026-05-15"),
        ("i would like to come on thursday if possible", "2026-05-14"),
    ],
)
def test_days_as_people_say_them(text: str, date: str) -> None:
    assert found(text) == [date]


@pytest.mark.parametrize(
    "text", ["just a second", "may i ask something", "march", "the", "john smith", "three pm", "two weeks", ""]
)
def test_words_that_name_no_day(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "february thirtieth", "the second friday", "friday the third of june", "friday in two weeks", "the friday before christmas",
        "in two weeks on friday", "monday in december", "any day after the third of june",
    ],
)  # fmt: skip
def test_of_a_phrase_known_in_part_no_day_is_made(text: str) -> None:
    assert found(text)
    assert not any(found(text))


def test_every_day_is_found_in_the_order_of_the_words() -> None:
    assert found("wednesday no thursday") == ["2026-05-13", "2026-05-14"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-05-14", "2026-05-14"),
        ("5/14/2026", "2026-05-14"),
        ("for 13 May 26", "2026-05-13"),
        ("tonight at the opera 3", None),
        ("12", None),
    ],
)
def test_typed_days(text: str, date: str | None) -> None:
    typed = dates.find_typed(text, TUESDAY)
    assert (typed.isoformat() if typed else None) == date


@given(st.dates(dt.date(2000, 1, 1), dt.date(2150, 1, 1)), st.integers(0, 300))
def test_a_day_as_the_agent_says_it_is_understood_as_that_day(today: dt.date, ahead: int) -> None:
    date = today + dt.timedelta(ahead)
    spoken = dates.spoken(date, today)
    assert [item.value for item in dates.find(tokenize(spoken), today)] == [date]


@given(
    st.lists(
        st.sampled_from(
            [*dates.WEEKDAYS, *dates.MONTHS, "the", "next", "week", "from", "in", "a", "of", "third", "thirty", "first"]
        )
    )
)
def test_no_combination_of_words_is_an_error(words: list[str]) -> None:
    for item in dates.find(tokenize(" ".join(words)), TUESDAY):
        assert item.start < item.end <= len(words)
        assert item.value is None or item.value >= TUESDAY
