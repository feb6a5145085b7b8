"""Asks whoever has a say in it how long to wait after the words of the open turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon.conversation import actions as do
from antiphon.conversation.events import Event, WaitTold
from antiphon.errors import RequestFailed
from antiphon.losses import Losses
from antiphon.providers.base import WaitAdviser
from antiphon.session.tasks import CallTasks
from antiphon.vocabulary import CallContext

MAX_WAIT_MS = 15_000
"""The longest that an assistant may ask for [customEndpointingRules, timeoutSeconds]."""


class WaitAsking:
    """Of one call. One question at a time: of the words that come meanwhile, the latest are asked about next. Who fails told nothing."""

    def __init__(
        self, context: CallContext, feed: Callable[[Event], object], tasks: CallTasks, losses: Losses
    ) -> None:  # fmt: skip
        self._context = context
        self._feed = feed
        self._tasks = tasks
        self._losses = losses
        self._next: tuple[WaitAdviser, do.AskWait] | None = None
        self._asking: asyncio.Task[None] | None = None

    def ask(self, adviser: WaitAdviser | None, action: do.AskWait) -> None:
        if adviser is None:
            return
        self._next = (adviser, action)
        if self._asking is None or self._asking.done():
            self._asking = self._tasks.spawn(self._ask_on(), name="ask-wait")

    async def _ask_on(self) -> None:
        while self._next is not None:
            (adviser, action), self._next = self._next, None
            try:
                told_ms = await adviser.wait_ms(self._context, action.messages, action.text)
            except Exception as error:
                problem = error.reason if isinstance(error, RequestFailed) else type(error).__name__
                self._losses.tell(
                    "wait_not_told", self._context.call_id, call_id=self._context.call_id, problem=problem
                )
                continue
            if told_ms is not None:
                self._feed(WaitTold(action.turn, min(max(told_ms, 0), MAX_WAIT_MS), action.text))
