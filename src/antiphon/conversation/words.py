"""Words as the conversation compares them: lower case, without the punctuation a recogniser may or may not write."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

NUMBER_WORDS = frozenset(
    [
        "zero",
        "oh",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "sixty",
        "seventy",
        "eighty",
        "ninety",
        "hundred",
        "thousand",
        "million",
    ]
)


@lru_cache(maxsize=64)
def words_of(text: str) -> tuple[str, ...]:
    """``"Mm-hm, I'm here."`` → ``("mm-hm", "i'm", "here")``. Kept for a moment, as are the next: several rules ask the same of a turn."""
    return tuple(word.replace("’", "'") for word in _WORD.findall(text.lower()))


def same_words(first: str, second: str) -> bool:
    """Whether two transcripts say the same, whatever their punctuation and case."""
    return words_of(first) == words_of(second)


def common_beginning(first: str, second: str) -> tuple[str, ...]:
    """The words with which both transcripts begin."""
    both = zip(words_of(first), words_of(second), strict=False)
    return tuple(word for word, _ in takewhile(lambda pair: pair[0] == pair[1], both))


def is_question(text: str) -> bool:
    """Whether its last words ask."""
    return text.rstrip("\"'”’)] ").endswith(("?", "？", "؟"))


def is_number(word: str) -> bool:
    return word in NUMBER_WORDS or word.isdigit()


@lru_cache(maxsize=64)
def _phrases(phrases: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The phrases as words, longest first. Kept, since a policy's phrases are asked about for every window of a hold."""
    # "don't" and "dont" are one phrase: recognisers write either.
    split = (tuple(word.replace("'", "") for word in words_of(phrase)) for phrase in phrases)
    return tuple(sorted((words for words in split if words), key=len, reverse=True))


@lru_cache(maxsize=64)
def strip_phrases(words: tuple[str, ...], phrases: tuple[str, ...], *, unfinished: bool = False) -> tuple[str, ...]:
    """``words`` without any occurrence of the phrases, longest phrase first. Where more words may follow (``unfinished``), last words that
    are the beginning of a phrase are left out too: "I" may become "I see"."""
    plain = tuple(word.replace("'", "") for word in words)
    wanted = _phrases(phrases)
    longest = len(wanted[0]) if wanted else 0
    left: list[str] = []
    at = 0
    while at < len(plain):
        match = next((phrase for phrase in wanted if plain[at : at + len(phrase)] == phrase), None)
        # Only the last words can be the beginning of a phrase; to compare the rest from every word on would take for ever.
        begins = unfinished and len(plain) - at < longest
        if match is None and begins and any(phrase[: len(plain) - at] == plain[at:] for phrase in wanted):
            break
        if match is None:
            left.append(words[at])
            at += 1
        else:
            at += len(match)
    return tuple(left)


def starts_with_phrase(words: tuple[str, ...], phrases: tuple[str, ...]) -> bool:
    """Whether the first words are one of the phrases."""
    plain = tuple(word.replace("'", "") for word in words)
    return any(phrase and plain[: len(phrase)] == phrase for phrase in _phrases(phrases))
