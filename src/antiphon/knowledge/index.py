"""One file, ready to be searched: by words at once (BM25), by meaning when its sentences have been encoded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from antiphon.knowledge.passages import Piece, pieces_of
from antiphon.knowledge.words import terms_of

MAX_SENTENCES = 4000
"""Of a file: further ones are found by their words alone."""
_SATURATES = 1.2
_LENGTH = 0.75
"""BM25's k1 and b, as they are usual."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well a passage fits a question. ``words``: which share of the question's weight its words have (0…1), ``rank``: BM25's, without a
    scale, ``meaning``: the cosine of its nearest sentence, 0 where it is not known."""

    piece: Piece
    words: float
    rank: float
    meaning: float = 0.0


@dataclass(slots=True)
class FileIndex:
    """``name``: the file's, as people know it."""

    name: str
    pieces: tuple[Piece, ...]
    _terms: list[Counter[str]] = field(default_factory=list)
    _vectors: Any = None
    _owners: Any = None

    @classmethod
    def of(cls, name: str, text: str) -> FileIndex:
        made = cls(name, tuple(pieces_of(text)))
        made._terms = [Counter(terms_of(piece.text)) for piece in made.pieces]
        return made

    def sentences(self) -> list[tuple[int, str]]:
        """What is to be encoded: the passage's place, and a sentence of it."""
        found = [(at, sentence) for at, piece in enumerate(self.pieces) for sentence in piece.sentences]
        return found[:MAX_SENTENCES]

    def mean(self, owners: Sequence[int], vectors: Any) -> None:
        """The vectors of ``sentences``, one row each, of length 1."""
        # Half the memory; a cosine needs no more digits.
        self._owners, self._vectors = np.asarray(owners), np.asarray(vectors, np.float16)

    @property
    def vectors(self) -> int:
        """How many are kept."""
        return 0 if self._vectors is None else len(self._vectors)

    def counted(self, terms: Sequence[str]) -> tuple[int, int, Counter[str]]:
        """Passages, terms in all of them, and in how many passages each of these terms is."""
        holds: Counter[str] = Counter()
        for counts in self._terms:
            holds.update(term for term in terms if term in counts)
        return len(self._terms), sum(counts.total() for counts in self._terms), holds

    def scores(self, weights: Mapping[str, float], mean_length: float, question: Any) -> list[Score]:
        """Of all passages. ``question`` is its vector, or None."""
        total = sum(weights.values()) or 1.0
        near = self._near(question)
        return [
            Score(
                piece,
                sum(weight for term, weight in weights.items() if term in counts) / total,
                _bm25(weights, counts, mean_length),
                near[at],
            )
            for at, (piece, counts) in enumerate(zip(self.pieces, self._terms, strict=True))
        ]

    def _near(self, question: Any) -> list[float]:
        near = np.zeros(len(self.pieces))
        if question is not None and self._vectors is not None and len(self._vectors):
            np.maximum.at(near, self._owners, self._vectors.astype(np.float32) @ np.asarray(question, np.float32))
        found: list[float] = near.tolist()
        return found


def weights_of(indexes: Sequence[FileIndex], terms: Sequence[str]) -> tuple[dict[str, float], float]:
    """What each of a question's terms is worth (the rarer, the more), and how long a passage is, over all these files."""
    different = tuple(dict.fromkeys(terms))
    passages, length, holds = 0, 0, Counter[str]()
    for index in indexes:
        count, all_terms, held = index.counted(different)
        passages, length = passages + count, length + all_terms
        holds.update(held)
    # A term that is nowhere weighs no more than one that is in one place: people ask in words of their own.
    weights = {
        term: math.log(1 + (passages - places + 0.5) / (places + 0.5))
        for term in different
        if (places := max(holds[term], 1))
    }
    return weights, length / passages if passages else 1.0


def _bm25(weights: Mapping[str, float], counts: Counter[str], mean_length: float) -> float:
    longer = _SATURATES * (1 - _LENGTH + _LENGTH * counts.total() / max(mean_length, 1.0))
    return sum(
        weight * counts[term] * (_SATURATES + 1) / (counts[term] + longer)
        for term, weight in weights.items()
        if term in counts
    )
