"""What people give piece by piece: a telephone or card number, a code, a word letter by letter, an e-mail address.

Between its groups they pause for up to a second, with a voice that sounds finished. So the pause says nothing; what counts is whether
the piece is whole. Pure functions of the words; a lone number ("chapter twelve", "in 1665", "for 4") is none of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from antiphon.conversation.words import words_of


class Given(Enum):
    """How far something that is given in pieces has come."""

    NOTHING = "nothing"
    """No such thing is being given."""
    PART = "part"
    """More of it will come, or it cannot be known."""
    WHOLE = "whole"
    """It has all it takes."""


_DIGIT = {
    "zero": 1, "oh": 1, "o": 1, "nought": 1, "nil": 1, "one": 1, "two": 1, "three": 1, "four": 1, "five": 1, "six": 1, "seven": 1,
    "eight": 1, "nine": 1,
}  # fmt: skip
_TEEN = frozenset((
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
))  # fmt: skip
_TENS = frozenset(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"))
_AGAIN = {"double": 1, "triple": 2}
_HUNDREDS = {"hundred": 2, "thousand": 3}
_BETWEEN = frozenset(("dash", "hyphen", "plus", "space", "slash"))
"""Said between groups."""
_NUMBER_CUES = frozenset((
    "number", "phone", "telephone", "mobile", "cell", "card", "account", "code", "pin", "reference", "zip", "postcode", "postal", "digits",
    "extension", "id", "policy", "member", "order", "invoice", "passport", "licence", "license", "address", "live",
))  # fmt: skip
"""Where one of these was said and "is" follows it, any digits at the end are the beginning of what it names."""
_COPULAS = frozenset(("is", "it's", "its", "are", "was", "be", "at"))
_POSTAL_CUES = frozenset(("zip", "postcode", "postal"))
_SPELLING_CUES = frozenset(("spelled", "spelt", "spell", "spelling"))
_TELEPHONE_DIGITS = 10
_CARD_DIGITS = 16
_POSTAL_DIGITS = 5
_YEARS = range(1000, 2100)
_CUE_REACH = 6
"""So many words before the digits a cue is looked for."""
_MAX_WORDS = 60
"""Only the last words are looked at: nothing that is given in pieces takes more."""

_EMAIL_CUES = frozenset(("email", "e-mail", "mail"))
_MAIL_HOSTS = frozenset(
    ("gmail", "hotmail", "outlook", "yahoo", "icloud", "proton", "protonmail", "aol", "naver", "gmx")
)
_MAIL_JOINTS = frozenset(("at", "dot", "underscore", "dash", "hyphen", "point"))
_ARTICLES = frozenset(("the", "a", "an", "this", "that"))
_TOP_LEVEL = frozenset((
    "com", "org", "net", "edu", "gov", "io", "co", "uk", "de", "kr", "fr", "es", "it", "nl", "us", "ca", "au", "info", "biz", "me", "ai",
    "dev", "app", "eu", "ch", "at", "be", "jp", "in", "ie", "nz",
))  # fmt: skip
_WRITTEN_EMAIL = re.compile(r"[^\s@]+@[^\s@]*$")
_WHOLE_EMAIL = re.compile(r"[^\s@]+@[\w-]+(?:\.[\w-]+)*\.([a-z]{2,})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Run:
    """The digits that a text ends with."""

    groups: tuple[int, ...]
    """Digits of each word or figure."""
    singles: int
    """How many were said one by one."""
    first: str
    before: tuple[str, ...]
    """The words before it."""
    lone_year: bool
    counts: bool
    """ "Two hundred", "three thousand": how many, and not which."""

    @property
    def digits(self) -> int:
        return sum(self.groups)


@lru_cache(maxsize=64)
def given(text: str) -> Given:
    """What the end of ``text`` says of something that is given in pieces."""
    words = words_of(text)[-_MAX_WORDS:]
    if not words:
        return Given.NOTHING
    email = _email(text, words)
    if email is not Given.NOTHING:
        return email
    run = _digits_at_end(words)
    if run is not None:
        return _number(run)
    return _letters(words)


# ------------------------------------------------------------------------------------------------ digits


def _number(run: _Run) -> Given:
    cues = frozenset(run.before[-_CUE_REACH:])
    total = run.digits
    named = bool(cues & _NUMBER_CUES) and bool(frozenset(run.before[-2:]) & _COPULAS)
    one_number = run.lone_year or run.counts or (len(run.groups) == 1 and total < 3)
    if not named and (one_number or not (run.singles >= 2 or total >= 3)):
        return Given.NOTHING
    if cues & _POSTAL_CUES:
        return Given.WHOLE if total == _POSTAL_DIGITS else Given.PART
    if _is_date(run.groups):
        return Given.WHOLE
    in_fours = len(run.groups) >= 2 and set(run.groups[:2]) == {4}
    if in_fours or "card" in cues:
        return Given.WHOLE if total == _CARD_DIGITS else Given.PART
    # A national prefix (1, 0) or the country's code makes it eleven.
    wanted = _TELEPHONE_DIGITS + (run.first in ("1", "0", "one", "oh", "zero", "o"))
    return Given.WHOLE if total in (wanted, _CARD_DIGITS) else Given.PART


def _is_date(groups: tuple[int, ...]) -> bool:
    """Day, month and a year in figures: 05 12 1990."""
    return len(groups) == 3 and groups[0] <= 2 and groups[1] <= 2 and groups[2] == 4


def _digits_at_end(words: tuple[str, ...]) -> _Run | None:
    parts: list[tuple[str, int, bool]] = []
    at = len(words)
    while at > 0:
        word = words[at - 1]
        if word in _BETWEEN:
            at -= 1
            continue
        found = _digits_of(word)
        if found is None:
            break
        parts.append((word, *found))
        at -= 1
    parts = [part for part in reversed(parts) if part[1]]
    if not parts:
        return None
    groups, singles = _grouped(parts)
    lone_year = (
        len(parts) == 1 and parts[0][0].isdecimal() and len(parts[0][0]) == 4 and int(parts[0][0]) in _YEARS
    ) or (2 <= len(parts) <= 3 and singles <= 1 and parts[0][0] in _TEEN | {"twenty"} and sum(groups) == 4)
    first = parts[0][0]
    counts = singles < 3 and any(word in _HUNDREDS for word, _, _ in parts)
    return _Run(groups, singles, first[0] if first[0].isdecimal() else first, words[:at], lone_year, counts)


def _digits_of(word: str) -> tuple[int, bool] | None:
    """How many digits a word stands for, and whether it is one said by itself; None where it is no number."""
    pieces = word.split("-")
    if all(piece.isdecimal() for piece in pieces):
        return sum(map(len, pieces)), len(word) == 1
    if len(pieces) > 1:
        found = [_digits_of(piece) for piece in pieces]
        if any(each is None for each in found):
            return None
        if pieces[0] in _TENS and len(pieces) == 2:
            return 2, False
        return sum(each[0] for each in found if each is not None), False
    if word in _DIGIT:
        return 1, True
    if word in _TEEN or word in _TENS:
        return 2, False
    count = _HUNDREDS.get(word, 0) + _AGAIN.get(word, 0)
    return (count, False) if count else None


def _grouped(parts: list[tuple[str, int, bool]]) -> tuple[tuple[int, ...], int]:
    """Each part's digits, "twenty three" as two of one part; and how many digits were said one by one."""
    groups: list[int] = []
    singles = 0
    after_tens = False
    for word, count, single in parts:
        if single and after_tens and word not in ("zero", "oh", "o", "nought", "nil", "0"):
            after_tens = False
            continue  # its second digit, which is counted
        groups.append(count)
        singles += single
        after_tens = word in _TENS
    return tuple(groups), singles


# ------------------------------------------------------------------------------------------------ letters and e-mail


def _letters(words: tuple[str, ...]) -> Given:
    """A word is never known to be spelled to its end; that it is being spelled is."""
    letters, at = 0, len(words)
    while at > 0:
        word = words[at - 1]
        if at >= 4 and words[at - 3] in ("as",) and words[at - 2] == "in" and len(words[at - 4]) == 1:
            letters, at = letters + 2, at - 4  # "b as in boy" can be nothing else
        elif at >= 3 and words[at - 2] in ("for", "like") and len(words[at - 3]) == 1 and word[0] == words[at - 3]:
            letters, at = letters + 2, at - 3
        elif len(word) == 1 and word.isalpha():
            letters, at = letters + 1, at - 1
        elif "-" in word and all(len(piece) == 1 for piece in word.split("-")):
            letters, at = letters + word.count("-") + 1, at - 1
        elif word in _AGAIN and letters:
            letters, at = letters + 1, at - 1
        else:
            break
    spelled = letters >= 2 or (letters == 1 and bool(frozenset(words[:at][-_CUE_REACH:]) & _SPELLING_CUES))
    return Given.PART if spelled else Given.NOTHING


def _email(text: str, words: tuple[str, ...]) -> Given:
    written = text.rstrip(" .,!?;:\"'")
    if _WRITTEN_EMAIL.search(written):
        whole = _WHOLE_EMAIL.search(written)
        return Given.WHOLE if whole is not None and whole[1].lower() in _TOP_LEVEL else Given.PART
    if not _is_email_begun(words):
        return Given.NOTHING
    last = words[-1]
    joined = len(words) >= 2 and words[-2] in ("dot", "point")
    if joined and last in _TOP_LEVEL and not (last == "at" and words[-2] != "dot"):
        return Given.WHOLE
    return Given.PART if last in _MAIL_JOINTS or last in _MAIL_HOSTS or _mentions_email(words) else Given.NOTHING


def _mentions_email(words: tuple[str, ...]) -> bool:
    """ "My email is john smith": the address is still to come, or half given."""
    cue = max((at for at, word in enumerate(words) if word in _EMAIL_CUES), default=-1)
    named = cue >= 0 and any(word in ("is", "it's", "its", "address") for word in words[cue + 1 : cue + 3])
    return named and len(words) - cue <= 16


def _is_email_begun(words: tuple[str, ...]) -> bool:
    if frozenset(words) & _EMAIL_CUES:
        return True
    for at, word in enumerate(words):
        after = words[at + 1 : at + 5]
        if word == "at" and after and (after[0] in _MAIL_HOSTS or ("dot" in after[1:] and after[0] not in _ARTICLES)):
            return True
    return False
