"""Which name was meant, where there is none of the one that was written."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.75
"""Of a name of four letters two may have changed places."""


_FEW = 12
"""More names than these would bury the one that is meant."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Of the ``known`` names the one that ``name`` is most likely a slip for; empty where there is none like it."""
    by_plain = {_plain(each): each for each in known}
    if (same := by_plain.get(_plain(name))) is not None:
        return same
    close = get_close_matches(_plain(name), by_plain, n=1, cutoff=_ALIKE)
    return by_plain[close[0]] if close else ""


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """Says that there is no ``what`` of this name, which was perhaps meant, and which there are where those are few or none is alike."""
    known = list(known)
    meant = did_you_mean(name, known)
    listed = f"; there are {', '.join(known)}" if not meant or len(known) <= _FEW else ""
    return f"there is no such {what}{f'; did you mean {meant}?' if meant else ''}{listed}"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
