"""What is to be noted of one call's engines, what they used and where they failed: in its event log, and by those who watch."""

from __future__ import annotations

from antiphon.clock import Clock
from antiphon.session.event_log import EventLogWriter
from antiphon.session.observers import CallObservers
from antiphon.vocabulary import Usage


class EngineNotes:
    """Knows log and observers, not the session: the call's parts, which tell it, would know the session in a circle."""

    def __init__(self, clock: Clock, watched: CallObservers) -> None:
        self._clock = clock
        self._watched = watched
        self.event_log: EventLogWriter | None = None

    def used(self, provider: str, usage: Usage) -> None:
        if self.event_log is not None:
            self.event_log.note_usage(self._clock.now_ms(), provider, usage)
        self._watched.used(provider, usage)

    def failed(self, provider: str, code: str) -> None:
        """``code``: one of few, for it is a label of the metrics."""
        if self.event_log is not None:
            self.event_log.note_failure(self._clock.now_ms(), provider, code)
        self._watched.provider_failed(provider, code)
