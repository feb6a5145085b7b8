"""What is to be noted of one call's engines, what they used and where they failed: in its event log, and by those who watch."""

from __future__ import annotations

from antiphon.clock import Clock
from antiphon.session.call_log import CallLog
from antiphon.session.observers import CallObservers
from antiphon.vocabulary import Usage


class EngineNotes:
    """Knows log and observers, not the session: the call's parts, which tell it, would know the session in a circle."""

    def __init__(self, clock: Clock, watched: CallObservers, event_log: CallLog) -> None:
        self._clock = clock
        self._watched = watched
        self._event_log = event_log

    def used(self, provider: str, usage: Usage) -> None:
        self._event_log.note_usage(self._clock.now_ms(), provider, usage)
        self._watched.used(provider, usage)

    def failed(self, provider: str, code: str) -> None:
        """``code``: one of few, for it is a label of the metrics."""
        self._event_log.note_failure(self._clock.now_ms(), provider, code)
        self._watched.provider_failed(provider, code)
