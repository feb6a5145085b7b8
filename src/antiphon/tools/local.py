"""Python functions as tools: described by their type hints, checked before they run, run once for each call id."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, get_type_hints

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

log = structlog.get_logger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GIVEN_BY_US = (CallContext, ToolCall)
"""Parameters of these types are filled in by us and are no arguments of the model's."""


@dataclass(frozen=True, slots=True)
class _Function:
    spec: ToolSpec
    function: Callable[..., Any]
    arguments: type[BaseModel]
    given: dict[str, type]


class LocalTools:
    """A ToolRunner over registered functions. Plain functions run in threads, coroutine functions on the loop.

    A call is known by (call, tool call id): asked for again while it runs, or after it has succeeded, it is not run again. Work whose
    caller has given up goes on to its end: half a booking is worse than a late one.
    """

    def __init__(self, *, threads: int = 4, max_running: int = 64, remembered: int = 1024) -> None:
        self._functions: dict[str, _Function] = {}
        self._running: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._max_running = max_running
        self._remembered = remembered
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tool")

    def register(
        self, function: Callable[..., Any], *, name: str = "", description: str = "", deadline_ms: int = 5000
    ) -> ToolSpec:
        """Offer ``function``. Its parameters need type hints; its docstring's first line describes it. Raises ConfigurationError."""
        name = name or function.__name__
        if not _NAME.fullmatch(name) or name in self._functions:
            raise ConfigurationError(f"tools.{name}", "names are unique, of at most 64 letters, digits, _ and -")
        arguments, given = _parameters(function, name)
        schema = arguments.model_json_schema()
        schema.pop("title", None)
        text = description or (inspect.getdoc(function) or "").partition("\n")[0]
        spec = ToolSpec(name, text, schema, deadline_ms=deadline_ms)
        self._functions[name] = _Function(spec, function, arguments, given)
        return spec

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
        arguments = _checked(entry, call)
        arguments |= {name: context if kind is CallContext else call for name, kind in entry.given.items()}
        task = asyncio.create_task(self._work(entry, arguments), name=f"tool {call.name}")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finished(key, call.name, done))
        return task

    async def _work(self, entry: _Function, arguments: dict[str, Any]) -> str:
        if inspect.iscoroutinefunction(entry.function):
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


def _parameters(function: Callable[..., Any], name: str) -> tuple[type[BaseModel], dict[str, type]]:
    """A model of the arguments, and the parameters we fill in ourselves."""
    hints, fields, given = get_type_hints(function), {}, {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        if hint is None or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(f"tools.{name}", f"parameter {parameter.name} must be named and have a type hint")
        if hint in _GIVEN_BY_US:
            given[parameter.name] = hint
        else:
            fields[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields), given  # type: ignore[call-overload]


def _checked(entry: _Function, call: ToolCall) -> dict[str, Any]:
    try:
        checked = entry.arguments.model_validate(call.arguments)
    except ValidationError as error:
        # What was said stays out of the text: it may be logged.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        argument = ".".join(str(part) for part in first["loc"])
        raise ProviderError(f"tools.{call.name}", f"argument {argument}: {first['msg']}") from None
    return {name: getattr(checked, name) for name in entry.arguments.model_fields}
