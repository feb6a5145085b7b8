"""The tasks of one call: models, voices and tools at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class CallTasks:
    """Nothing of a call runs outside of these."""

    def __init__(self, on_fault: Callable[[Exception], None]) -> None:
        """``on_fault`` is told of an exception that left a task, which is a bug of ours."""
        self._on_fault = on_fault
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def close(self) -> None:
        """Cancel all of them. A fault on the way out is logged; the call has ended."""
        self._on_fault = _log_fault
        for task in tuple(self._tasks):
            task.cancel()

    async def wait(self, timeout_s: float) -> None:
        """Until they are gone, bounded."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout_s)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None and isinstance(fault, Exception):
            self._on_fault(fault)


def _log_fault(fault: Exception) -> None:
    log.error("task_failed_after_its_call", exc_info=fault)
