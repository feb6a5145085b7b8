"""Regular expressions that people send, within a bound of time: some would run for years (and Python's own cannot be stopped)."""

from __future__ import annotations

from typing import Any

import regex

from antiphon.errors import ConfigurationError

MAX_PATTERN = 1000
_SECONDS = 0.2


def search(pattern: Any, text: str, field: str) -> str | None:
    """The first part of ``text`` that matches; None where none does. Raises ConfigurationError naming ``field``."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise ConfigurationError(field, f"must be a regular expression of at most {MAX_PATTERN} characters")
    try:
        found = regex.search(pattern, text, timeout=_SECONDS)
    except TimeoutError:
        raise ConfigurationError(field, "takes too long to match") from None
    except (regex.error, RecursionError, MemoryError) as error:
        raise ConfigurationError(field, f"is no regular expression ({type(error).__name__})") from None
    return None if found is None else str(found.group())
