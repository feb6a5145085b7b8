"""Whole conversations with the front desk that ships with Antiphon, as text, on a Tuesday morning (12 May 2026, 10:00)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from antiphon.tools.bookings import Bookings
from antiphon.vocabulary import CallContext, ToolCall

CONTEXT = CallContext("another-call")


def test_a_booking_from_greeting_to_goodbye(talk: Any, bookings: Bookings) -> None:
    assert talk.greet().startswith("Thank you for calling the Maple Street clinic.")
    assert talk.say("i would like to book an appointment") == "Sure. Which day would you like to come?"
    assert talk.say("wednesday please") == "What time suits you on Wednesday, May 13th?"
    assert talk.say("three pm") == "And your name, please?"
    assert talk.say("my name is john smith") == "That is Wednesday, May 13th, at 3 pm, for John Smith. Shall I book it?"
    assert talk.say("yes please") == (
        "One moment. You are booked for Wednesday, May 13th, at 3 pm. Is there anything else I can do?"
    )
    assert talk.say("no thank you") == "Thank you for calling. Goodbye."
    assert talk.last.ends_call
    assert bookings.appointments() == [("2026-05-13", "15:00", "John Smith")]


@pytest.mark.parametrize("day", ["on monday", "on friday", "on saturday", "today", "tomorrow"])
def test_whether_it_is_open_on_a_day_is_a_question_about_the_hours(talk: Any, day: str) -> None:
    talk.greet()
    assert talk.say(f"are you open {day}").startswith("We are open from Monday to Friday")
    assert talk.say("book an appointment") == "Sure. Which day would you like to come?"


def test_everything_said_at_once(talk: Any) -> None:
    talk.greet()
    reply = talk.say("hi i'd like to make an appointment for wednesday at half past three my name is mary jones")
    assert reply == "Sure. That is Wednesday, May 13th, at 3:30 pm, for Mary Jones. Shall I book it?"


def test_values_without_a_wish_are_a_wish(talk: Any) -> None:
    talk.greet()
    assert talk.say("wednesday at three") == "And your name, please?"


@pytest.mark.parametrize(
    ("correction", "readback"),
    [
        ("wait make it thursday instead", "Okay. That is Thursday, May 14th, at 3 pm, for John Smith."),
        ("no i said two pm", "Okay. That is Wednesday, May 13th, at 2 pm, for John Smith."),
        ("no i said two", "Okay. That is Wednesday, May 13th, at 2 pm, for John Smith."),
        ("actually my name is john miller", "Okay. That is Wednesday, May 13th, at 3 pm, for John Miller."),
        ("no it's jon smythe", "Okay. That is Wednesday, May 13th, at 3 pm, for Jon Smythe."),
        ("yes but make it friday at ten", "Okay. That is Friday, May 15th, at 10 am, for John Smith."),
        ("not wednesday thursday", "Okay. That is Thursday, May 14th, at 3 pm, for John Smith."),
        ("thursday", "Okay. That is Thursday, May 14th, at 3 pm, for John Smith."),
        ("hm wednesday no wait thursday", "Okay. That is Thursday, May 14th, at 3 pm, for John Smith."),
    ],
)
def test_a_correction_changes_the_right_value_and_the_talk_goes_on(talk: Any, correction: str, readback: str) -> None:
    for line in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(line)
    assert talk.say(correction) == f"{readback} Shall I book it?"
    assert talk.calls == []


def test_a_correction_before_the_readback_is_acknowledged(talk: Any) -> None:
    for line in ("book an appointment", "wednesday", "three pm"):
        talk.say(line)
    assert talk.say("wait make it thursday instead") == "Okay, Thursday, May 14th. And your name, please?"


def test_a_value_can_be_changed_by_naming_it(talk: Any) -> None:
    for line in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(line)
    assert talk.say("can we change the day") == "Which day would you like to come?"
    assert talk.say("friday") == "That is Friday, May 15th, at 3 pm, for John Smith. Shall I book it?"
    assert talk.say("no") == "All right. What should I change, the day, the time, or the name?"
    assert talk.say("the time") == "What time suits you on Friday, May 15th?"
    assert talk.say("ten thirty") == "That is Friday, May 15th, at 10:30 am, for John Smith. Shall I book it?"


def test_a_booked_appointment_is_moved_not_doubled(talk: Any, bookings: Bookings) -> None:
    for line in ("book an appointment", "wednesday", "three pm", "john smith", "yes"):
        talk.say(line)
    assert (
        talk.say("oh wait make it thursday")
        == "Okay. That is Thursday, May 14th, at 3 pm, for John Smith. Shall I book it?"
    )
    talk.say("yes")
    assert bookings.appointments() == [("2026-05-14", "15:00", "John Smith")]


def test_a_taken_time_brings_others_that_are_free(talk: Any, bookings: Bookings) -> None:
    bookings.book_appointment(dt.date(2026, 5, 13), dt.time(15), "Ann", CONTEXT, ToolCall("other", "book_appointment"))
    for line in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(line)
    assert talk.say("yes") == (
        "One moment. Sorry, 3 pm is taken. I could offer 2:30 pm or 3:30 pm. What time suits you on Wednesday, May 13th?"
    )
    assert (
        talk.say("half past three then") == "That is Wednesday, May 13th, at 3:30 pm, for John Smith. Shall I book it?"
    )
    assert "You are booked" in talk.say("yes")


def test_a_broken_calendar_is_spoken_about_and_a_person_offered(talk: Any) -> None:
    def broken(call: ToolCall) -> Any:
        raise ConnectionError

    talk.tools["book_appointment"] = broken
    for line in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(line)
    assert (
        talk.say("yes")
        == "One moment. Sorry, I could not reach the calendar. Shall I put you through to the reception?"
    )
    talk.say("yes please")
    assert talk.last.transfer_to == "+15550100"


def test_without_the_tool_no_call_is_made(talk: Any) -> None:
    talk.tools.clear()
    for line in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(line)
    assert talk.say("yes").startswith("Sorry, I could not reach the calendar.")
    assert talk.calls == []


@pytest.mark.parametrize(
    "line",
    ["can i speak to a human", "operator", "i want to talk to somebody about wednesday", "put me through please"],
)
@pytest.mark.parametrize("before", [[], ["book an appointment"], ["book an appointment", "wednesday", "three pm"]])
def test_a_person_is_one_wish_away_everywhere(talk: Any, before: list[str], line: str) -> None:
    for said in before:
        talk.say(said)
    assert talk.say(line) == "I will put you through to the reception. One moment, please."
    assert talk.last.transfer_to == "+15550100"


@pytest.mark.parametrize(
    "before", [[], ["book an appointment"], ["book an appointment", "wednesday", "three pm", "john smith"]]
)
def test_goodbye_ends_the_call_everywhere(talk: Any, before: list[str]) -> None:
    for said in before:
        talk.say(said)
    assert talk.say("okay goodbye") == "Thank you for calling. Goodbye."
    assert talk.last.ends_call


def test_an_unknown_wish_is_asked_again_then_helped_then_handed_on(talk: Any) -> None:
    talk.greet()
    assert (
        talk.say("flurble")
        == "Sorry, I did not understand. Would you like to book an appointment, or speak to the reception?"
    )
    assert "You can say, book an appointment" in talk.say("what is the weather like")
    assert talk.say("blargh") == (
        "I am sorry that I cannot understand you. I will put you through to the reception. One moment, please."
    )
    assert talk.last.transfer_to


def test_an_answer_resets_the_patience(talk: Any) -> None:
    talk.greet()
    for line in ("flurble", "blargh", "book an appointment", "flurble", "blargh", "wednesday", "flurble", "blargh"):
        talk.say(line)
    assert talk.last.transfer_to == ""


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("saturday", "Sorry, we are closed at the weekend. Which day would you like to come?"),
        ("banana", "Sorry, which day was that?"),
        ("say that again please", "Which day would you like to come?"),
        (
            "what can i say",
            "You can name a weekday, like Wednesday, or a date, like the third of May. Which day would you like to come?",
        ),
        ("hello", "Which day would you like to come?"),
        ("...", "Which day would you like to come?"),
        ("start over", "Thank you for calling the Maple Street clinic."),
    ],
)
def test_what_may_be_said_instead_of_an_answer(talk: Any, line: str, reply: str) -> None:
    talk.greet()
    talk.say("book an appointment")
    assert talk.say(line).startswith(reply)


def test_times_outside_hours_and_in_the_past_are_refused(talk: Any) -> None:
    talk.say("book an appointment today")
    assert talk.say("nine").startswith("Sorry, 9 am has already passed.")
    assert talk.say("seven pm").startswith("Sorry, 7 pm is outside our hours.")
    assert talk.say("eleven") == "And your name, please?"


def test_a_correction_can_spoil_another_value(talk: Any) -> None:
    for line in ("book an appointment", "wednesday", "nine am", "john smith"):
        talk.say(line)
    assert talk.say("wait make it today") == (
        "Okay. Sorry, 9 am has already passed. What time suits you on Tuesday, May 12th?"
    )


def test_the_end_can_be_taken_back(talk: Any) -> None:
    for line in ("book an appointment", "wednesday", "three pm", "john smith", "yes", "no thanks"):
        talk.say(line)
    assert talk.say("thanks bye") == "Thank you for calling. Goodbye."
    assert talk.say("oh wait make it thursday").startswith("Okay. That is Thursday, May 14th")


@pytest.mark.parametrize("line", ["yes thank you goodbye", "yes bye", "okay see you then"])
def test_a_goodbye_after_an_answer_comes_after_it_was_carried_out(talk: Any, bookings: Bookings, line: str) -> None:
    for said in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(said)
    reply = talk.say(line)
    assert reply == "One moment. You are booked for Wednesday, May 13th, at 3 pm. Thank you for calling. Goodbye."
    assert talk.last.ends_call
    assert bookings.appointments() == [("2026-05-13", "15:00", "John Smith")]


@pytest.mark.parametrize(
    "line", ["that's all right", "that's right isn't it", "no that is right", "i have no objections"]
)
def test_an_answer_that_looks_like_another_wish_is_an_answer(talk: Any, bookings: Bookings, line: str) -> None:
    for said in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(said)
    assert "You are booked" in talk.say(line)
    assert not talk.last.ends_call
    assert len(bookings.appointments()) == 1


@pytest.mark.parametrize(
    "line", ["i want to cancel my appointment", "i missed my appointment", "when is my appointment"]
)
def test_an_appointment_that_stands_is_for_the_reception(talk: Any, line: str) -> None:
    assert talk.say(line).startswith("For an appointment you already have")
    talk.say("yes please")
    assert talk.last.transfer_to == "+15550100"


def test_a_goodbye_that_may_be_a_yes_is_asked_again_once(talk: Any, bookings: Bookings) -> None:
    for said in ("book an appointment", "wednesday", "three pm", "john smith"):
        talk.say(said)
    assert talk.say("great thanks bye").endswith("Shall I book it?")
    assert talk.say("bye") == "Thank you for calling. Goodbye."
    assert bookings.appointments() == []
