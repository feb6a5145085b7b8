"""A voice that can be read back: every letter of a text is a level of its own, so that what a telephone heard is known to the letter.

µ-law at 8 kHz. It holds for audio that is passed on as it is; a gap between two letters does no harm.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from antiphon.audio import g711

LETTERS = "abcdefghijklmnopqrstuvwxyz ."
MS = 40
_BYTES = MS * 8
_LOWEST, _STEP = 1200, 1080
_BLANK = LETTERS.index(" ")
_LEVELS = np.arange(len(LETTERS), dtype=np.int32) * _STEP + _LOWEST
_CODES = g711.mulaw_encode(_LEVELS.astype(np.int16)).tobytes()
_LETTER_OF = dict(zip(_CODES, LETTERS, strict=True))
_NO_LETTER = bytes(set(range(256)) - set(_CODES))
_LEAST_BYTES = _BYTES // 4
"""Less of a letter is a piece of one at a cut."""


def spelled(text: str, at: int) -> bytes:
    """Implements ``Sound``. What is neither letter, blank nor full stop is a blank."""
    places = (LETTERS.find(letter) for letter in text.lower())
    return b"".join(_CODES[place if place >= 0 else _BLANK].to_bytes() * _BYTES for place in places)


def read(heard: bytes) -> str:
    """The text in what was heard. What is no letter's level is passed over, also amid a letter."""
    text = ""
    for code, run in groupby(heard.translate(None, _NO_LETTER)):
        size = sum(1 for _ in run)
        if size >= _LEAST_BYTES:
            text += _LETTER_OF[code] * max(1, round(size / _BYTES))
    return text
