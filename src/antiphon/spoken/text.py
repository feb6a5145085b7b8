"""The door of this room: ``spoken`` gives a text as it is said, and which written word each spoken one stands for.

Rules look for their kind of thing in the written text, the surest kind first; a stretch that one of them has taken is closed to the rest.
So nothing is read twice, and every spoken word has a place in the written text. Every pattern is bounded and none is tried again from
the middle of a run: the time is linear in the text, whatever stands in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from antiphon.spoken import cleaning, english, korean
from antiphon.spoken.rules import Rule

_WORD = re.compile(r"\S+")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LONE_MARK = re.compile(r"[.,;:!?…]+")
_STOPS = ".,;:!?…"
_EDGES = ".,;:!?…\"'“”‘’()[]"
_FIGURE = re.compile(r"\d")
MAX_CHARACTERS = 10_000
"""Ten minutes of speech; no voice takes so long a text at once. What lies behind it is left as it is written."""
_LONGEST_ENTRY_WORDS = 4
"""How many words an entry of the pronunciation dictionary may have."""

_RULES: Mapping[str, Callable[[], tuple[Rule, ...]]] = {"en": english.rules, "ko": korean.rules}


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A text as it is said."""

    text: str
    written: tuple[str, ...]
    """The words of the written text, cut at blanks."""
    origins: tuple[int, ...]
    """For each word of ``text`` (cut at blanks) the written word it belongs to. Never falls."""


def spoken(text: str, language: str = "en", pronunciations: Mapping[str, str] | None = None) -> SpokenText:
    """``text`` as people say it in ``language`` (its first subtag counts: ``en``, ``en-GB``, ``ko``).

    Of a language without rules only what nobody says is taken out (Markdown, HTML, emoji); a text that holds Hangul is Korean.
    ``pronunciations`` are how the words of an assistant are said; entries that hold a capital letter match in that case only.
    """
    primary = "ko" if _HANGUL.search(text) else re.split(r"[-_+]", language.lower(), maxsplit=1)[0]
    head, tail = text[:MAX_CHARACTERS], text[MAX_CHARACTERS:]
    parts = _Parts(head)
    figures = _FIGURE.search(head) is not None
    for rule in cleaning.rules():
        parts.apply(rule)
    if pronunciations:
        parts.replace(_entries(head, pronunciations))
    for rule in _rules_of(primary):
        if figures or not rule.needs_digit:
            parts.apply(rule)
    return parts.assemble(tail)


@lru_cache(maxsize=8)
def _rules_of(language: str) -> tuple[Rule, ...]:
    made = _RULES.get(language)
    return made() if made is not None else ()


def _entries(text: str, pronunciations: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """The words that the dictionary holds, longest entries first."""
    words = [match.span() for match in _WORD.finditer(text)]
    at = 0
    while at < len(words):
        for count in range(min(_LONGEST_ENTRY_WORDS, len(words) - at), 0, -1):
            start, end = words[at][0], words[at + count - 1][1]
            if end - start > 200:
                continue
            found = _entry(text, start, end, pronunciations)
            if found is not None:
                yield found
                at += count
                break
        else:
            at += 1


def _entry(text: str, start: int, end: int, pronunciations: Mapping[str, str]) -> tuple[int, int, str] | None:
    whole = text[start:end]
    bare_start = start + len(whole) - len(whole.lstrip(_EDGES))
    bare_end = end - (len(whole) - len(whole.rstrip(_EDGES)))
    for first, last in ((start, end), (bare_start, bare_end)):
        for key in (text[first:last], text[first:last].lower()):
            if key in pronunciations:
                return first, last, pronunciations[key]
    for possessive in ("'s", "’s"):
        bare = text[bare_start:bare_end]
        if bare.endswith(possessive) and bare[:-2] in pronunciations:
            return bare_start, bare_end - 2, pronunciations[bare[:-2]]
    return None


class _Parts:
    """A written text and what has been taken out of it so far."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._taken = bytearray(len(text))
        self._said: list[tuple[int, int, str]] = []

    def apply(self, rule: Rule) -> None:
        for match in rule.pattern.finditer(self._text):
            start, end = match.span(rule.group)
            if start == end or self._taken.find(1, start, end) >= 0:
                continue
            said = rule.say(match)
            if said is not None:
                self._take(start, end, said)

    def replace(self, found: Iterator[tuple[int, int, str]]) -> None:
        for start, end, said in found:
            if self._taken.find(1, start, end) < 0:
                self._take(start, end, said)

    def _take(self, start: int, end: int, said: str) -> None:
        self._taken[start:end] = b"\1" * (end - start)
        self._said.append((start, end, said))

    def assemble(self, tail: str = "") -> SpokenText:
        """``tail`` follows as it is."""
        text = self._text = self._text + tail
        spans = [match.span() for match in _WORD.finditer(text)]
        starts = [start for start, _ in spans]
        written = tuple(text[start:end] for start, end in spans)
        if not self._said:
            return SpokenText(text, written, tuple(range(len(written))))
        words: list[str] = []
        origins: list[int] = []
        glue = False  # whether the next piece goes on with the word before
        for at, end, piece in self._pieces():
            # What is said in other words may be several written ones, "2 kg" or a telephone number: each gets its share of the words.
            found = list(_WORD.finditer(piece))
            for index, match in enumerate(found):
                place = (
                    at + match.start()
                    if end - at == len(piece)
                    else at + (end - at) * (2 * index + 1) // (2 * len(found))
                )
                origin = max(bisect_right(starts, place) - 1, 0)
                joined = glue and match.start() == 0
                if words and (joined or _LONE_MARK.fullmatch(match.group())):
                    # A mark follows what it closes; after another mark it says nothing new.
                    if not (words[-1][-1:] in _STOPS and _LONE_MARK.fullmatch(match.group())):
                        words[-1] += match.group()
                elif not _LONE_MARK.fullmatch(match.group()):
                    words.append(match.group())
                    origins.append(max(origin, origins[-1] if origins else 0))
            if piece:
                glue = not piece[-1].isspace()
        return SpokenText(" ".join(words), written, tuple(origins))

    def _pieces(self) -> Iterator[tuple[int, int, str]]:
        """From where to where it is written, and what is said."""
        at = 0
        for start, end, said in sorted(self._said):
            if at < start:
                yield at, start, self._text[at:start]
            yield start, end, said
            at = end
        if at < len(self._text):
            yield at, len(self._text), self._text[at:]
