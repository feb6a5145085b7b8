"""Key terms: words that a vendor is told to expect, the assistant's own and those of the answers that are likely now."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers

MOST_KEY_TERMS = 100
"""The documented limit is one of tokens (500): short answers stay below it."""


def key_terms(terms: Sequence[str], field: str = "keyterms") -> tuple[str, ...]:
    """An assistant's own. Raises ConfigurationError where they are no list of texts, or too many."""
    if isinstance(terms, str) or not all(isinstance(term, str) and term.strip() for term in terms):
        raise ConfigurationError(field, "must be a list of words or short phrases")
    if len(terms) > MOST_KEY_TERMS:
        raise ConfigurationError(field, f"may have {MOST_KEY_TERMS} entries at most")
    return tuple(term.strip() for term in terms)


def phrases_of(answers: ExpectedAnswers, most: int, most_chars: int = 100) -> list[str]:
    """Expected answers as key terms, each once: short ones would only make a vendor hear them everywhere."""
    wanted = (phrase.strip() for phrase in answers.phrases)
    return list(dict.fromkeys(phrase for phrase in wanted if 3 <= len(phrase) <= most_chars))[:most]
