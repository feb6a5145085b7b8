"""What a finder reports: a value, and where in the words it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """``tokens[start:end]`` said ``value``."""

    start: int
    end: int
    value: T
    explicit: bool
    """The words can mean nothing else ("next tuesday", "my name is …"); otherwise they mean it only as an answer to the question."""


def without_overlaps(found: Iterable[Found[T]]) -> list[Found[T]]:
    """The longest ones, in the order of the words."""
    kept: list[Found[T]] = []
    taken: set[int] = set()
    for candidate in sorted(found, key=lambda item: item.start - item.end):
        places = range(candidate.start, candidate.end)
        if taken.isdisjoint(places):
            kept.append(candidate)
            taken.update(places)
    return sorted(kept, key=lambda item: item.start)
