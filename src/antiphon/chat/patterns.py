"""Regular expressions that people send, within a bound of time: some would run for years (and Python's own cannot be stopped)."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

import regex

from antiphon.errors import ConfigurationError

MAX_PATTERN = 1000
MAX_MATCHES = 1000
_SECONDS = 0.2
_LITERAL = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "g": 0, "u": 0, "y": 0}
"""Of a literal. All matches, characters beyond 16 bits and where the last match ended are no matter of ours."""

_T = TypeVar("_T")


def search(pattern: Any, text: str, field: str) -> str | None:
    """The first part of ``text`` that matches; None where none does. Raises ConfigurationError naming ``field``."""
    found = _bounded(pattern, field, lambda: regex.search(pattern, text, timeout=_SECONDS))
    return None if found is None else str(found.group())


def matches(pattern: Any, text: str, field: str) -> list[str]:
    """All parts of ``text`` that match, so many at most: of each the first group that the pattern has, else the whole. The pattern may be a
    literal (``/\\d+/i``). Raises ConfigurationError naming ``field``."""
    bare, flags = _of_literal(pattern, field)
    return _bounded(pattern, field, lambda: _all(regex.compile(bare, flags), text))


def _all(pattern: regex.Pattern[str], text: str) -> list[str]:
    found = islice(pattern.finditer(text, timeout=_SECONDS), MAX_MATCHES)
    return [str(each.group(1) or "") if pattern.groups else str(each.group()) for each in found]


def _of_literal(pattern: Any, field: str) -> tuple[Any, int]:
    literal = _LITERAL.fullmatch(pattern) if isinstance(pattern, str) and len(pattern) <= MAX_PATTERN else None
    if literal is None:
        return pattern, 0
    flags = 0
    for letter in literal[2]:
        if letter not in _FLAGS:
            raise ConfigurationError(field, f"has a flag that is not known: {letter}")
        flags |= _FLAGS[letter]
    return literal[1], flags


def _bounded(pattern: Any, field: str, look: Callable[[], _T]) -> _T:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise ConfigurationError(field, f"must be a regular expression of at most {MAX_PATTERN} characters")
    try:
        return look()
    except TimeoutError:
        raise ConfigurationError(field, "takes too long to match") from None
    except (regex.error, RecursionError, MemoryError) as error:
        raise ConfigurationError(field, f"is no regular expression ({type(error).__name__})") from None
