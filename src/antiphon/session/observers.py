"""Who watches a call: metrics, timelines, webhooks. Observers see everything and change nothing, not even by failing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.losses import Losses
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

log = structlog.get_logger(__name__)


class SessionObserver(Protocol):
    """Called on the event loop, synchronously; must be quick. One that raises is told nothing more of this call but its end."""

    def call_started(self, call: CallStarted, now_ms: int) -> None: ...

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """One input (None: a timer) and what it led to."""
        ...

    def used(self, call_id: str, provider: str, usage: Usage) -> None: ...

    def provider_failed(self, call_id: str, provider: str, code: str) -> None: ...

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None: ...


class CallObservers:
    """All who watch one call, and the surface that the call belongs to.

    An observer that raises is dropped: the failure is logged and counted, the other observers are told, and the call goes on. It is still
    told of the end, so that it can release what it holds for this call.

    The surface (the protocol of an API client) takes part in the call: a client that is no longer told what happens cannot use it. So
    what the surface raises is not caught here, and ends the call as any fault of the session's own does. It is told after the observers.
    """

    def __init__(
        self,
        call: CallStarted,
        observers: Sequence[SessionObserver],
        surface: SessionObserver | None = None,
        losses: Losses | None = None,
    ) -> None:
        self._call = call
        self._all = observers
        self._observers = observers
        self._surface = surface
        self._losses = losses

    def call_started(self, now_ms: int) -> None:
        self._tell(self._observers, lambda observer: observer.call_started(self._call, now_ms))
        if self._surface is not None:
            self._surface.call_started(self._call, now_ms)

    def happened(self, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        call_id = self._call.call_id
        for observer in self._observers:  # for every input of every call: without the closure of ``_tell``
            try:
                observer.happened(call_id, now_ms, event, actions)
            except Exception as fault:
                self._drop(observer, fault)
        if self._surface is not None:
            self._surface.happened(call_id, now_ms, event, actions)

    def used(self, provider: str, usage: Usage) -> None:
        call_id = self._call.call_id
        for observer in self._observers:  # for every piece that is spoken
            try:
                observer.used(call_id, provider, usage)
            except Exception as fault:
                self._drop(observer, fault)
        if self._surface is not None:
            self._surface.used(call_id, provider, usage)

    def provider_failed(self, provider: str, code: str) -> None:
        self._tell(self._observers, lambda observer: observer.provider_failed(self._call.call_id, provider, code))
        if self._surface is not None:
            self._surface.provider_failed(self._call.call_id, provider, code)

    def call_ended(self, now_ms: int, reason: EndReason) -> None:
        self._tell(self._all, lambda observer: observer.call_ended(self._call.call_id, now_ms, reason))
        if self._surface is not None:
            self._surface.call_ended(self._call.call_id, now_ms, reason)

    def _tell(self, observers: Sequence[SessionObserver], tell: Callable[[SessionObserver], None]) -> None:
        for observer in observers:
            try:
                tell(observer)
            except Exception as fault:
                self._drop(observer, fault)

    def _drop(self, failed: SessionObserver, fault: Exception) -> None:
        self._observers = [observer for observer in self._observers if observer is not failed]
        name = type(failed).__name__
        log.error("observer_dropped", call_id=self._call.call_id, observer=name, exc_info=fault)
        if self._losses is not None:
            self._losses.count("observers_dropped", observer=name)
