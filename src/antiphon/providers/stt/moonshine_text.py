"""Moonshine's text as it is given to others: nothing where the model only fills a silence, and figures that can be read. Pure."""

from __future__ import annotations

import re

from antiphon.providers.digits import count_digits

_NOTES = re.compile("[\N{EIGHTH NOTE}\N{QUARTER NOTE}\N{BEAMED EIGHTH NOTES}\N{BEAMED SIXTEENTH NOTES}\ufffd]+")
_FILLING = frozenset(("you", "thank you", "thanks for watching", "thank you for watching", "bye bye bye"))
"""What the model says, as surely as speech, when it hears a thump, a hum or a breath. Nobody answers "you"; a caller's thanks alone are a
loss that a conversation bears."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OLD = re.compile(r"\b(to)-(day|morrow|night)\b", re.IGNORECASE)
"""Spelling of the books that the model has read."""
_STOPS = re.compile(r"\.{2,}$")
_CREDITS = "\N{COPYRIGHT SIGN}"
"""Of what stands under the films that it has heard: so it writes engines and sirens."""
_ANOTHER_SCRIPT = re.compile("[\u0370-\u1dff\u2c00-\ua71f\ua800-\uabff\uac00-\ufaff]")
"""It knows English alone: in other letters it writes what it has no words for."""
_LETTERS_AND_FIGURES = re.compile(r"[^\W_]")


def shown(text: str) -> str:
    """Natural text. Empty where nothing was said."""
    text = " ".join(_NOTES.sub(" ", text).split())
    if not _LETTERS_AND_FIGURES.search(text) or is_filling(text) or _CREDITS in text or _ANOTHER_SCRIPT.search(text):
        return ""
    return _THOUSANDS.sub("", _OLD.sub(r"\1\2", _STOPS.sub(".", _without_stammer(text))))


def _without_stammer(text: str) -> str:
    """A word three times or more in a row is the model's, which stammers on short sounds ("Yeah, yeah, yeah, yeah" for a "yes"): once."""
    words = text.split()
    plain = [word.strip(".,!?;:").lower() for word in words]
    kept: list[str] = []
    at = 0
    while at < len(words):
        end = at + 1
        while end < len(words) and plain[end] == plain[at]:
            end += 1
        stammers = end - at >= 3 and not count_digits(plain[at])  # people do say "five five five"
        kept += words[end - 1 : end] if stammers else words[at:end]
        at = end
    return " ".join(kept)


def is_filling(text: str) -> bool:
    words = " ".join(re.findall(r"[^\W_]+", text.lower()))
    return words in _FILLING
