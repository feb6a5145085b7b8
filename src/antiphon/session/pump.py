"""The only code that touches a conversation.

The loop to know: take one input, feed the machine, append to the event log, carry out every action without awaiting, and only
then take the next input. Inputs that arise while actions are carried out wait in the inbox. There is no task and no queue hop: a
fact found in the media beat has its ``clear`` on the wire before that beat is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from antiphon.clock import Clock
from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.conversation.machine import Conversation

Observe = Callable[[int, Event | None, Sequence[Action]], None]


class Pump:
    """Feeds one conversation. Everything happens on the event loop's thread."""

    def __init__(
        self,
        conversation: Conversation,
        clock: Clock,
        execute: Callable[[Action], None],
        observe: Observe,
        on_fault: Callable[[Exception], None],
    ) -> None:
        """``observe(now_ms, event, actions)`` sees every input (None for a timer) before its actions are carried out. ``on_fault`` is
        told of an exception, which is a bug of ours: the pump has stopped by then."""
        self._conversation = conversation
        self._clock = clock
        self._execute = execute
        self._observe = observe
        self._on_fault = on_fault
        self._inbox: deque[Event] = deque()
        self._running = False
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed_ms: int | None = None

    def feed(self, event: Event) -> Sequence[Action]:
        """Something happened. Returns what it and all that followed from it led to, once that is done. Called from within an action it only
        waits for its turn, and nothing is returned."""
        if self._stopped:
            return ()
        self._inbox.append(event)
        return () if self._running else self._run()

    def stop(self) -> None:
        """Nothing is fed any more. Once the input at hand has been dealt with, the callbacks are let go, and with them the session: what
        knows it in a circle would be freed by the collector only."""
        self._stopped = True
        self._inbox.clear()
        self._disarm()
        if not self._running:
            self._let_go()

    def _let_go(self) -> None:
        self._execute, self._observe, self._on_fault = _nothing, _nothing, _nothing

    def _run(self, timer: bool = False) -> Sequence[Action]:
        self._running = True
        done: Sequence[Action] = ()
        try:
            if timer:
                now_ms = self._clock.now_ms()
                self._conversation.handle_timer(now_ms)
                self._drain(now_ms, None)
            while self._inbox:
                event = self._inbox.popleft()
                now_ms = self._clock.now_ms()
                self._conversation.handle(event, now_ms)
                actions = self._drain(now_ms, event)
                done = [*done, *actions] if done else actions  # nearly always there is one input only
            if not self._stopped:
                self._arm()
        except Exception as fault:
            self.stop()
            self._on_fault(fault)
        finally:
            self._running = False
            if self._stopped:
                self._let_go()
        return done

    def _drain(self, now_ms: int, event: Event | None) -> Sequence[Action]:
        actions = self._conversation.actions()
        self._observe(now_ms, event, actions)
        for action in actions:
            self._execute(action)
        return actions

    def _arm(self) -> None:
        deadline_ms = self._conversation.deadline()
        if deadline_ms is None:
            self._disarm()
            return
        # A timer that fires too early only looks again; so a deadline that moves back, as most do, costs nothing.
        if self._armed_ms is None or deadline_ms < self._armed_ms:
            self._disarm()
            wait_s = max(deadline_ms - self._clock.now_ms(), 0) / 1000
            self._armed_ms = deadline_ms
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._armed_ms = None

    def _on_timer(self) -> None:
        self._timer = self._armed_ms = None
        if self._stopped:
            return
        deadline_ms = self._conversation.deadline()
        if deadline_ms is not None and deadline_ms <= self._clock.now_ms():
            self._run(timer=True)
        else:
            self._arm()


def _nothing(*_: object) -> None:
    """What a stopped pump does."""
