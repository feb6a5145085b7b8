"""One tool call, one piece of work: asked for again while it runs, or after it has succeeded, it is not done again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from antiphon.errors import CapacityError
from antiphon.vocabulary import ToolAnswer

Answer = str | ToolAnswer
Key = tuple[str, str]
"""(call, tool call)."""


class Once:
    """Work whose caller has given up goes on to its end: half a booking is worse than a late one."""

    def __init__(self, *, max_running: int = 1024, remembered: int = 1024) -> None:
        self._running: dict[Key, asyncio.Task[Answer]] = {}
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._max_running = max_running
        self._remembered = remembered

    async def run(self, key: Key, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Raises what ``work`` raises, and CapacityError where too much of it runs."""
        if (answer := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return answer
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= self._max_running:
                raise CapacityError("tools")
            task = asyncio.ensure_future(_done(work))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    async def close(self, *, within_s: float = 2.0) -> None:
        """Let running work end for a moment, then cancel it. Safe to call twice."""
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, key: Key, task: asyncio.Task[Answer]) -> None:
        del self._running[key]
        # Asking for the exception keeps asyncio from reporting it as lost where the caller had given up waiting.
        if task.cancelled() or task.exception() is not None:
            return
        answer = task.result()
        if isinstance(answer, ToolAnswer) and answer.failed:
            return  # a failure may be tried again
        self._answers[key] = answer
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)


async def _done(work: Callable[[], Awaitable[Answer]]) -> Answer:
    return await work()
