"""The door: which written word a spoken one stands for, other languages, pronunciations, and texts that mean harm."""

from __future__ import annotations

import time

import pytest

from antiphon.spoken.text import MAX_CHARACTERS, spoken


@pytest.mark.parametrize(
    ("written", "pairs"),
    [
        ("It is $5.", [("It", "It"), ("is", "is"), ("five", "$5."), ("dollars.", "$5.")]),
        ("Done ✅ now", [("Done", "Done"), ("now", "now")]),
        ("**Add** 2 kg!", [("Add", "**Add**"), ("two", "2"), ("kilograms!", "kg!")]),
        ("plain words", [("plain", "plain"), ("words", "words")]),
        ("", []),
    ],
)  # fmt: skip
def test_every_spoken_word_knows_its_written_one(written: str, pairs: list[tuple[str, str]]) -> None:
    said = spoken(written)
    assert [(word, said.written[at]) for word, at in zip(said.text.split(), said.origins, strict=True)] == pairs


def test_a_language_without_rules_loses_only_what_nobody_says() -> None:
    assert spoken("Das **kostet** 5,50 € am 3.10. 😀", "de").text == "Das kostet 5,50 € am 3.10."


def test_text_without_anything_to_say_otherwise_is_the_same() -> None:
    text = "Hello  there,\thow are you?"
    assert spoken(text).text == text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Ask Nguyen.", "Ask win."),
        ("nguyen", "nguyen"),
        ("The GIF and the gif", "The jif and the gif"),
        ("acme corp is here", "ack me is here"),
        ("ACME Corp, please", "ack me, please"),
        ("Nguyen's car", "win's car"),
    ],
)
def test_pronunciations(written: str, said: str) -> None:
    assert spoken(written, "en", {"Nguyen": "win", "GIF": "jif", "acme corp": "ack me"}).text == said


HOSTILE = (
    "1", "1 ", "1,", "1.", "1:2", "1-", "+1 ", "+14155552671 ", "$1,", "*", "_", "#", "<a ", "<a =", "[a](", "&a", "a@", "a.b", "http://",
    "www.a", "\n- ", "|---", "😀", "A1", "U.S.", "Main St. ", "Oct 3, ", "½", "`", "~", "가", "1가", "1~2개 ", "010-1234-5678 ", "&#1",
    "code 1", "\\", "Mon-", "(", " ", "\u00a0", "1 2 3 4 ", "a-", "@a", "/a", "0" , "-", "—", "x1x", "I", "9:", "am-",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_text_takes_long(language: str) -> None:
    """Seconds of this process, not of the machine. Beyond ``MAX_CHARACTERS`` nothing is looked for, so a few are tried whole."""
    for at, unit in enumerate(HOSTILE):
        size = 220_000 if at % 12 == 0 else 2 * MAX_CHARACTERS
        text = (unit * (size // len(unit) + 1))[:size]
        began = time.process_time()
        said = spoken(text, language, {"word": "other"})
        assert time.process_time() - began < 1.0, unit
        assert len(said.origins) == len(said.text.split())


def test_what_is_too_long_to_be_spoken_is_left_as_it_is_written() -> None:
    said = spoken("5 " * MAX_CHARACTERS)
    assert said.text.split()[0] == "five"
    assert said.text.split()[-1] == "5"
