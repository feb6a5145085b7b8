"""Token stream → pieces a voice can speak: the first clause at once, whole sentences after it.

A sentence is let go as soon as its end is sure; where a full stop may be part of a number or an abbreviation, one more
character decides. ``<flush />`` in the text lets go what there is [Vapi].
"""

from __future__ import annotations

import re

from antiphon.conversation.policy import Speaking

_FLUSH = re.compile(r"<flush ?/?>")
_HALF_A_FLUSH = re.compile(r"<(f|fl|flu|flus|flush|flush ?/?)?")
_SENTENCE_ENDS = ".!?…。！？\n"
_CLAUSE_ENDS = ",;:—–"
_ENDS = re.compile(f"[{_SENTENCE_ENDS}]")
_MARKS = re.compile(f"[{_SENTENCE_ENDS}{_CLAUSE_ENDS}]")
_MAY_END = re.compile(f"[{_SENTENCE_ENDS}{_CLAUSE_ENDS}<>]")
_CLOSERS = "\"'”’)]"
_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "sr",
        "jr",
        "st",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "no",
        "inc",
        "ltd",
        "co",
        "approx",
        "dept",
        "est",
        "fig",
        "a.m",
        "p.m",
    ]
)


def may_end_piece(text: str) -> bool:
    """Whether something in the text may let go a piece: that of a stream in which this is so nowhere need not be fed at once."""
    return _MAY_END.search(text) is not None


def what_follows_decides(text: str) -> bool:
    """Whether a piece may end at the end of the text, or not, by what comes next: "3." may be half a number."""
    after_words = text[len(text.rstrip(_SENTENCE_ENDS + _CLOSERS)) :]
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

    def feed(self, text: str) -> list[str]:
        """Take more text; return the pieces that are complete now, in order."""
        self._pending += text
        pieces: list[str] = []
        while True:
            flush = _FLUSH.search(self._pending)
            if flush is None:
                break
            head, self._pending = self._pending[: flush.start()], self._pending[flush.end() :]
            self._take(head, pieces)
        held_back = self._half_a_flush()
        while (cut := self._next_cut(len(self._pending) - held_back)) is not None:
            head, self._pending = self._pending[:cut], self._pending[cut:]
            self._take(head, pieces)
        return pieces

    def flush(self) -> list[str]:
        """The stream has ended: return what is left."""
        pieces: list[str] = []
        while len(self._pending) > self._policy.max_piece_chars:
            cut = self._space_before(self._policy.max_piece_chars)
            self._take(self._pending[:cut], pieces)
            self._pending = self._pending[cut:]
        self._take(self._pending, pieces)
        self._pending = ""
        return pieces

    def _take(self, text: str, pieces: list[str]) -> None:
        # Nothing that can be spoken is no piece: a voice given "…" says nothing, or its name.
        if any(character.isalnum() for character in text):
            pieces.append(text.strip())
            self._pieces_given += 1

    def _half_a_flush(self) -> int:
        """How many characters at the end may be the beginning of a ``<flush />``."""
        at = self._pending.rfind("<")
        return len(self._pending) - at if at >= 0 and _HALF_A_FLUSH.fullmatch(self._pending, at) else 0

    def _next_cut(self, end: int) -> int | None:
        text = self._pending
        first = self._pieces_given == 0
        run_end = 0
        for mark in (_MARKS if first else _ENDS).finditer(text, 0, end):
            at, character = mark.start(), mark.group()
            if character in _SENTENCE_ENDS and (at + 1 >= self._policy.min_sentence_chars or first):
                if at >= run_end:  # looked for once for all marks of a run: a model may print thousands of dots
                    run_end = _end_of_run(text, at + 1, end)
                after = self._end_of_sentence(at, run_end, end)
                if after is not None:
                    return after
            elif first and character in _CLAUSE_ENDS and at + 1 >= self._policy.first_clause_chars:
                # "10,000" and "12:30" hold clause marks too: only one followed by space ends a clause.
                if at + 1 < end and text[at + 1].isspace():
                    return at + 1
        if end > self._policy.max_piece_chars:
            return self._space_before(self._policy.max_piece_chars)
        return None

    def _end_of_sentence(self, at: int, after: int, end: int) -> int | None:
        """The cut after the sentence that may end at ``at`` (``after`` the marks and quotes that follow), or None where it does not, or not
        surely yet."""
        text = self._pending
        if text[at] == "\n":
            return after
        if after < end and not text[after].isspace() and text[at] not in "。！？":
            return None
        if text[at] == ".":
            word = text[:at].rsplit(None, 1)[-1].lower() if text[:at].strip() else ""
            if word.lstrip("(\"'“‘") in _ABBREVIATIONS or len(word) == 1:
                return None
            if after >= end and word[-1:].isdigit():
                return None
        return after

    def _space_before(self, limit: int) -> int:
        at = self._pending.rfind(" ", 1, limit)
        return at if at > 0 else limit


def _end_of_run(text: str, at: int, end: int) -> int:
    """Where the marks and closing quotes from ``at`` on are over."""
    while at < end and text[at] in _SENTENCE_ENDS + _CLOSERS:
        at += 1
    return at
