"""Python functions as tools: described by their type hints, checked before they run, run once for each call id."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.tools.described import Described, described
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

log = structlog.get_logger(__name__)

_GIVEN_BY_US = (CallContext, ToolCall)
"""Parameters of these types are filled in by us and are no arguments of the model's."""


class LocalTools:
    """A ToolRunner over registered functions. Plain functions run in threads, coroutine functions on the loop.

    A call is known by (call, tool call id): asked for again while it runs, or after it has succeeded, it is not run again. Work whose
    caller has given up goes on to its end: half a booking is worse than a late one.
    """

    def __init__(self, *, threads: int = 4, max_running: int = 64, remembered: int = 1024) -> None:
        self._functions: dict[str, Described] = {}
        self._running: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._max_running = max_running
        self._remembered = remembered
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tool")

    def register(
        self, function: Callable[..., Any], *, name: str = "", description: str = "", deadline_ms: int = 5000
    ) -> ToolSpec:
        """Offer ``function``. Its parameters need type hints; its docstring's first paragraph describes it. Raises ConfigurationError."""
        made = described(function, _GIVEN_BY_US, name=name, description=description, deadline_ms=deadline_ms)
        if made.spec.name in self._functions:
            raise ConfigurationError(f"tools.{made.spec.name}", "there is a tool of this name already")
        self._functions[made.spec.name] = made
        return made.spec

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(entry.spec for entry in self._functions.values())

    async def run(self, call: ToolCall, context: CallContext) -> str:
        """The answer: text as it is, anything else as JSON. Raises ProviderError for an unknown tool or wrong arguments, CapacityError
        when too many run; what the function raises goes through."""
        key = (context.call_id, call.id)
        if (answer := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return answer
        task = self._running.get(key)
        if task is None:
            task = self._start(key, call, context)
        # Shielded: the caller's deadline ends the waiting, not the work.
        return await asyncio.shield(task)

    async def close(self, *, within_s: float = 2.0) -> None:
        """Let running work end for a moment, then cancel what can be cancelled. Safe to call twice."""
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, key: tuple[str, str], call: ToolCall, context: CallContext) -> asyncio.Task[str]:
        entry = self._functions.get(call.name)
        if entry is None:
            raise ProviderError(f"tools.{call.name}", f"unknown; there are {', '.join(self._functions) or 'none'}")
        if len(self._running) >= self._max_running:
            raise CapacityError("tools")
        arguments = entry.checked(call.arguments)
        arguments |= {name: context if kind is CallContext else call for name, kind in entry.given.items()}
        task = asyncio.create_task(self._work(entry, arguments), name=f"tool {call.name}")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finished(key, call.name, done))
        return task

    async def _work(self, entry: Described, arguments: dict[str, Any]) -> str:
        if entry.is_async:
            answer = await entry.function(**arguments)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, lambda: entry.function(**arguments))
        return answer if isinstance(answer, str) else json.dumps(answer, default=str)

    def _finished(self, key: tuple[str, str], tool: str, task: asyncio.Task[str]) -> None:
        del self._running[key]
        if task.cancelled():
            return
        # Only success is remembered: a failure may be tried again. Asking for the exception also keeps asyncio from reporting it as
        # lost when the caller had given up waiting.
        error = task.exception()
        if error is not None:
            log.warning("tool_failed", tool=tool, call_id=key[0], error=type(error).__name__)
            return
        self._answers[key] = task.result()
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)
