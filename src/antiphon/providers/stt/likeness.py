"""How unlike two texts are in their letters, numbers read out: what was heard freely and the answer it is taken for. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from antiphon.providers.stt.spelling import number_words, plain_word, tokens_of

_HESITATIONS = frozenset(("um", "uh", "oh", "well", "so", "hmm", "ah", "er", "mm"))
_MAX_LETTERS = 160
_FIGURES = re.compile(r"(\d{1,4})(?::(\d\d))?(?:st|nd|rd|th)?")


def unlikeness(one: str, other: str) -> float:
    """0 for the same letters … 1 for none in common: edits per letter of the longer one."""
    first, second = _letters(one), _letters(other)
    longer = max(len(first), len(second))
    return _edits(first, second) / longer if longer else 0.0


def omits(heard: str, answer: Sequence[str]) -> bool:
    """Whether ``answer`` is what was heard with words left out that mean something."""
    wanted = list(map(plain_word, answer))
    omitted: list[str] = []
    for token in tokens_of(heard):
        if wanted and token == wanted[0]:
            del wanted[0]
        else:
            omitted.append(token)
    return not wanted and not _HESITATIONS.issuperset(omitted)


def _letters(text: str) -> str:
    return "".join(letter for token in tokens_of(text) for letter in _read_out(token) if letter.isalpha())[
        :_MAX_LETTERS
    ]


def _read_out(token: str) -> str:
    figures = _FIGURES.fullmatch(token)
    if figures is None:
        return token
    return "".join(number_words(int(part)) for part in figures.groups() if part is not None)


def _edits(one: str, other: str) -> int:
    """Insertions, deletions and replacements that make one the other."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], at
        for column, match in enumerate(other, start=1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (letter != match)),
            )
    return row[-1]
