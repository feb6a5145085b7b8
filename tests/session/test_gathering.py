"""Tokens are told a few at a time, and none of them late for the voice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calls.virtual import run_virtually

from antiphon.clock import ManualClock
from antiphon.conversation.policy import Speaking
from antiphon.conversation.sentences import Piece, SentenceSplitter
from antiphon.session.gathering import TextGathering
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE

INTERVAL_MS = 10


def told(tokens: list[str], fault: BaseException | None = None, rest_ms: int = 0) -> list[tuple[int, str]]:
    """What is told of tokens that come ten milliseconds apart, and when. The stream ends ``rest_ms`` after the last, with ``fault``."""
    clock, heard = ManualClock(0), list[tuple[int, str]]()
    _, _, wire = memory_pair(clock, TELEPHONE)

    async def main() -> None:
        try:
            with TextGathering(
                lambda text: heard.append((clock.now_ms(), text)), lambda: heard.append((clock.now_ms(), "…"))
            ) as gathering:
                for token in tokens:
                    gathering.take(token)
                    await asyncio.sleep(INTERVAL_MS / 1000)
                await asyncio.sleep(rest_ms / 1000)
                if fault is not None:
                    raise fault
        except (ValueError, KeyboardInterrupt):
            pass
        await asyncio.sleep(1)  # nothing is told after the end

    run_virtually(clock, wire, main)
    return heard


def test_the_first_token_and_the_end_of_a_sentence_are_told_at_once() -> None:
    assert told(["So ", "this ", "is ", "it.", " And"]) == [(0, "So "), (30, "this is it."), (40, " And")]


def test_where_the_end_of_a_sentence_is_known_what_follows_waits_for_company() -> None:
    tokens = ["So ", "is ", "it. Now ", "for ", "the ", "rest. "]
    assert told(tokens) == [(0, "So "), (20, "is it. Now "), (50, "for the rest. ")]


def test_where_a_full_stop_may_be_part_of_a_number_what_follows_is_told_at_once() -> None:
    assert told(["It ", "costs ", "3", ".", "5", " euros"])[1:] == [(30, "costs 3."), (40, "5"), (60, " euros")]


def test_that_nothing_follows_the_end_of_a_sentence_is_told_once() -> None:
    assert told(["So ", "it ", "is."], rest_ms=400) == [(0, "So "), (20, "it is."), (170, "…")]
    assert told(["So ", "it ", "is. ", "Now"], rest_ms=400) == [(0, "So "), (20, "it is. "), (30, "Now")]
    assert told(["So ", "it ", "is", " not"], rest_ms=400) == [(0, "So "), (70, "it is not")]


def test_nothing_waits_longer_than_60_ms() -> None:
    assert told(["one "] * 10, rest_ms=100) == [(0, "one "), (70, "one " * 6), (130, "one " * 3)]


def test_of_a_stream_that_fails_what_was_said_is_told_and_of_a_cancelled_one_nothing() -> None:
    assert told(["Let ", "me ", "see"], ValueError()) == [(0, "Let "), (30, "me see")]
    assert told(["Let ", "me ", "see"], KeyboardInterrupt()) == [(0, "Let ")]


@pytest.mark.parametrize("separator", ["", " "])
@given(text=st.text(alphabet="ab1.,!?:;<>/\n\"') 。flush", max_size=120), cuts=st.lists(st.integers(1, 9), max_size=60))
def test_a_splitter_gives_its_pieces_with_the_same_token_as_if_it_were_fed_each(
    separator: str, text: str, cuts: list[int]
) -> None:
    tokens, at = [], 0
    for size in cuts:
        tokens.append(text[at : at + size] + separator)
        at += size
    plain, gathered = SentenceSplitter(Speaking()), SentenceSplitter(Speaking())
    given_plain: list[tuple[int, Piece]] = []
    given_gathered: list[tuple[int, Piece]] = []

    async def feed_both() -> None:
        """Without a pause: no timer runs out."""
        with TextGathering(
            lambda words: given_gathered.extend((number, piece) for piece in gathered.feed(words)), lambda: None
        ) as gathering:
            for number, token in enumerate(tokens):
                given_plain.extend((number, piece) for piece in plain.feed(token))
                gathering.take(token)

    asyncio.run(feed_both())
    assert given_gathered == given_plain
