"""What requests may not hold, because it could not be kept as it is: the character U+0000, and numbers of more than 64 bits."""

from __future__ import annotations

from typing import Any

from antiphon.json_values import LONG_NUMBER, long_number_in
from antiphon.wire_model import join

_ESCAPE = b"\\u0000"


def unkept_in(content: bytes, document: Any) -> str | None:
    """What is wrong, as a sentence that begins with the dotted field. None: nothing is. ``document``: what ``content`` says as JSON."""
    if (field := nul_in(content, document)) is not None:
        return f"{field} must not hold the character U+0000"
    if (field := long_number_in(content)) is not None:
        return f"{field} {LONG_NUMBER}"
    return None


def nul_in(content: bytes, document: Any) -> str | None:
    """The dotted field whose text, or whose name, has a U+0000; empty where it is the whole document. None: there is none. ``document``:
    what ``content`` says as JSON, in which the character can stand as an escape only."""
    if _ESCAPE not in content:
        return None
    level: list[tuple[str, Any]] = [("", document)]
    while level:
        below: list[tuple[str, Any]] = []
        for path, value in level:
            if isinstance(value, str) and "\0" in value:
                return path
            if isinstance(value, dict):
                for name, item in value.items():
                    if "\0" in name:
                        return join(path, name.replace("\0", "\\u0000")[:100])
                    below.append((join(path, name[:100]), item))
            elif isinstance(value, list):
                below += [(join(path, at), item) for at, item in enumerate(value)]
        level = below
    return None  # the six characters themselves, after a backslash
