"""Whether a call is recorded, where that is for whoever leads it to say: a recording is silent while an assistant leads that wants none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.calls.planned import PlannedCall
from antiphon.conversation.actions import Action, ChangeAssistant
from antiphon.conversation.events import Event
from antiphon.errors import ConfigurationError
from antiphon.session.session import Session
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage


class RecordedLeads:
    """A ``SessionObserver`` of one call. Stands after whoever notes who leads (``CallRecorder``)."""

    def __init__(self, planned: PlannedCall, find: Callable[[str], Session | None]) -> None:
        """``find``: a live call of this process."""
        self._planned = planned
        self._find = find
        self._looked = False
        self._paused = False
        """By us: what somebody else has paused, he resumes."""

    def call_started(self, call: CallStarted, now_ms: int) -> None: ...

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        if self._looked and not any(isinstance(action, ChangeAssistant) for action in actions):
            return
        session = self._find(call_id)
        if session is None:
            return
        self._looked = True
        records = self._planned.assistant.spec.records
        try:
            if not records:
                self._paused = session.pause_recording(True) or self._paused
            elif self._paused:
                session.pause_recording(False)
                self._paused = False
        except ConfigurationError:
            pass  # nothing of this call is recorded

    def used(self, call_id: str, provider: str, usage: Usage) -> None: ...

    def provider_failed(self, call_id: str, provider: str, code: str) -> None: ...

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None: ...
