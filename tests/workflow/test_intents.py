from __future__ import annotations

import pytest

from antiphon.workflow import intents
from antiphon.workflow.words import tokenize

BOOKING = ("book an appointment", "i would like to make an appointment")


@pytest.mark.parametrize(
    "text",
    [
        "book an appointment",
        "um book an appointment please",
        "hello i want to book an appointment for my son",
        "appointment booking",
        "can you make me an appointment",
    ],
)
def test_the_same_meaning_in_other_words(text: str) -> None:
    assert intents.score(BOOKING, tokenize(text)) >= intents.MATCHES


@pytest.mark.parametrize("text", ["", "what is the weather", "i do not want to book an appointment", "i read a book"])
def test_another_meaning(text: str) -> None:
    assert intents.score(BOOKING, tokenize(text)) < intents.MATCHES


def test_a_better_fit_scores_higher() -> None:
    exact, inside, loose = (
        intents.score(BOOKING, tokenize(t))
        for t in ("book an appointment", "please can i book an appointment now", "appointment booking")
    )
    assert exact == 1.0 > inside > loose


def test_a_single_word_counts_less_the_more_stands_around_it() -> None:
    alone, among = (intents.score(("bye",), tokenize(t)) for t in ("bye", "he said bye to all of them and left"))
    assert alone == 1.0 > among


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", True), ("yeah sure", True), ("that's right", True), ("okay go ahead", True), ("no problem", True),
        ("no that's right", True),
        ("no", False), ("no thanks", False), ("that's not right", False), ("don't", False), ("nope wrong", False),
        ("wednesday", None), ("", None), ("hmm", None),
    ],
)  # fmt: skip
def test_yes_no_or_neither(text: str, answer: bool | None) -> None:
    assert intents.yes_or_no(tokenize(text)) is answer


@pytest.mark.parametrize(
    ("prompt", "text", "fits"),
    [
        ('User says something like "cancel my order" or "refund"', "i want a refund", True),
        ('User says something like "cancel my order" or "refund"', "where is my order", False),
        ("User wants to cancel the order", "please cancel my order", True),
        ("User wants to cancel the order", "what are your opening hours", False),
        ("User confirmed the booking", "yes please", True),
        ("User confirmed the booking", "no", False),
        ("The customer declined", "no thank you", True),
        ("The customer declined", "yes", False),
    ],
)
def test_conditions_written_for_a_language_model(prompt: str, text: str, fits: bool) -> None:
    assert (intents.score_prompt(prompt, tokenize(text)) >= intents.MATCHES) is fits
