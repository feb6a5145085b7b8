"""English abbreviations, said as the words they stand for."""

from __future__ import annotations

import re

from antiphon.spoken.english_tables import AFTER_A_STREET, ALWAYS, BEFORE_A_NAME, WITHOUT_A_DOT
from antiphon.spoken.rules import Rule, rule

_FUNCTION_WORDS = frozenset(
    (
        "a", "an", "the", "in", "on", "at", "to", "from", "by", "of", "for", "with", "and", "or", "is", "was", "our", "your",
        "my", "his", "her", "this", "that", "see", "ask", "call", "visit", "near",
    )
)  # fmt: skip

_STARTS = re.compile(
    r"\s{1,2}(?:The|It|We|I|You|He|She|They|This|That|These|But|And|If|In|On|At|My|Our|Your|Please|What|Who|How|When|Do|So)\b"
)


def rules() -> tuple[Rule, ...]:
    names = "|".join(BEFORE_A_NAME)
    streets = "|".join(AFTER_A_STREET)
    always = "|".join(re.escape(each) for each in sorted(ALWAYS, key=len, reverse=True))
    bare = "|".join(WITHOUT_A_DOT)
    return (
        rule(rf"(?<![\w.])({streets})\b\.?", _street),
        rule(rf"(?<![\w.])({names})\b(?:\.\s{{0,2}}(?=[A-Z])|\s(?=[A-Z][a-z]))", lambda m: f"{BEFORE_A_NAME[m[1]]} "),
        rule(r"(?<![\w.])([AaPp])\.\s?[Mm]\.(?!\w)", lambda m: f"{m[1].upper()} M" + _stop(m)),
        rule(rf"(?<![\w.])({always})\.(?!\w)", lambda m: ALWAYS[m[1]] + _stop(m)),
        rule(rf"(?<![\w.])({bare})(?![\w.])", lambda m: ALWAYS.get(m[1], BEFORE_A_NAME.get(m[1], ""))),
        # "U.S.", "B.A.", "J. K.": letters with dots.
        rule(r"(?<![\w.])((?:[A-Za-z]\.){2,8})(?:([A-Za-z])(?!\w))?(?!\w)", _letters),
        rule(r"(?<![\w.])([A-Z])\.(?=\s[A-Z][\w.])", _initial),
    )


def _stop(found: re.Match[str]) -> str:
    """The dot of an abbreviation ends the sentence, too, at the end of the text and before a capital."""
    after = found.string[found.end() : found.end() + 3]
    return "." if not after.strip(" \t\"')*") or re.match(r"\s{1,2}[A-Z]", after) else ""


def _street(found: re.Match[str]) -> str | None:
    """ "Main St." and "5th Ave", not "St. Louis" or "See Dr. Lee": a name stands before it."""
    text = found.string
    before = text[max(0, found.start() - 40) : found.start()].rstrip(" ").split()
    if not before or text[found.start() - 1 : found.start()] != " ":
        return None
    word = before[-1]
    if word[-1] in ".,;:!?" or word.lower() in _FUNCTION_WORDS:
        return None
    named = word[0].isupper() or re.fullmatch(r"\d{1,4}(?:st|nd|rd|th)", word) is not None
    if not named or word.rstrip(".") in BEFORE_A_NAME:
        return None
    if found[1] in BEFORE_A_NAME:
        # "Call Ann, Dr. Lee": what follows a street is no name of a person, unless a sentence or a town begins there.
        follows = re.match(r"\s[A-Z][a-z]", text[found.end() : found.end() + 4])
        numbered = any(each[0].isdigit() for each in before[-4:])
        if follows and not numbered:
            return None
    return AFTER_A_STREET[found[1]] + (_stop(found) if found[0].endswith(".") else "")


def _letters(found: re.Match[str]) -> str:
    letters = [each for each in found[0] if each.isalpha()]
    after = found.string[found.end() : found.end() + 16]
    # "the U.S. Army" goes on; after "U.S. The" a sentence has ended.
    ends = not after.strip(" \t\"')*") or _STARTS.match(after) is not None
    return " ".join(letters).upper() + ("." if ends and found[0].endswith(".") else "")


def _initial(found: re.Match[str]) -> str | None:
    """ "John F. Kennedy"."""
    return None if found[1] == "I" else found[1]
