"""What a recogniser heard (or a caller typed) as tokens: lower-case words, with spoken numbers already read as numbers.

Recognisers give words without punctuation and numbers in letters; typed text has digits. Both come out alike here:
``half past three`` and ``half past 3`` are the same three tokens as far as ``number`` goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import text_to_num

MAX_CHARS = 1000
"""More than a minute of speech; the rest of a longer text is not read."""

_MERIDIEM = re.compile(r"\b([ap])\.? ?m\b\.?", re.IGNORECASE)
_PIECE = re.compile(
    r"\d{1,18}(?:st|nd|rd|th)\b|\d{1,18}|[^\W\d_]+(?:'[^\W\d_]+)*|(?<=\d)[:/.,–-](?=\d)"
    r"|(?<![\w)])[-−](?=[.\d])|(?<![\w.])\.(?=\d)|\+(?=\d)",
    re.IGNORECASE,
)
_SIGNS = {"−": "minus", "+": "plus", "–": "-"}
_ORDINAL_ENDINGS = ("st", "nd", "rd", "th")

FILLERS = frozenset((
    "um", "uh", "er", "erm", "hmm", "hm", "ah", "oh", "eh", "well", "so", "please", "okay", "ok", "yeah", "like", "just", "you",
    "know", "hi", "hello", "hey", "thanks", "thank",
))  # fmt: skip
"""Words that may stand around an answer without changing it."""


_BEFORE_THE_PRONOUN_ONE = frozenset((
    "other", "this", "that", "which", "same", "wrong", "right", "later", "earlier", "next", "last", "first", "second", "third", "new",
    "old", "any", "each", "every", "no", "another", "o'clock", "pm", "am", "morning", "afternoon", "better", "good", "whichever",
))  # fmt: skip
_AFTER_THE_NUMBER_ONE = frozenset(
    ("o'clock", "oclock", "pm", "am", "oh", "point", "hundred", "thousand", "more", "of", "and", "in", "at")
)


HIDDEN = "_"
"""Stands for words that are understood as something else."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word, one spoken or written number, or a separator between digits."""

    text: str
    """Lower case, as said; several words for a number of several words."""
    raw: str
    """As written, with its capitals."""
    number: int | None = None
    ordinal: bool = False
    digits: str = ""
    """The number's digits as they would be typed: "zero seven" is 07."""
    amount: float | None = None
    """The number where it is not whole: "one point five"."""
    gap: str = ""
    """What stands between it and the token before: a space, a comma, a hyphen."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A caller's turn: as it was said or typed, and as tokens."""

    text: str
    tokens: tuple[Token, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return texts(self.tokens)

    def until(self, end: int) -> Utterance:
        """The first ``end`` tokens alone."""
        tokens = self.tokens[:end]
        return Utterance(" ".join(token.raw for token in tokens), tokens)


def utterance(text: str) -> Utterance:
    """Read a turn; what stands beyond ``MAX_CHARS`` is not read."""
    return Utterance(text[:MAX_CHARS], tokenize(text))


class _Piece(text_to_num.Token):  # type: ignore[misc]  # the package has no types
    """What ``text_to_num`` wants to see of a word."""

    def __init__(self, text: str, gap: str) -> None:
        self._text = text
        self._gap = gap

    def text(self) -> str:
        return self._text

    def nt_separated(self, previous: _Piece) -> bool:
        # "twenty, five" are two numbers.
        return any(mark in self._gap for mark in ",.;")

    def not_a_number_part(self) -> bool:
        # Digits are read by us: merging them with words would turn "10 thirty" into one number.
        return not self._text.isalpha()


@lru_cache(maxsize=512)
def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of ``text``. Punctuation is dropped, but for what separates digits (10:30, 5/12, 2,500) and for signs."""
    text = _MERIDIEM.sub(r"\1m", text[:MAX_CHARS].replace("’", "'"))
    raw: list[str] = []
    gaps: list[str] = []
    end = 0
    for match in _PIECE.finditer(text):
        raw.append(match.group())
        gaps.append(text[end : match.start()])
        end = match.end()
    pieces = [
        _piece(piece, after_digit=gap == "" and at > 0 and raw[at - 1][-1].isdecimal())
        for at, (piece, gap) in enumerate(zip(raw, gaps, strict=True))
    ]
    tokens: list[Token] = []
    position = 0
    found = text_to_num.find_numbers([_Piece(piece, gap) for piece, gap in zip(pieces, gaps, strict=True)], "en", 0.0)
    for number in found:
        tokens += [_token(pieces[at], raw[at], gaps[at]) for at in range(position, number.start)]
        tokens.append(_spoken_number(number, pieces, raw, gaps[number.start]))
        position = number.end
    tokens += [_token(pieces[at], raw[at], gaps[at]) for at in range(position, len(raw))]
    return tuple(
        replace(token, number=None, digits="") if token.text == "one" and _is_pronoun(tokens, at) else token
        for at, token in enumerate(tokens)
    )


def _is_pronoun(tokens: Sequence[Token], at: int) -> bool:
    """Whether the "one" at ``at`` counts nothing: "no, the other one", "the ten o'clock one", "that one please"."""
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if at == 0 or (following is not None and (following.number is not None or following.text in _AFTER_THE_NUMBER_ONE)):
        return False
    return tokens[at - 1].text in _BEFORE_THE_PRONOUN_ONE


def _piece(raw: str, *, after_digit: bool) -> str:
    """A word in lower case; a sign that stands before a number as its word."""
    if raw == "." and not after_digit:
        return "point"
    if raw == "-" and not after_digit:
        return "minus"
    return _SIGNS.get(raw, raw.lower())


def _spoken_number(number: Any, pieces: Sequence[str], raw: Sequence[str], gap: str) -> Token:
    words, written = " ".join(pieces[number.start : number.end]), " ".join(raw[number.start : number.end])
    whole = float(number.value).is_integer()
    return Token(
        words,
        written,
        int(number.value) if whole else None,
        bool(number.is_ordinal),
        "".join(filter(str.isdecimal, number.text)),
        None if whole else float(number.value),
        gap,
    )


def _token(text: str, raw: str, gap: str) -> Token:
    if text[0].isdecimal():
        ordinal = text.endswith(_ORDINAL_ENDINGS)
        digits = text[:-2] if ordinal else text
        return Token(text, raw, int(digits), ordinal, digits, gap=gap)
    return Token(text, raw, gap=gap)


def texts(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Only the words."""
    return tuple(token.text for token in tokens)


def find_phrase(phrase: Sequence[str], words: Sequence[str]) -> int:
    """Where ``phrase`` stands in ``words`` as a whole, or −1."""
    if not phrase or phrase[0] not in words:
        return -1
    size, phrase = len(phrase), tuple(phrase)
    return next((at for at in range(len(words) - size + 1) if tuple(words[at : at + size]) == phrase), -1)


class Phrases:
    """Many phrases, looked for at one place at a time: the longest that stands there. Its work grows with
    the words, not with the phrases."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for phrase in phrases:
            words = texts(tokenize(phrase))
            if words:
                self._by_first.setdefault(words[0], []).append(words)
        for same in self._by_first.values():
            same.sort(key=len, reverse=True)

    def at(self, words: Sequence[str], at: int) -> int:
        """How many words of a phrase stand at ``at``; 0 for none."""
        for phrase in self._by_first.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                return len(phrase)
        return 0

    def spans(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Where phrases stand, from left to right, none in another."""
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(words):
            size = self.at(words, at)
            if size:
                found.append((at, at + size))
            at += max(size, 1)
        return found
