"""Text as espeak-ng can take it. The library is C and its buffers are small: some 350 dotted letters in a row ("A.B.C.") overwrite
its stack, and a lone surrogate cannot be encoded at all.

Nothing here changes the length of a text or the place of a character, so that words can be found again by their position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_PIECE_CHARACTERS = 240
"""What the library is given at once. Fuzzing found no death under 300."""
_UNSPEAKABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DOTTED = re.compile(r"(?:[^\W_]\.){9,}")
"""More dotted letters in a row than any abbreviation has: they are spelt out all the same without the dots."""
_BREAKS = (
    re.compile(r"[.!?;:…。！？]['\")\]]*\s"),
    re.compile(r"[,،、–—]\s"),
    re.compile(r"\s"),
    re.compile(r"[-/.,_]"),
)
"""Where a text may be cut, best first: behind a sentence, a clause, a word, and at last inside a long word."""


def speakable(text: str) -> str:
    """The text without what has no sound and does harm: control characters and halves of characters are blanks."""
    text = _UNSPEAKABLE.sub(" ", text)
    return _DOTTED.sub(lambda run: run.group().replace(".", " "), text)


def pieces(text: str, most: int = MAX_PIECE_CHARACTERS) -> Iterator[tuple[int, str]]:
    """The text in pieces of at most ``most`` characters, each with its place in it; joined, they are the text."""
    at = 0
    while len(text) - at > most:
        end = at + _length(text[at : at + most])
        yield at, text[at:end]
        at = end
    if at < len(text):
        yield at, text[at:]


def _length(window: str) -> int:
    """Where to cut a window that is full. A break in its first third would make too many pieces."""
    for kind in _BREAKS:
        last = None
        for last in kind.finditer(window, len(window) // 3):  # noqa: B007 (the last one is wanted)
            pass
        if last is not None:
            return last.end()
    return len(window)
