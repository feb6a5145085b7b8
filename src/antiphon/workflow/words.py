"""What a recogniser heard (or a caller typed) as tokens: lower-case words, with spoken numbers already read as numbers.

Recognisers give words without punctuation and numbers in letters; typed text has digits. Both come out alike here:
``half past three`` and ``half past 3`` are the same three tokens as far as ``number`` goes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import text_to_num

MAX_CHARS = 1000
"""More than a minute of speech; the rest of a longer text is not read."""

_MERIDIEM = re.compile(r"\b([ap])\.? ?m\b\.?", re.IGNORECASE)
_PIECE = re.compile(r"\d{1,18}(?:st|nd|rd|th)\b|\d{1,18}|[^\W\d_]+(?:'[^\W\d_]+)*|(?<=\d)[:/-](?=\d)", re.IGNORECASE)
_ORDINAL_ENDINGS = ("st", "nd", "rd", "th")

FILLERS = frozenset((
    "um", "uh", "er", "erm", "hmm", "ah", "oh", "eh", "well", "so", "please", "okay", "ok", "yeah", "like", "just", "you",
    "know", "hi", "hello", "hey", "thanks", "thank",
))  # fmt: skip
"""Words that may stand around an answer without changing it."""


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


class _Piece(text_to_num.Token):  # type: ignore[misc]  # the package has no types
    """What ``text_to_num`` wants to see of a word."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self) -> str:
        return self._text

    def not_a_number_part(self) -> bool:
        # Digits are read by us: merging them with words would turn "10 thirty" into one number.
        return not self._text.isalpha()


@lru_cache(maxsize=512)
def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of ``text``. Punctuation is dropped, but for what separates digits (10:30, 5/12)."""
    text = _MERIDIEM.sub(r"\1m", text[:MAX_CHARS].replace("’", "'"))
    raw = _PIECE.findall(text)
    pieces = [piece.lower() for piece in raw]
    tokens: list[Token] = []
    position = 0
    for found in text_to_num.find_numbers([_Piece(piece) for piece in pieces], "en", 0.0):
        tokens += [_token(raw[at]) for at in range(position, found.start)]
        words, written = " ".join(pieces[found.start : found.end]), " ".join(raw[found.start : found.end])
        whole = float(found.value).is_integer()
        ordinal, digits = bool(found.is_ordinal), "".join(filter(str.isdecimal, found.text))
        tokens.append(Token(words, written, int(found.value) if whole else None, ordinal, digits))
        position = found.end
    tokens += [_token(piece) for piece in raw[position:]]
    return tuple(tokens)


def _token(raw: str) -> Token:
    text = raw.lower()
    if text[0].isdecimal():
        ordinal = text.endswith(_ORDINAL_ENDINGS)
        digits = text[:-2] if ordinal else text
        return Token(text, raw, int(digits), ordinal, digits)
    return Token(text, raw)


def texts(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Only the words."""
    return tuple(token.text for token in tokens)


def find_phrase(phrase: Sequence[str], words: Sequence[str]) -> int:
    """Where ``phrase`` stands in ``words`` as a whole, or −1."""
    if not phrase or phrase[0] not in words:
        return -1
    size, phrase = len(phrase), tuple(phrase)
    return next((at for at in range(len(words) - size + 1) if tuple(words[at : at + size]) == phrase), -1)
