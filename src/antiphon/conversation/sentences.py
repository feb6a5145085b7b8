"""Token stream → pieces a voice can speak: the first clause at once, whole sentences after it.

A sentence is let go when its end is sure, which the character after its full stop decides ("www." may go on with "example.com"), or that
nothing follows for a moment. Pieces are cut where white space stands, after an ideographic full stop, at a ``<flush />`` [Vapi], or inside
a word that is longer than a piece may be; so the pieces put together again are the text. All of it takes linear time: a model may print
anything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from antiphon.conversation.policy import Speaking

_FLUSH = re.compile(r"<flush ?/?>")
_HALF_A_FLUSH = re.compile(r"<(f|fl|flu|flus|flush|flush ?/?)?")
_SURE_ENDS = "。！？｡।॥؟۔\n"
"""They end a sentence whatever follows."""
_SENTENCE_ENDS = ".!?…" + _SURE_ENDS
_CLAUSE_ENDS = ",;:—–、，"
_ENDS = re.compile(f"[{_SENTENCE_ENDS}]")
_MARKS = re.compile(f"[{_SENTENCE_ENDS}{_CLAUSE_ENDS}]")
_MAY_END = re.compile(f"[{_SENTENCE_ENDS}{_CLAUSE_ENDS}<>]")
_CLOSERS = "\"'”’»)]"
_OPENERS = "(\"'“‘«["
_ABBREVIATION_WORDS = """
    mr mrs ms mx dr prof sr jr st ste mt ft rd ave blvd gen col sgt capt cpt cmdr lt maj rev hon gov sen rep pres supt vs etc inc ltd
    corp co bros approx dept est ext tel ph.d m.d b.a m.a b.sc m.sc a.m p.m e.g i.e u.s u.k u.n e.u a.d b.c www cf resp incl
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_WORDS.split())
"""Words whose full stop ends no sentence, or hardly ever. A sentence that does end with one is only joined to the next."""
_NUMBERED_WORDS = (
    "no nos jan feb mar apr jun jul aug sep sept oct nov dec fig figs p pp vol ch sec art eq op apt rm max min ca"
)
_ABBREVIATIONS_BEFORE_NUMBERS = frozenset(_NUMBERED_WORDS.split())
_LONGEST_ABBREVIATION = 8


class Piece(NamedTuple):
    """Something to be spoken in one go."""

    text: str
    spaced: bool = True
    """Whether white space stood before it; false where a word was cut, at a flush, and after an ideographic full stop."""


def may_end_piece(text: str) -> bool:
    """Whether something in the text may let go a piece: that of a stream in which this is so nowhere need not be fed at once."""
    return _MAY_END.search(text) is not None


def what_follows_decides(text: str) -> bool:
    """Whether a piece may end at the end of the text, or not, by what comes next: "3." may be half a number."""
    after_words = text[len(text.rstrip(_SENTENCE_ENDS + _CLOSERS + " \t")) :]
    return (
        _ENDS.search(after_words) is not None
        or text.endswith(tuple(_CLAUSE_ENDS))
        or text.rfind("<") > text.rfind(">")  # perhaps a ``<flush />`` that is not whole yet
    )


def without_flushes(text: str) -> str:
    """The text as a reader sees it."""
    return _FLUSH.sub("", text)


class SentenceSplitter:
    """Feed it text as it comes; it returns the pieces that are ready. ``flush`` gives the rest."""

    def __init__(self, policy: Speaking) -> None:
        self._policy = policy
        self._pending = ""
        self._pieces_given = 0
        self._spaced = True
        """Whether what is pending follows white space, or nothing at all."""

    def feed(self, text: str) -> list[Piece]:
        """Take more text; return the pieces that are complete now, in order."""
        pieces: list[Piece] = []
        pending = self._pending + text
        start = 0
        for flush in _FLUSH.finditer(pending):
            # What is let go by a tag is cut to size as everything else is: a voice refuses what is longer.
            self._cut(pending, start, flush.start(), pieces, paused=True, whole=True)
            start = flush.end()
        start = self._cut(pending, start, len(pending) - _half_a_flush(pending), pieces)
        self._pending = pending[start:]
        return pieces

    def pause(self) -> list[Piece]:
        """Nothing has followed for a moment: return the sentence that seems to have ended."""
        pieces: list[Piece] = []
        end = len(self._pending) - _half_a_flush(self._pending)
        self._pending = self._pending[self._cut(self._pending, 0, end, pieces, paused=True) :]
        return pieces

    def flush(self) -> list[Piece]:
        """The stream has ended: return what is left."""
        pieces: list[Piece] = []
        self._cut(self._pending, 0, len(self._pending), pieces, paused=True, whole=True)
        self._pending = ""
        return pieces

    def _cut(
        self, text: str, start: int, end: int, pieces: list[Piece], *, paused: bool = False, whole: bool = False
    ) -> int:
        """Take the pieces out of ``text[start:end]``; ``paused`` where nothing follows now, ``whole`` to take the rest as a piece, too.
        Returns where what is left begins."""
        while (at := self._next_cut(text, start, end, paused)) is not None:
            self._take(text[start:at], pieces)
            start = at
        if whole and start < end:
            self._take(text[start:end], pieces)
            start = end
        return start

    def _take(self, text: str, pieces: list[Piece]) -> None:
        # Nothing that can be spoken is no piece: a voice given "…" says nothing, or its name.
        if any(character.isalnum() for character in text):
            pieces.append(Piece(text.strip(), self._spaced or text[0].isspace()))
            self._pieces_given += 1
            self._spaced = text[-1].isspace()
        elif text:
            self._spaced = self._spaced or text[0].isspace() or text[-1].isspace()

    def _next_cut(self, text: str, start: int, end: int, paused: bool) -> int | None:
        policy = self._policy
        first = self._pieces_given == 0
        # No piece is longer: whatever stands beyond is looked at when its turn comes.
        limit = min(end, start + policy.max_piece_chars)
        run_end = 0
        for mark in (_MARKS if first else _ENDS).finditer(text, start, limit):
            at, character = mark.start(), mark.group()
            if character in _SENTENCE_ENDS and (first or at + 1 - start >= policy.min_sentence_chars):
                if at >= run_end:  # looked for once for all marks of a run
                    run_end = _end_of_run(text, at + 1, limit)
                if _ends_sentence(text, start, at, run_end, end, paused):
                    return run_end
            elif first and character in _CLAUSE_ENDS and at + 1 - start >= policy.first_clause_chars:
                # "10,000" and "12:30" hold clause marks too: only one followed by space ends a clause.
                if at + 1 < end and (text[at + 1].isspace() or character in "、，"):
                    return at + 1
        return _space_before(text, start, limit) if end - start > policy.max_piece_chars else None


def _half_a_flush(text: str) -> int:
    """How many characters at the end may be the beginning of a ``<flush />``."""
    at = text.rfind("<")
    return len(text) - at if at >= 0 and _HALF_A_FLUSH.fullmatch(text, at) else 0


def _ends_sentence(text: str, start: int, at: int, after: int, end: int, paused: bool) -> bool:
    """Whether the mark at ``at`` surely ends a sentence; ``after`` is behind the marks and quotes that follow it."""
    if text[at] in _SURE_ENDS:
        return True
    if after < end and not text[after].isspace():
        return False
    if after >= end and (not paused or (text[at] == "." and text[at - 1 : at].isdigit())):
        return False
    if after + 2 > end and not paused and text.count('"', start, at) % 2:
        return False  # an open quote may close behind the blank
    return text[at] != "." or _ends_with_full_stop(text, start, at, after, paused)


def _ends_with_full_stop(text: str, start: int, at: int, after: int, paused: bool) -> bool:
    """A full stop with white space or nothing behind it ends a sentence, but not after an abbreviation, an initial, or a list's number."""
    word = _word_before(text, start, at)
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return False
    if word.isdigit() and len(word) <= 3 and not text[start : at - len(word)].strip():
        return False
    if word in _ABBREVIATIONS_BEFORE_NUMBERS:
        following = text[after : after + 4].lstrip()
        return not following[0].isdigit() if following else paused
    return True


def _word_before(text: str, start: int, at: int) -> str:
    """The word that ends at ``at``, in lower case and without what opens it; empty where it is too long for an abbreviation."""
    earliest = max(start, at - _LONGEST_ABBREVIATION - 2)
    word = text[earliest:at].split()[-1:] if at > earliest and not text[at - 1].isspace() else []
    return word[0].lstrip(_OPENERS).lower() if word else ""


def _end_of_run(text: str, at: int, end: int) -> int:
    """Where the marks and closing quotes from ``at`` on are over; a quote that stands alone after a blank closes, too."""
    while at < end and text[at] in _SENTENCE_ENDS + _CLOSERS:
        at += 1
    if at + 1 < end and text[at] == " " and text[at + 1] in '"”»' and text[at + 2 : at + 3].strip() == "":
        at += 2
    return at


def _space_before(text: str, start: int, limit: int) -> int:
    at = text.rfind(" ", start + 1, limit)
    return at if at > 0 else limit
