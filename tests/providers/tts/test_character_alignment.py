"""Where a voice is, from the times of its characters."""

from __future__ import annotations

import random

import pytest

from antiphon.providers.tts.character_alignment import CharacterAlignment, Stretch, timed
from antiphon.vocabulary import WordTiming


def taken(pieces: list[str], spoken: str, size: int) -> tuple[list[list[str]], list[list[float]]]:
    """The words of each piece, and where pieces end (ms), when ``spoken`` comes in messages of ``size`` characters of 10 ms."""
    alignment = CharacterAlignment()
    for piece in pieces:
        alignment.say(piece)
    words: list[list[str]] = [[]]
    ends: list[list[float]] = []
    for at in range(0, len(spoken), size):
        part = spoken[at : at + size]
        stretches = alignment.take(list(part), [10.0 * index for index in range(len(part))], [10.0] * len(part))
        for stretch in stretches:
            words[-1] += [word for word, _, _ in stretch.words]
            if stretch.ends_ms is not None:
                ends.append([at * 10 + stretch.ends_ms])
                words.append([])
    return words, ends


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 100])
def test_words_and_pieces_are_found_however_they_are_sent(size: int) -> None:
    pieces = ["Good morning.", "How are you?", "Fine."]
    words, ends = taken(pieces, "Good morning. How are you? Fine. ", size)
    assert [" ".join(each) for each in words] == pieces
    assert ends == [[140.0], [270.0]]


@pytest.mark.parametrize(
    ("pieces", "spoken"),
    [
        (["It’s “fine”."], 'It\'s "fine".'),
        (["Wait…", "Go."], "Wait Go."),
        (["One — two."], "One two."),
        (["A b c.", "Now."], "A b c Now."),
        (["No.", "No.", "Now."], "No. No. Now."),
        (["안녕하세요.", "네."], "안녕하세요. 네."),
    ],
)
def test_a_character_more_or_less_does_not_lose_the_place(pieces: list[str], spoken: str) -> None:
    for size in (1, 4, 50):
        words, _ = taken(pieces, spoken, size)
        assert len(words) == len(pieces)
        assert words[-1][-1].split()[-1] == pieces[-1].split()[-1]


def test_no_word_is_told_twice_whatever_comes() -> None:
    chance = random.Random(5)
    text = "the quick brown fox jumps over the lazy dog and then it rests"
    for _ in range(200):
        spoken = "".join(each for each in text if chance.random() > 0.1)
        words, _ = taken([text], spoken, chance.randint(1, 9))
        told = " ".join(words[0]).split()
        assert told == text.split()[: len(told)]


def test_many_characters_in_one_item() -> None:
    alignment = CharacterAlignment()
    alignment.say("Good day")
    (stretch,) = alignment.take(["Good", " ", "day"], [0.0, 40.0, 50.0], [40.0, 10.0, 30.0])
    assert [(text, start) for text, start, _ in stretch.words] == [("Good", 0.0), ("day", 50.0)]
    assert alignment.over


def test_nothing_said_and_nothing_told() -> None:
    alignment = CharacterAlignment()
    assert alignment.over
    assert alignment.take([], [], []) == [Stretch()]
    assert alignment.take(["x"], [0.0], [1.0]) == [Stretch()]


def test_words_follow_each_other_although_an_end_was_guessed() -> None:
    assert timed([("a", 0.0, 120.0), ("b", 100.0, 90.0)], 1000.0, 0) == (
        WordTiming("a", 1000, 1120),
        WordTiming("b", 1120, 1121),
    )
