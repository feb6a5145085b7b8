"""A model's tokens on their way to the conversation, a few at a time.

A model streams fifty to two hundred tokens a second, and everything the conversation does for an input it would do for each of them. But a
voice can speak nothing before a clause is whole, so a token in the middle of one waits for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from antiphon.conversation.sentences import may_end_piece, what_follows_decides

_LONGEST_WAIT_S = 0.06
"""No text waits longer for company: a client that shows the words as they come sees them flow."""
_PAUSE_S = 0.15
"""Nothing has come for so long after what may be the end of a sentence: it is one. A model on a slow machine writes eight tokens a
second."""


class TextGathering:
    """One reply's text, for the length of a ``with``. At its end what waits is told, also where the stream has failed; not where it was
    cancelled: then nobody wants it."""

    def __init__(self, tell: Callable[[str], object], on_pause: Callable[[], object]) -> None:
        """``on_pause`` is told that nothing has followed what may be the end of a sentence."""
        self._tell = tell
        self._on_pause = on_pause
        self._undecided_since_s: float | None = None
        """Since when nothing has followed what may be the end of a sentence; None where that is not so."""
        self._waiting: list[str] = []
        # The first token at once: how soon it comes is what is measured of a model.
        self._at_once = True
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if error is None or isinstance(error, Exception):
            self.flush()

    def take(self, text: str) -> None:
        """More text."""
        if not text:
            return
        self._waiting.append(text)
        self._undecided_since_s = None
        loop = asyncio.get_running_loop()
        if self._at_once or may_end_piece(text):
            self.flush()
            self._at_once = what_follows_decides(text)
            if not self._at_once:
                return
            self._undecided_since_s = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(_PAUSE_S if self._at_once else _LONGEST_WAIT_S, self._on_timer)

    def flush(self) -> None:
        """Tell what waits: something else than text has come."""
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._tell(text)

    def _on_timer(self) -> None:
        # Left running when text is told early: one timer a stretch costs less than one a token.
        self._timer = None
        since_s = self._undecided_since_s
        if since_s is None:
            self.flush()
            return
        loop = asyncio.get_running_loop()
        rest_s = since_s + _PAUSE_S - loop.time()
        if rest_s > 0.001:
            self._timer = loop.call_later(rest_s, self._on_timer)
        else:
            self._undecided_since_s = None
            self._on_pause()
