"""A grammar's words are found again however they are written."""

from __future__ import annotations

import re
import time

import pytest

from antiphon.providers.stt.jsgf import automaton_of_jsgf
from antiphon.providers.stt.likeness import omits, unlikeness
from antiphon.providers.stt.spelling import Place, Spelling, number_words, ordinal

TIMES = """public <a> = [ at ] <hour> [ <minute> ] [ a.m. | p.m. | o'clock ] | half past <hour> | <day> | mister smith | caf\u00e9;
<hour> = one | two | three | nine | ten | twelve; <minute> = oh five | fifteen | thirty | twenty five;
<day> = the ( third | twenty first ) of may;"""
DIGITS = (
    "public <a> = ( [ double ] <x> )+; <x> = zero | oh | one | two | three | four | five | six | seven | eight | nine;"
)


def spelling(jsgf: str) -> Spelling:
    return Spelling(automaton_of_jsgf(jsgf))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Three thirty P.M.", "three thirty p.m."),
        ("3:30 PM.", "three thirty p.m."),
        ("3:30pm", "three thirty p.m."),
        ("At 9 am.", "at nine a.m."),
        ("at 9a.m.", "at nine a.m."),
        ("Three P. M.", "three p.m."),
        ("9 o\u2019clock", "nine o'clock"),
        ("9:05", "nine oh five"),
        ("12:25", "twelve twenty five"),
        ("3:00 p.m.", "three p.m."),
        ("Half-past three.", "half past three"),
        ("half past 10", "half past ten"),
        ("The 3rd of May.", "the third of may"),
        ("the 21st of May", "the twenty first of may"),
        ("the twenty-first of May", "the twenty first of may"),
        ("Mr. Smith.", "mister smith"),
        ("CAF\u00c9!", "caf\u00e9"),
        ("four thirty", None),
        ("3:31", None),
        ("at", None),
        ("", None),
        ("three thirty p.m. please", None),
    ],
)
def test_times_and_days(text: str, words: str | None) -> None:
    read = spelling(TIMES).read(text)
    assert (" ".join(read) if read else None) == words


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("5", 1), ("4155552671", 10), ("415-555-2671.", 10), ("Four, one, 5, 5.", 4), ("four 15", 3), ("0 0 7", 3), ("555", 3),
        ("double five", 2), ("five double 5 oh 1", 5), ("4" * 200, 200), ("four and five", 0), ("42 a", 0),
    ],
)  # fmt: skip
def test_figures_are_read_one_by_one(text: str, digits: int) -> None:
    read = " ".join(spelling(DIGITS).read(text) or ())
    assert len(re.sub(r"double (\w+)", r"\1 \1", read).split()) == digits


def test_a_long_run_of_figures_takes_no_longer_than_its_length() -> None:
    began = time.process_time()
    assert spelling(DIGITS).read("5" * 1000) is not None
    assert time.process_time() - began < 2.0


def test_phrases_with_figures_are_found_in_letters() -> None:
    assert spelling("public <a> = room 23 | gate 105;").read("Room twenty-three.") == ("room", "23")
    assert spelling("public <a> = room 23 | gate 105;").read("gate one hundred five") == ("gate", "105")


def test_letters_lead_to_the_ends_of_words_and_only_there() -> None:
    grammar = spelling("public <a> = ten of clubs | tent;")
    assert {letters for letters, _ in grammar.next_letters(grammar.start())} >= {" ten", " 10", " tent"}
    place = Place(grammar.start().position, "ten")
    assert {letters for letters, _ in grammar.next_letters(place)} == {"t", " of"}
    assert list(grammar.ends(place)) == []
    assert list(grammar.ends(Place(grammar.start().position, "tent"))) == [("tent",)]


def test_numbers_in_letters_and_figures() -> None:
    assert [number_words(value) for value in (0, 13, 40, 99, 100, 250, 1999)] == [
        "zero", "thirteen", "forty", "ninety nine", "one hundred", "two hundred fifty", "one thousand nine hundred ninety nine",
    ]  # fmt: skip
    assert [ordinal(value) for value in (1, 2, 3, 4, 11, 12, 13, 21, 22, 30)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "30th",
    ]  # fmt: skip


def test_unlikeness() -> None:
    assert unlikeness("3:30 P.M.", "three thirty p.m.") == 0.0
    assert unlikeness("", "") == 0.0
    assert unlikeness("abc", "") == 1.0
    assert 0.2 < unlikeness("Ten of quops.", "ten of clubs") < 0.5
    assert unlikeness("Mary Jones", "i'm not sure") > 0.7
    assert unlikeness("x" * 100_000, "y") == 1.0


@pytest.mark.parametrize(
    ("heard", "answer", "left_out"),
    [
        ("Eight, one.", "eight", True),
        ("No, thank you.", "no", True),
        ("One, two, three.", "two three", True),
        ("Uh, no.", "no", False),
        ("No.", "no", False),
        ("Mary John", "mary jones", False),
        ("", "no", False),
    ],
)
def test_answers_that_leave_out_what_was_heard(heard: str, answer: str, left_out: bool) -> None:
    assert omits(heard, answer.split()) is left_out
