"""What a request may call a Piper voice: the voice itself or one of its speakers, perhaps moved by semitones (``joe+2``)."""

from __future__ import annotations

import re

from antiphon.errors import ProviderError

NAME = "piper"
MOST_SEMITONES = 12
_VOICE = re.compile(r"(.*?)([+-]\d{1,2})?", re.DOTALL)


def split_voice(voice: str) -> tuple[str, int]:
    """``joe+2`` is joe, two semitones higher. Raises ProviderError for more than an octave."""
    found = _VOICE.fullmatch(voice)
    assert found is not None, "the pattern takes any text"
    semitones = int(found[2] or 0)
    if abs(semitones) > MOST_SEMITONES:
        raise ProviderError(NAME, f"a voice is moved by at most {MOST_SEMITONES} semitones")
    return found[1], semitones
