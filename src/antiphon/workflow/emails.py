"""E-mail addresses as they are typed, and as people spell them out ("jane dot doe at example dot com")."""

from __future__ import annotations

import re

from antiphon.workflow.numbers import find_digits
from antiphon.workflow.words import tokenize

_TYPED = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}")
_MARKS = {
    "dot": ".", "point": ".", "period": ".", "underscore": "_", "dash": "-", "hyphen": "-", "minus": "-", "plus": "+", "at": "@",
}  # fmt: skip
_BEFORE = frozenset((
    "my", "email", "e", "mail", "address", "is", "it's", "it", "that's", "that", "the", "yes", "um", "uh", "so", "well", "okay",
    "sure", "its",
    "write", "to", "you", "can", "use", "reach", "me", "under", "sorry", "no", "i", "said", "meant",
))  # fmt: skip
_AFTER = frozenset(
    ("thanks", "thank", "you", "please", "very", "much", "and", "that's", "it", "okay", "all", "lowercase")
)
_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_DOMAIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*\.[a-z]{2,24}")
_HOW_IT_IS_WRITTEN = re.compile(
    r"\b(?:all (?:in )?one word|(?:as|in) one word|one word|no spaces?|without spaces?|all (?:in )?(?:lower ?case|small(?: letters)?)"
    r"|lower ?case)\b",
    re.IGNORECASE,
)
"""Said of an address, these are no part of it."""
MAX_SPOKEN_WORDS = 60


def find(text: str) -> str:
    """The one address in ``text``, or the empty string. The part after the @ is written small, the part before it as it was typed."""
    typed = {f"{local}@{domain.lower()}" for local, domain in (found.rsplit("@", 1) for found in _TYPED.findall(text))}
    if typed:
        return typed.pop() if len(typed) == 1 else ""
    return _spoken(text)


def _spoken(text: str) -> str:
    tokens = tokenize(_HOW_IT_IS_WRITTEN.sub(" ", text))
    words = [token.text for token in tokens]
    if words.count("at") != 1 or len(words) > MAX_SPOKEN_WORDS:
        return ""
    start, end, at = 0, len(words), words.index("at")
    while start < at and words[start] in _BEFORE:
        start += 1
    while end > at and words[end - 1] in _AFTER:
        end -= 1
    written = ""
    for position in range(start, end):
        token = tokens[position]
        digits = find_digits((token,)) if token.text not in ("o", "oh") else []
        written += _MARKS.get(token.text) or (digits[0].value if digits else token.text)
    local, _, domain = written.partition("@")
    return written if _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) else ""
