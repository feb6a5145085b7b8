"""Who may watch a call: metrics, timelines, webhooks, surfaces. They see everything and change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage


class SessionObserver(Protocol):
    """Called on the event loop, synchronously; must be quick and must not raise."""

    def call_started(self, call: CallStarted, now_ms: int) -> None: ...

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """One input (None: a timer) and what it led to."""
        ...

    def used(self, call_id: str, provider: str, usage: Usage) -> None: ...

    def provider_failed(self, call_id: str, provider: str, code: str) -> None: ...

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None: ...
