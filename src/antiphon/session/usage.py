"""What one call used of its engines: written into its event log, and told to those who watch."""

from __future__ import annotations

from antiphon.clock import Clock
from antiphon.session.event_log import EventLogWriter
from antiphon.session.observers import CallObservers
from antiphon.vocabulary import Usage


class CallUsage:
    """Knows log and observers, not the session: the call's parts, which tell it, would know the session in a circle."""

    def __init__(self, clock: Clock, watched: CallObservers) -> None:
        self._clock = clock
        self._watched = watched
        self.event_log: EventLogWriter | None = None

    def note(self, provider: str, usage: Usage) -> None:
        if self.event_log is not None:
            self.event_log.note_usage(self._clock.now_ms(), provider, usage)
        self._watched.used(provider, usage)
