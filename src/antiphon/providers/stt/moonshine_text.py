"""Moonshine's text as it is given to others: nothing where the model only fills a silence, and figures that can be read. Pure."""

from __future__ import annotations

import re

_NOTES = re.compile("[\N{EIGHTH NOTE}\N{QUARTER NOTE}\N{BEAMED EIGHTH NOTES}\N{BEAMED SIXTEENTH NOTES}\ufffd]+")
_FILLING = frozenset(("you", "thank you", "thanks for watching", "bye bye bye"))
"""What the model says, as surely as speech, when it hears a thump, a hum or a breath. Nobody answers "you"; a caller's thanks alone are a
loss that a conversation bears."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OLD = re.compile(r"\b(to)-(day|morrow|night)\b", re.IGNORECASE)
"""Spelling of the books that the model has read."""
_STOPS = re.compile(r"\.{2,}$")
_LETTERS_AND_FIGURES = re.compile(r"[^\W_]")


def shown(text: str) -> str:
    """Natural text. Empty where nothing was said."""
    text = " ".join(_NOTES.sub(" ", text).split())
    if not _LETTERS_AND_FIGURES.search(text) or is_filling(text):
        return ""
    return _THOUSANDS.sub("", _OLD.sub(r"\1\2", _STOPS.sub(".", text)))


def is_filling(text: str) -> bool:
    words = " ".join(re.findall(r"[^\W_]+", text.lower()))
    return words in _FILLING
