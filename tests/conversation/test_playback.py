from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.playback import PlaybackLedger
from antiphon.vocabulary import WordTiming

HELLO = (WordTiming("Hello", 0, 400), WordTiming("there", 500, 900))


def ledger(*pieces: tuple[str, int, tuple[WordTiming, ...]], step: int = 1) -> PlaybackLedger:
    made = PlaybackLedger()
    for text, duration_ms, words in pieces:
        made.synthesized(made.ask(text, step), duration_ms, words, complete=True)
    return made


@pytest.mark.parametrize(
    ("heard_ms", "words"),
    [
        (-5, ""),
        (0, ""),
        (199, ""),
        (200, "Hello"),
        (699, "Hello"),
        (700, "Hello there"),
        (1000, "Hello there"),
        (9999, "Hello there"),
    ],
)
def test_a_word_is_heard_when_its_middle_was_played(heard_ms: int, words: str) -> None:
    assert ledger(("Hello there", 1000, HELLO)).heard_text(heard_ms) == words


def test_without_word_times_the_cut_is_in_proportion_and_said_to_be_a_guess() -> None:
    made = ledger(("one two three four", 1800, ()))
    assert made.heard_text(900) == "one two"
    assert made.estimated
    assert not ledger(("Hello there", 1000, HELLO)).estimated


def test_pieces_follow_one_another() -> None:
    made = ledger(("Hello there", 1000, HELLO), ("How are you", 900, ()))
    assert made.duration_ms == 1900
    assert made.heard_text(1000) == "Hello there"
    assert made.heard_text(1900) == "Hello there How are you"


def test_the_words_of_one_step_only() -> None:
    made = ledger(("One moment.", 500, ()))
    made.synthesized(made.ask("It is seven.", 2), 500, (), complete=True)
    assert made.heard_text(1000, 1) == "One moment."
    assert made.heard_text(1000, 2) == "It is seven."
    assert made.heard_text(500, 2) == ""


def test_a_piece_still_being_made_counts_the_words_known_so_far() -> None:
    made = PlaybackLedger()
    made.synthesized(made.ask("Hello there my good old friend", 1), 950, HELLO, complete=False)
    assert made.heard_text(950) == "Hello there"
    assert made.heard_text(500) == "Hello"


def test_without_word_times_a_piece_still_being_made_is_taken_at_the_pace_of_speech() -> None:
    made = PlaybackLedger()
    made.synthesized(made.ask("one two three four five six seven", 1), 1000, (), complete=False)
    assert made.heard_text(1000) == "one two three"
    assert made.heard_text(60_000) == "one two three", "no more than there is audio for"


def test_nothing_after_a_piece_still_being_made_was_heard() -> None:
    made = PlaybackLedger()
    made.synthesized(made.ask("Hello there", 1), 500, HELLO[:1], complete=False)
    made.ask("More", 1)
    assert made.heard_text(5000) == "Hello"


def test_a_voice_that_counts_words_otherwise_is_followed_in_proportion() -> None:
    counted = tuple(WordTiming(word, at, at + 100) for at, word in enumerate(["20", "percent", "off", "now"]))
    made = ledger(
        ("20% off now", 400, tuple(WordTiming(w.text, i * 100, i * 100 + 100) for i, w in enumerate(counted)))
    )
    assert made.heard_text(250) == "20% off"


def test_a_piece_without_a_voice_was_not_heard_and_the_next_one_was() -> None:
    made = PlaybackLedger()
    lost, kept = made.ask("Lost.", 1), made.ask("Kept.", 1)
    made.failed(lost)
    made.synthesized(kept, 500, (), complete=True)
    assert made.heard_text(500) == "Kept."
    assert made.duration_ms == 500


def test_a_piece_whose_voice_broke_off_counts_what_there_is() -> None:
    made = PlaybackLedger()
    broken, last = made.ask("Hello there my friend", 1), made.ask("Bye.", 1)
    made.synthesized(broken, 950, HELLO, complete=False)
    made.failed(broken)
    made.synthesized(last, 300, (), complete=True)
    assert made.heard_text(1250) == "Hello there Bye."


def test_a_failure_after_the_last_audio_changes_nothing() -> None:
    made = ledger(("Hello there", 1000, HELLO))
    made.failed(0)
    assert made.heard_text(1000) == "Hello there"


def test_what_is_told_later_only_adds() -> None:
    made = PlaybackLedger()
    piece = made.ask("Hello there", 1)
    made.synthesized(piece, 1000, HELLO, complete=True)
    made.synthesized(piece, 400, (), complete=False)
    assert made.duration_ms == 1000
    assert made.heard_text(1000) == "Hello there"


def test_pieces_never_asked_for_are_ignored() -> None:
    made = ledger(("Hello there", 1000, HELLO))
    made.synthesized(7, 500, (), complete=True)
    made.failed(-1)
    assert made.duration_ms == 1000


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.text("ab ", min_size=1, max_size=30), st.integers(0, 2000)), max_size=4), st.integers(0, 9000)
)
def test_more_playing_never_means_fewer_words(pieces: list[tuple[str, int]], heard_ms: int) -> None:
    made = ledger(*((text, duration_ms, ()) for text, duration_ms in pieces))
    assert made.heard_text(heard_ms + 100).startswith(made.heard_text(heard_ms))
