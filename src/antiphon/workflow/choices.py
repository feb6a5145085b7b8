"""One of a few answers, each said in its own words or in a synonym of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from antiphon.workflow.found import Found, without_overlaps
from antiphon.workflow.words import Token, find_phrase, texts, tokenize


def find(tokens: Sequence[Token], phrases: Mapping[str, Sequence[str]]) -> list[Found[str]]:
    """Every choice named; ``phrases`` gives the ways to say each. The longest phrase wins where they overlap."""
    words = texts(tokens)
    found: list[Found[str]] = []
    for choice, ways in phrases.items():
        for way in (choice, *ways):
            phrase = texts(tokenize(way))
            if phrase and (at := find_phrase(phrase, words)) >= 0:
                found.append(Found(at, at + len(phrase), choice, False))
    return without_overlaps(found)
