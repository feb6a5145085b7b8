"""What is told of Moonshine's text."""

from __future__ import annotations

import pytest

from antiphon.providers.stt.moonshine_text import shown
from antiphon.workflow import numbers
from antiphon.workflow.words import tokenize


@pytest.mark.parametrize(
    "text",
    [
        "",
        " . ",
        "You",
        "YOU!",
        "Thank you.",
        "\u266a" * 4,
        "\u266b\u266a.",
        "\ufffd",
        "...",
        "Thank you for watching!",
        "\u00a9 transcript Emily Beynon",
        "\u4f60\u597d,\u4f60\u597d",
        "2-3\u0e15\u0e27\u0e1a",
    ],
)
def test_what_fills_a_silence_is_nothing(text: str) -> None:
    assert shown(text) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Yeah, yeah, yeah, yeah", "yeah"),
        ("Waiting. Waiting.", "Waiting. Waiting."),
        ("No, no, no, I said Friday.", "no, I said Friday."),
        ("five five five two", "five five five two"),
        ("5 5 5 2", "5 5 5 2"),
    ],
)
def test_a_stammer_of_the_model_s_is_one_word_but_digits_are_said_twice(text: str, told: str) -> None:
    assert shown(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Thank you, goodbye.", "Thank you, goodbye."),
        ("Are you there?", "Are you there?"),
        ("\u266a Hello. \u266a", "Hello."),
        ("I'll come to-morrow.", "I'll come tomorrow."),
        ("To-day at 3:30 p.m..", "Today at 3:30 p.m."),
        ("It is $42.50.", "It is $42.50."),
        ("1,200 and 1,000,000, or 5,6", "1200 and 1000000, or 5,6"),
    ],
)
def test_the_rest_is_told_as_people_write_it(text: str, told: str) -> None:
    assert shown(text) == told


def test_a_workflow_reads_its_figures() -> None:
    assert [found.value for found in numbers.find(tokenize(shown("about 1,200 of them")))] == [1200]
