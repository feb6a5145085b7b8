"""Which of several values counts, and that judging them takes time in proportion to the words."""

from __future__ import annotations

import pytest

from antiphon.workflow.found import Found
from antiphon.workflow.settling import Surroundings, settle
from antiphon.workflow.words import tokenize


def judged(text: str, around: Surroundings | None = None) -> tuple[int | None, list[int], bool]:
    """The number chosen, those refused, and whether it is not sure which is meant."""
    tokens = tokenize(text)
    found = [Found(at, at + 1, token.number, False) for at, token in enumerate(tokens) if token.number is not None]
    settled = settle(found, tokens, around or Surroundings())
    chosen = settled.chosen.value if settled.chosen else None
    return chosen, [item.value for item in settled.refused if item.value is not None], settled.unsure


@pytest.mark.parametrize(
    ("text", "chosen", "refused", "unsure"),
    [
        ("three", 3, [], False),
        ("not three", None, [3], False),
        ("not three but four", 4, [3], False),
        ("four not three", 4, [3], False),
        ("three doesn't work", None, [3], False),
        ("three is no good how about four", 4, [3], False),
        ("anything but three", None, [3], False),
        ("i can't do three what about four", 4, [3], False),
        ("i can't make it three", None, [3], False),
        ("three no four", 4, [], False),
        ("three or four", None, [], True),
        ("three or four no five", 5, [], False),
        ("between three and four", None, [], True),
        ("after three", None, [], True),
        ("three at the earliest", None, [], True),
        ("three and i would like that", 3, [], False),
        ("why not three", 3, [], False),
        ("three would not be a problem", 3, [], False),
    ],
)
def test_what_stands_around_a_value_decides(text: str, chosen: int | None, refused: list[int], unsure: bool) -> None:
    assert judged(text) == (chosen, refused, unsure)


def test_among_words_that_nobody_asks_with_a_value_is_not_sure() -> None:
    around = Surroundings(harmless=frozenset(("please", "at")))
    assert judged("at three please", around)[0] == 3
    assert judged("the train leaves at three", around) == (None, [], True)
