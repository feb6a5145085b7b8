"""A ``CallAcceptor`` for carriers and sockets whose calls may have been planned: what was planned and cannot live is written down."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.calls.planner import CallPlanner
from antiphon.session.manager import SessionManager
from antiphon.transports.base import CallSink, CallStarted, CallTransport


class PlannedAcceptor:
    """One per process."""

    def __init__(self, manager: SessionManager, planner: CallPlanner, why: Callable[[Exception], str]) -> None:
        """``why`` is the ended reason of a call that failed so, in the API's words."""
        self._manager = manager
        self._planner = planner
        self._why = why
        self.admit = manager.admit
        self.require_room = manager.require_room

    def accept(self, started: CallStarted, transport: CallTransport) -> CallSink:
        """As ``SessionManager.accept``."""
        try:
            return self._manager.accept(started, transport)
        except Exception as error:
            self._planner.failed(started.call_id, self._why(error))
            raise
