"""The live calls of this process: admission, limits, drain, and what a dead process left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from antiphon.clock import Clock
from antiphon.errors import CapacityError, ConfigurationError, MalformedMessage
from antiphon.files import reason
from antiphon.losses import Losses
from antiphon.media.plane import MediaPlane
from antiphon.session.admission import Admission, Load
from antiphon.session.event_log import end_dead_log, read_event_log, unfinished_logs
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import SessionPlan
from antiphon.session.returning import Returning
from antiphon.session.session import Session
from antiphon.transports.base import CallSink, CallStarted, CallTransport
from antiphon.vocabulary import EndReason

_TICK_S = 0.5
"""Event logs reach the operating system this often (a killed process loses less than a second), and the load is looked at."""
_CLOSE_S = 2.0
PROMISE_MS = 60_000
"""Who was let in has so long to bring the media: a carrier's token is good for a minute. A drain waits for them, too."""

log = structlog.get_logger(__name__)


class SessionManager:
    """A ``CallAcceptor``."""

    def __init__(
        self,
        plane: MediaPlane,
        clock: Clock,
        plan_for: Callable[[CallStarted], SessionPlan],
        observers: Sequence[SessionObserver],
        max_calls: int,
        admission: Admission | None = None,
        read_load: Callable[[], Load] = lambda: Load(0.0, 0.0),
        losses: Losses | None = None,
    ) -> None:
        """``plan_for`` raises ConfigurationError when there is no such assistant. ``read_load`` is asked on the event loop's thread,
        twice a second from ``start`` on."""
        self._plane = plane
        self._clock = clock
        self._plan_for = plan_for
        self._observers = observers
        self._max_calls = max_calls
        self.admission = admission or Admission()
        self._read_load = read_load
        self._losses = losses or Losses(clock.now_ms)
        self._sessions: dict[str, Session] = {}
        self._returning = Returning()
        self._draining = False
        self._over = False
        self._promised_ms: deque[int] = deque()
        """When those were let in whose media has not come yet."""
        self._empty = asyncio.Event()
        self._empty.set()
        self._news = asyncio.Event()
        """A call has come, or there is no time left."""
        self._tick_handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._tick_handle = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    # ---------------------------------------------------------------------------------- CallAcceptor

    def admit(self) -> None:
        self.require_admission()
        now_ms = self._clock.now_ms()
        self.admission.reserve(now_ms)
        self._forget_promises(now_ms)
        self._promised_ms.append(now_ms)

    def withdraw(self) -> None:
        """One that was admitted will not come: its request failed."""
        self.admission.withdraw()

    def require_admission(self) -> None:
        """Whether ``admit`` would let a call in. Raises as it does."""
        if self._draining:
            raise CapacityError("draining")
        self.require_room()
        if not self.admission.admits(len(self._sessions), self._clock.now_ms()):
            raise CapacityError("full")

    def require_room(self, calls: int = 1) -> None:
        if self._over or (self._draining and not self._promises()):
            raise CapacityError("draining")
        if self._plane.beat.failing:  # nobody would be heard
            raise CapacityError("failing")
        if len(self._sessions) + calls > self._max_calls:
            raise CapacityError("full")

    def accept(self, started: CallStarted, transport: CallTransport) -> CallSink:
        self.require_room()
        return self.open(started, self._plan_for(started), transport)

    def open(
        self, started: CallStarted, plan: SessionPlan, transport: CallTransport, *, watched: bool = True
    ) -> Session:
        """Start a session that is led by this plan. Not ``watched``: only the plan's own observers see it, as of one that plays the caller
        of another call and is itself none. Raises as ``accept``."""
        self.require_room()
        observers = (*(self._observers if watched else ()), *plan.observers)
        session = Session(started, plan, transport, self._plane, self._clock, observers, self._closed, self._losses)
        self._sessions[started.call_id] = session
        if self._promised_ms:
            self._promised_ms.popleft()
        self._empty.clear()
        self._news.set()
        session.start()
        return session

    # ---------------------------------------------------------------------------------- live calls

    @property
    def live(self) -> int:
        return len(self._sessions)

    @property
    def draining(self) -> bool:
        return self._draining

    def find(self, call_id: str) -> Session | None:
        return self._sessions.get(call_id)

    async def press_keys(self, call_id: str, keys: str) -> None:
        """As ``Session.press_keys``."""
        session = self.find(call_id)
        if session is None:
            raise ConfigurationError("keys", "there is no such call")
        await session.press_keys(keys)

    def sessions(self) -> list[Session]:
        return list(self._sessions.values())

    def _closed(self, session: Session) -> None:
        log.info("call_ended", call_id=session.call.call_id, reason=str(session.end_reason or ""))
        if self._sessions.pop(session.call.call_id, None) is not None:
            self.admission.release(self._clock.now_ms())
        if not self._sessions:
            self._empty.set()
        if self._returning.call_ended():
            asyncio.get_running_loop().call_soon(self._returning.collect)

    def _tick(self) -> None:
        for session in self._sessions.values():
            session.flush()
        if not self._sessions:
            self._returning.rest(self._clock.now_ms())
        self._losses.tell_due()
        self._look_at_load()
        self.start()

    def _look_at_load(self) -> None:
        admission, load = self.admission, self._read_load()
        if admission.observe(load, len(self._sessions)):
            log.warning(
                "overload_began" if admission.closed else "overload_ended", live=len(self._sessions),
                busy=round(admission.busy, 2), late_ms=round(load.late_ms, 1),
            )  # fmt: skip

    # ---------------------------------------------------------------------------------- ending

    def drain(self) -> None:
        """Take no new call; live ones go on."""
        self._draining = True

    async def close(self, grace_s: float) -> None:
        """Drain: wait up to ``grace_s`` for calls to end by themselves, those included that were let in and have not come yet; then end
        them. A second one, with less grace, ends the wait of the first."""
        self.drain()
        try:
            async with asyncio.timeout(grace_s):
                await self._until_nobody_is_left()
        except TimeoutError:
            log.info("drain_timeout", live=len(self._sessions))
        self._over = True
        self._news.set()
        left = self.sessions()
        for session in left:
            session.drop(EndReason.SERVER_SHUTDOWN)
        if left:
            await asyncio.gather(*(session.wait_closed(_CLOSE_S) for session in left))
        if self._tick_handle is not None:
            self._tick_handle.cancel()

    async def _until_nobody_is_left(self) -> None:
        while True:
            await self._empty.wait()
            if self._over or not self._promises():
                return
            left_ms = self._promised_ms[-1] + PROMISE_MS - self._clock.now_ms()
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(left_ms, 1) / 1000):
                    await self._news.wait()

    def _promises(self) -> int:
        """How many were let in within the last minute and have not come."""
        self._forget_promises(self._clock.now_ms())
        return len(self._promised_ms)

    def _forget_promises(self, now_ms: int) -> None:
        while self._promised_ms and self._promised_ms[0] <= now_ms - PROMISE_MS:
            self._promised_ms.popleft()


def close_dead_calls(folder: Path, losses: Losses) -> list[tuple[str, str]]:
    """Find logs of calls whose process died, write down that they ended and why. Returns ``(call_id, carrier's call id)`` of each. A file
    that cannot be read or ended is told by its name and counted, and stops nothing."""
    dead: list[tuple[str, str]] = []

    def unreadable(path: Path, problem: str) -> None:
        losses.count("dead_calls_unreadable")
        log.warning("dead_call_unreadable", file=path.name, problem=problem)

    try:
        unfinished = list(unfinished_logs(folder, lambda path, error: unreadable(path, reason(error))))
    except OSError as error:
        unreadable(folder, reason(error))
        return dead
    for path in unfinished:
        try:
            event_log = read_event_log(path)
            if not end_dead_log(path, torn=event_log.torn, reason=EndReason.SERVER_DIED):
                continue  # another process is at it
        except OSError as error:
            unreadable(path, reason(error))
            continue
        except (MalformedMessage, MemoryError) as error:
            unreadable(path, str(error) or type(error).__name__)
            continue
        last_ms = event_log.entries[-1].now_ms if event_log.entries else event_log.header.started_ms
        log.warning(
            "dead_call_closed", call_id=event_log.header.call_id, reason=str(EndReason.SERVER_DIED),
            lasted_ms=last_ms - event_log.header.started_ms,
        )  # fmt: skip
        dead.append((event_log.header.call_id, event_log.header.carrier.get("provider_call_id", "")))
    return dead
