"""What comes twice is done once: whoever asks while it is done waits for it, whoever asks later gets the same answer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from antiphon.errors import CapacityError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an application takes."""

    body_bytes: int = 8 * 1024 * 1024
    """Reports of long calls are large."""
    running: int = 256
    """Deliveries and tool calls at work at once; more are told to come again."""
    threads: int = 16
    """Plain functions at work at once."""
    remembered: int = 10_000
    remembered_s: float = 3600.0
    """Answers that are kept for what comes twice."""
    body_s: float = 20.0
    """In which a body must have come."""
    work_s: float = 600.0
    """After this a coroutine is cancelled that nobody waits for any more."""


class Repeats(Generic[Answer]):
    """Answers by name. Work goes on whose asker has gone."""

    def __init__(self, now_ms: Callable[[], int], bounds: Bounds) -> None:
        self._now_ms = now_ms
        self._bounds = bounds
        self._answers: OrderedDict[str, tuple[Answer, int]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Answer]] = {}

    async def once(
        self, name: str, work: Callable[[], Awaitable[Answer]], keeps: Callable[[Answer], bool] = lambda answer: True
    ) -> Answer:
        """Raises what ``work`` raises, which is not remembered (nor is an answer that ``keeps`` is False for), and CapacityError where
        too much is under way."""
        self._forget()
        if (known := self._answers.get(name)) is not None:
            return known[0]
        task = self._running.get(name)
        if task is None:
            if len(self._running) >= self._bounds.running:
                raise CapacityError("full")
            task = asyncio.ensure_future(self._done(work))
            self._running[name] = task
            task.add_done_callback(lambda done: self._finished(name, done, keeps))
        return await asyncio.shield(task)

    async def close(self, within_s: float) -> None:
        """Let what is under way end for a moment, then cancel it."""
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, name: str, task: asyncio.Task[Answer], keeps: Callable[[Answer], bool]) -> None:
        del self._running[name]
        # Asking for the exception keeps asyncio from reporting it as lost where the asker had given up waiting.
        if task.cancelled() or task.exception() is not None or not keeps(task.result()):
            return
        self._answers[name] = (task.result(), self._now_ms() + round(self._bounds.remembered_s * 1000))
        while len(self._answers) > self._bounds.remembered:
            self._answers.popitem(last=False)

    def _forget(self) -> None:
        now = self._now_ms()
        while self._answers and next(iter(self._answers.values()))[1] <= now:
            self._answers.popitem(last=False)

    async def _done(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        async with asyncio.timeout(self._bounds.work_s):
            return await work()
