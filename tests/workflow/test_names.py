from __future__ import annotations

import pytest

from antiphon.workflow import names
from antiphon.workflow.words import tokenize


@pytest.mark.parametrize(
    ("text", "name", "explicit"),
    [
        ("my name is john smith", "John Smith", True),
        ("hi my name's mary", "Mary", True),
        ("actually my name is jon o'brien and i want to come", "Jon O'Brien", True),
        ("it's mary jones", "Mary Jones", False),
        ("this is john here", "John", False),
        ("yes it's john", "John", False),
        ("john smith", "John Smith", False),
        ("um john smith please", "John Smith", False),
        ("john smith speaking", "John Smith", False),
        ("Siobhán de Búrca", "Siobhán de Búrca", False),
    ],
)
def test_names_as_people_give_them(text: str, name: str, explicit: bool) -> None:
    assert [(item.value, item.explicit) for item in names.find(tokenize(text))] == [(name, explicit)]


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes please",
        "this is wrong",
        "wednesday",
        "three pm",
        "i would like to book an appointment",
        "what did you say",
        "operator",
        "",
        "my name is",
    ],
)
def test_words_that_are_no_name(text: str) -> None:
    assert names.find(tokenize(text)) == []
