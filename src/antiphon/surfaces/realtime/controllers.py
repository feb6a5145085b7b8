"""Who drives a session: its own connection, and any number of others that joined it. All of them are told everything."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog

from antiphon.clock import Clock
from antiphon.ids import new_id
from antiphon.surfaces.realtime.protocol.order import OrderChecker
from antiphon.surfaces.realtime.protocol.server_events import Event

MAX_CONTROLLERS = 16
_BURST_EVENTS = 2000
"""A client that comes back after a lost connection tells a long conversation at once."""
_EVENTS_A_SECOND = 100
_BURST_BYTES = 32 * 1024 * 1024
_BYTES_A_SECOND = 256 * 1024
"""What is created and deleted again is kept by the event log alone: this bounds how fast a client may fill a disk."""
_MOST_WAITING = 1000
"""Events kept until the session's own connection is there."""
log = structlog.get_logger(__name__)


class Controller(Protocol):
    """One connection that drives a session: a WebSocket, a data channel, a sideband."""

    def send(self, event: bytes) -> None:
        """One server event as JSON. Never blocks; a connection that does not keep up is closed by whoever owns it."""
        ...

    def hold(self, held: bool) -> None:
        """Take no more of its events until this is said again with False. Where it cannot, its events wait, and too many end it."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the connection; ``code`` is WebSocket's. Safe to call twice."""
        ...


@dataclass(slots=True)
class _Attached:
    """``credit`` is how many events it may send now, ``credit_bytes`` how long they may be together (audio does not count).
    ``key_id`` is the private key whose right it has; empty where there is none behind it."""

    order: OrderChecker | None
    key_id: str
    credit_at_ms: int
    credit: float = _BURST_EVENTS
    credit_bytes: float = _BURST_BYTES


class Controllers:
    """Of one session. The first one with ``primary`` is the session's own."""

    def __init__(self, session_id: str, clock: Clock, *, checks_order: bool) -> None:
        self._session_id = session_id
        self._clock = clock
        self._checks_order = checks_order
        self._attached: dict[Controller, _Attached] = {}
        self._waiting: list[bytes] | None = []
        """None once the session's own connection has been there."""
        self.primary: Controller | None = None

    def __len__(self) -> int:
        return len(self._attached)

    def attach(self, controller: Controller, greeting: Event, *, primary: bool, key_id: str = "") -> bool:
        """``greeting`` is told to it alone, and to the session's own connection what has happened before it came. False where there are
        too many."""
        if len(self._attached) >= MAX_CONTROLLERS:
            return False
        checker = OrderChecker(midway=not primary) if self._checks_order else None
        self._attached[controller] = _Attached(checker, key_id, self._clock.now_ms())
        self.tell(controller, greeting)
        if primary:
            self.primary = controller
            waiting, self._waiting = self._waiting or [], None
            for event in waiting:
                self._check(controller, event)
                controller.send(event)
        return True

    def detach(self, controller: Controller) -> None:
        """It is gone. Safe to call twice."""
        self._attached.pop(controller, None)

    def may_send(self, controller: Controller, size_bytes: int = 0) -> bool:
        """Whether one more event (not audio) of it is to be obeyed."""
        attached = self._attached.get(controller)
        if attached is None:
            return False
        now_ms = self._clock.now_ms()
        passed_s = (now_ms - attached.credit_at_ms) / 1000
        attached.credit = min(_BURST_EVENTS, attached.credit + passed_s * _EVENTS_A_SECOND) - 1
        attached.credit_bytes = min(_BURST_BYTES, attached.credit_bytes + passed_s * _BYTES_A_SECOND) - size_bytes
        attached.credit_at_ms = now_ms
        return attached.credit >= 0 and attached.credit_bytes >= 0

    def refuse(self, controller: Controller, error: Event, code: int, reason: str) -> None:
        """It is told why, and closed."""
        self.tell(controller, error)
        controller.close(code, reason)

    def revoke_all_but(self, keys: Collection[str], error: Event) -> None:
        """Those go whose private key is none of these any more."""
        for controller, attached in tuple(self._attached.items()):
            if attached.key_id and attached.key_id not in keys:
                self.refuse(controller, error, 1008, "key revoked")
                self.detach(controller)

    def send(self, event: Event) -> None:
        """To all of them."""
        payload = _dump(event)
        if self._waiting is not None and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(payload)
        for controller in tuple(self._attached):
            self._check(controller, payload)
            controller.send(payload)

    def tell(self, controller: Controller, event: Event) -> None:
        """To one of them."""
        if controller in self._attached:
            payload = _dump(event)
            self._check(controller, payload)
            controller.send(payload)

    def close(self, code: int, reason: str) -> None:
        """All of them."""
        attached, self._attached = self._attached, {}
        for controller in attached:
            controller.close(code, reason)

    def _check(self, controller: Controller, payload: bytes) -> None:
        attached = self._attached.get(controller)
        if attached is None or attached.order is None:
            return
        violation = attached.order.see(orjson.loads(payload))
        if violation is not None:
            log.error(
                "realtime_order_broken",
                session_id=self._session_id,
                rule=violation.rule,
                event_type=violation.event_type,
            )


def _dump(event: Event) -> bytes:
    return orjson.dumps({"event_id": new_id("event"), **event})
