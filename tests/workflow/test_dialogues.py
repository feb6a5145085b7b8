"""Whole conversations that wander: minds changed after the read-back, questions in the middle, the wrong kind of answer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from antiphon.tools.bookings import Bookings

TABLE = Path(__file__).parent / "dialogues" / "front-desk.txt"
MOST_TIMES = 2
"""So often the very same words may be said in a row: whoever hears a question a third time hears it in other words."""


def dialogues() -> list[tuple[str, str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    split = (line.rpartition(" = ") for line in lines if line and not line.startswith("#"))
    return [(turns, end) for turns, _, end in split]


@pytest.mark.parametrize(("turns", "end"), dialogues())
def test_whoever_wanders_gets_what_they_wanted(talk: Any, bookings: Bookings, turns: str, end: str) -> None:
    replies = [talk.greet(), *(talk.say(turn) for turn in turns.split(" | "))]
    booked = [f"{date} {time} {name}" for date, time, name in bookings.appointments()]
    assert (booked or ["reception" if talk.last.transfer_to else "nothing"]) == [end]
    for reply in replies:
        assert " ?" not in reply, "a question with a value that nobody has given"
        assert " ," not in reply
    in_a_row = 1
    for before, reply in pairwise(replies):
        in_a_row = in_a_row + 1 if reply == before else 1
        assert in_a_row <= MOST_TIMES, reply


def test_a_value_given_ahead_and_taken_back_does_not_skip_what_comes_before_it(talk: Any) -> None:
    talk.say("book an appointment")
    talk.say("three pm")
    assert talk.say("can we change the time") == "Which day would you like to come?"
    assert talk.say("wednesday") == "What time suits you on Wednesday, May 13th?"


@pytest.mark.parametrize(("asked", "told"), [
    ("is it at three", "That is Wednesday, May 13th, at 4 pm, for John Smith. Shall I book it?"),
    ("wait, is it on thursday?", "That is Wednesday, May 13th, at 4 pm, for John Smith. Shall I book it?"),
    ("is thursday possible", "Okay. That is Thursday, May 14th, at 4 pm, for John Smith. Shall I book it?"),
    ("no, half an hour earlier", "Okay. That is Wednesday, May 13th, at 3:30 pm, for John Smith. Shall I book it?"),
    ("the day after, please", "Okay. That is Thursday, May 14th, at 4 pm, for John Smith. Shall I book it?"),
    ("hold on", "Take your time."),
    ("is there wifi", "I am sorry, I cannot help with that. That is Wednesday, May 13th, at 4 pm, for John Smith. Shall I book it?"),
])  # fmt: skip
def test_what_is_asked_after_the_readback(talk: Any, asked: str, told: str) -> None:
    for said in ("book an appointment", "wednesday", "four", "john smith"):
        talk.say(said)
    assert talk.say(asked) == told
    assert talk.calls == []
