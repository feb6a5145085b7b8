"""A text in passages: short enough to be told to a model, whole enough to be understood alone. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PASSAGE_CHARS = 600
"""About what can be told in half a minute."""
MAX_SENTENCE_CHARS = 300
"""Longer ones are cut: what they mean is looked at in pieces."""
_PARAGRAPHS = re.compile(r"\n[ \t]*\n+")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.{1,200}?)[ \t#]*$")
_SENTENCES = re.compile(r"(?<=[.!?。！？])[\"'”’)]*\s+|\n+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage. ``sentences`` are what it is found by: those of its heading with it."""

    text: str
    sentences: tuple[str, ...]


def pieces_of(text: str) -> Iterator[Piece]:
    """Paragraphs under one heading are put together up to ``PASSAGE_CHARS``, longer ones are cut between sentences. The heading (Markdown's
    ``#``) stands before each."""
    heading, held = "", ""
    for paragraph in _PARAGRAPHS.split(text.replace("\r\n", "\n")):
        for part in _parts(paragraph.strip()):
            if part.startswith("#") and (found := _HEADING.match(part)):
                yield from _piece(heading, held)
                heading, held = found[1].strip(), ""
            elif held and len(held) + len(part) >= PASSAGE_CHARS:
                yield from _piece(heading, held)
                held = part
            else:
                held = f"{held}\n{part}" if held else part
    yield from _piece(heading, held)


def sentences_of(text: str) -> list[str]:
    """Those of a text, none longer than ``MAX_SENTENCE_CHARS``."""
    found = (sentence.strip() for sentence in _SENTENCES.split(text))
    return [part for sentence in found if sentence for part in _cut(sentence, MAX_SENTENCE_CHARS)]


def _parts(paragraph: str) -> Iterator[str]:
    """The heading a paragraph begins with, and the rest in parts that are none too long."""
    first, _, rest = paragraph.partition("\n")
    if _HEADING.match(first):
        yield first
        paragraph = rest.strip()
    if len(paragraph) <= PASSAGE_CHARS:
        if paragraph:
            yield paragraph
        return
    held = ""
    for sentence in sentences_of(paragraph):
        if held and len(held) + len(sentence) >= PASSAGE_CHARS:
            yield held
            held = sentence
        else:
            held = f"{held} {sentence}" if held else sentence
    if held:
        yield held


def _piece(heading: str, text: str) -> Iterator[Piece]:
    if not text:
        return
    sentences = sentences_of(text)
    if heading:
        # A sentence alone often lacks what it is about: "From nine to five." under "Opening hours".
        sentences = [sentence if len(sentence) > 200 else f"{heading}: {sentence}" for sentence in sentences]
    yield Piece(f"{heading}: {text}" if heading else text, tuple(sentences))


def _cut(text: str, most: int) -> Iterator[str]:
    while len(text) > most:
        at = text.rfind(" ", most // 2, most)
        at = at if at > 0 else most
        yield text[:at]
        text = text[at:].strip()
    if text:
        yield text
