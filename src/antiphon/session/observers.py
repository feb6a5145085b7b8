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


class CallObservers:
    """All who watch one call."""

    def __init__(self, call: CallStarted, observers: Sequence[SessionObserver]) -> None:
        self._call = call
        self._observers = observers

    def call_started(self, now_ms: int) -> None:
        for observer in self._observers:
            observer.call_started(self._call, now_ms)

    def happened(self, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        for observer in self._observers:
            observer.happened(self._call.call_id, now_ms, event, actions)

    def used(self, provider: str, usage: Usage) -> None:
        for observer in self._observers:
            observer.used(self._call.call_id, provider, usage)

    def spoke(self, provider: str, characters: int) -> None:
        self.used(provider, Usage(characters=characters))

    def provider_failed(self, provider: str, code: str) -> None:
        for observer in self._observers:
            observer.provider_failed(self._call.call_id, provider, code)

    def call_ended(self, now_ms: int, reason: EndReason) -> None:
        for observer in self._observers:
            observer.call_ended(self._call.call_id, now_ms, reason)
