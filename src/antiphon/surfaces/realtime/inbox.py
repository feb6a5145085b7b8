"""What clients send, worked off in the order in which it came, a little in each turn of the event loop.

The loop carries every call of the process. Nobody's messages may keep it for longer than a few milliseconds at a time, nor for more than
a part of all time, however many come at once and however long they are: what does not fit into this turn waits for a later one, behind
the others who wait. Nearly always all of it fits, and a message is obeyed in the moment it arrives.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from antiphon.surfaces.realtime.audio_buffers import AppendedAudio
from antiphon.surfaces.realtime.commands import Commands
from antiphon.surfaces.realtime.controllers import Controller, Controllers
from antiphon.surfaces.realtime.protocol import client_events as asked
from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol.beta import parse_beta
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.long_events import read_long
from antiphon.surfaces.realtime.protocol.message_bounds import MAX_MESSAGE_BYTES

A_TURN = 32.0
"""Units of work in one turn of the loop, of all sessions together: eight milliseconds, where each takes as long as the dearest."""
EVENT_UNITS = 1.0
"""Of an event that is not audio, and as much for each 8 KiB of it: a quarter of a millisecond."""
AUDIO_UNITS = 1 / 16
"""Of an append, and a unit for each 250 ms of it: converted from G.711, a second takes one millisecond."""
_BYTES_A_UNIT = 8 * 1024
_AUDIO_MS_A_UNIT = 250
_LOW = A_TURN / 2
BACKLOG_SHARE = 0.2
"""Of all time, for what waits: telephone calls must be carried, and let in, whatever clients send."""
BACKLOG_TURN_S = 0.004
"""Of what waits nothing more is begun in a turn after so long: a beat is no later for it."""
_HOLD_MESSAGES, _HOLD_BYTES = 512, 1024 * 1024
"""With so much waiting the client is not listened to until half of it is worked off."""
_MOST_MESSAGES, _MOST_BYTES = 16_384, 48 * 1024 * 1024
"""Where it cannot be held up: what one read of a socket may bring, which is a quarter of a MiB, or two of the longest messages."""
log = structlog.get_logger(__name__)

Work = Iterator[float]
"""Something done in steps; gives what each has cost, in units."""


class LoopShare:
    """How much of a turn of the event loop is left. One per process."""

    __slots__ = ("_fresh", "_measure_s", "_resting", "_scheduled", "_waiting", "left")

    def __init__(self, measure_s: Callable[[], float] = time.perf_counter) -> None:
        """``measure_s`` tells how long something took."""
        self.left = A_TURN
        """Units of this turn. Something may be begun while there is any."""
        self._measure_s = measure_s
        self._fresh: deque[Inbox] = deque()
        """Those that have just begun to wait: their first step is not kept waiting by others' floods."""
        self._waiting: deque[Inbox] = deque()
        self._scheduled = False
        self._resting = False
        """What waits has had its share of the time so far."""

    def spend(self, units: float) -> None:
        self.left -= units
        # Audio comes fifty times a second from each of hundreds: a turn of the loop for each would cost more than the audio does.
        if (units >= EVENT_UNITS or self.left < _LOW) and not self._scheduled:
            self._schedule()

    def wait(self, inbox: Inbox) -> None:
        """Something of it is worked off in one turn after the other, until its ``step`` says no more."""
        self._fresh.append(inbox)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.left = A_TURN
        began_s = self._measure_s()
        while self._fresh and self.left > 0:
            inbox = self._fresh.popleft()
            if inbox.step():
                self._waiting.append(inbox)
        if self._fresh and not self._scheduled:
            self._schedule()
        if not self._waiting or self._resting:
            return
        took_s = 0.0
        while self._waiting and self.left > 0 and took_s < BACKLOG_TURN_S:
            inbox = self._waiting.popleft()
            if inbox.step():
                self._waiting.append(inbox)
            took_s = self._measure_s() - began_s
        if self._waiting:
            self._resting = True
            asyncio.get_running_loop().call_later(took_s * (1 / BACKLOG_SHARE - 1), self._rested)

    def _rested(self) -> None:
        self._resting = False
        if self._waiting and not self._scheduled:
            self._schedule()


class InboxOwner(Protocol):
    """The session whose clients' messages these are."""

    id: str
    ended: bool
    strict: bool
    appended: AppendedAudio
    controllers: Controllers
    commands: Commands

    def complain(self, controller: Controller, error: ClientError, event_id: str | None) -> None:
        """Tell a client what was wrong with its event."""
        ...


class Inbox:
    """Of one session: everything that its clients send, but not what they say on a media track."""

    def __init__(self, session: InboxOwner, share: LoopShare) -> None:
        self._session = session
        self._share = share
        self._queue: deque[tuple[Controller, bytes, bool]] = deque()
        self._queued_bytes = 0
        self._held: set[Controller] = set()
        self._work: Work | None = None
        """Of the message that was begun last."""
        self._work_bytes = 0
        self._asker: tuple[Controller, str | None] | None = None
        """Who sent that, and how they called it."""
        self._waits = False
        self.received = 0
        """Messages so far."""

    def put(self, session: InboxOwner, controller: Controller, payload: bytes, beta: bool) -> None:
        """One message, perhaps in the older dialect. What is wrong with it is told to that client alone. Fifty a second."""
        self.received += 1
        if self._waits or self._share.left <= 0:
            self._keep(controller, payload, beta)
        else:
            self._begin(session, controller, payload, beta)
            if self._work is not None:
                self._wait()

    def step(self) -> bool:
        """One step of what waits. Whether there is more."""
        if self._work is not None:
            self._advance()
        elif self._queue:
            controller, payload, beta = self._queue.popleft()
            self._queued_bytes -= len(payload)
            self._begin(self._session, controller, payload, beta)
        if self._held and self._queued_bytes <= _HOLD_BYTES // 2 and len(self._queue) <= _HOLD_MESSAGES // 2:
            self._let_go()
        self._waits = self._work is not None or bool(self._queue)
        return self._waits

    def close(self) -> None:
        """Nothing is obeyed any more."""
        self._queue.clear()
        self._queued_bytes = 0
        self._work = self._asker = None
        self._let_go()

    def _keep(self, controller: Controller, payload: bytes, beta: bool) -> None:
        self._queue.append((controller, payload, beta))
        self._queued_bytes += len(payload)
        if self._queued_bytes > _MOST_BYTES or len(self._queue) > _MOST_MESSAGES:
            self._queue.clear()
            self._queued_bytes = 0
            self._cut_off(controller)
        elif self._queued_bytes > _HOLD_BYTES or len(self._queue) > _HOLD_MESSAGES:
            if controller not in self._held:
                self._held.add(controller)
                controller.hold(True)
        self._wait()

    def _wait(self) -> None:
        if not self._waits:
            self._waits = True
            self._share.wait(self)

    def _let_go(self) -> None:
        held, self._held = self._held, set()
        for controller in held:
            controller.hold(False)

    def _cut_off(self, controller: Controller) -> None:
        log.warning("realtime_client_floods", session_id=self._session.id)
        self._session.controllers.refuse(controller, errors.too_many_events().to_event(), 1008, "too many events")

    # ---------------------------------------------------------------------------------- obeying

    def _begin(self, session: InboxOwner, controller: Controller, payload: bytes, beta: bool) -> None:
        size = len(payload)
        event: asked.ClientEvent | None = None
        units = EVENT_UNITS + size / _BYTES_A_UNIT
        try:
            if size > MAX_MESSAGE_BYTES:
                units = 0.0  # nothing is done yet
                self._asker = (controller, None)
                self._work = self._read_long(controller, payload, beta)
                self._work_bytes = size
            else:
                event = parse_beta(payload) if beta else asked.parse(payload, strict=session.strict)
                if type(event) is asked.AudioAppend:
                    units = AUDIO_UNITS + len(event.audio) * session.appended.ms_per_byte / _AUDIO_MS_A_UNIT
                    work = session.commands.append(event)
                    if work is not None:
                        self._work = work
                        self._asker, self._work_bytes = (controller, event.event_id), size
                elif session.controllers.may_send(controller, size):
                    work = session.commands.carry_out(event, controller)
                    if work is not None:
                        self._work = work
                        self._asker, self._work_bytes = (controller, event.event_id), size
                else:
                    self._cut_off(controller)
        except Exception as error:
            self._failed(error, controller, event.event_id if event is not None else None)
            if event is None or type(event) is asked.AudioAppend:
                self._count_failure(controller, size)
        self._share.spend(units)

    def _read_long(self, controller: Controller, payload: bytes, beta: bool) -> Work:
        """A message of megabytes. Its audio is not counted as an event, and an item with audio as one."""
        session = self._session
        long = read_long(payload, strict=session.strict, beta=beta)
        self._asker = (controller, long.event.event_id)
        yield EVENT_UNITS + len(payload) / (1024 * 1024)  # four milliseconds for 20 MiB
        for decoded in long.decode():
            yield decoded / (32 * 1024)
        event = long.event
        if isinstance(event, asked.AudioAppend):
            yield from session.commands.append(event) or ()
        elif session.controllers.may_send(controller):
            yield from session.commands.carry_out(event, controller) or ()
            yield EVENT_UNITS
        else:
            self._cut_off(controller)

    def _advance(self) -> None:
        work, asker = self._work, self._asker
        assert work is not None and asker is not None, "it was begun for somebody"
        try:
            self._share.spend(next(work))
        except StopIteration:
            self._work = None
        except Exception as error:
            self._work = None
            self._failed(error, *(self._asker or asker))
            self._count_failure(asker[0], self._work_bytes)
            self._share.spend(EVENT_UNITS)

    def _count_failure(self, controller: Controller, size: int) -> None:
        """Audio is not counted, unless there was something wrong with it."""
        if not self._session.ended and not self._session.controllers.may_send(controller, size):
            self._cut_off(controller)

    def _failed(self, error: Exception, controller: Controller, event_id: str | None) -> None:
        session = self._session
        if isinstance(error, ClientError):
            session.complain(controller, error, event_id)
        else:
            log.exception("realtime_event_failed", session_id=session.id, error_type=type(error).__name__)
            session.complain(controller, errors.server_failed(), event_id)
