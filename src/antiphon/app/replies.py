"""Messages in, replies out: which handler a message goes to, within which time, and what is answered in the protocol's shape."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

import structlog

from antiphon.app.calls import Call, Calls, Lifetimes
from antiphon.app.repeats import Bounds, Repeats
from antiphon.app.tool_calls import arguments, asked_calls, line, written
from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.tools.described import Described, described
from antiphon.vocabulary import ToolCall

log = structlog.get_logger(__name__)

MAX_TOOL_CALLS = 32
"""In one message."""
ASKING = frozenset(
    {"assistant-request", "transfer-destination-request", "handoff-destination-request", "knowledge-base-request", "voice-request",
     "call.endpointing.request"}
)  # fmt: skip
"""Types of message that are nothing without a reply."""
_TOOL_S = 5.0
_DEFAULT_S = {"assistant-request": 7.0}
"""The telephone rings meanwhile: the platform waits 7.5 s, whatever else is said."""
Reply = tuple[int, Any]
"""Status and JSON."""


@dataclass(frozen=True, slots=True)
class _Handler:
    function: Callable[..., Any]
    given: Mapping[str, bool]
    """Its parameters: whether it is the call (or the message)."""
    deadline_s: float


class Replies:
    """All handlers of one application."""

    def __init__(self, now_ms: Callable[[], int], bounds: Bounds, lifetimes: Lifetimes) -> None:
        self.calls = Calls(lifetimes, now_ms)
        self._tools: dict[str, Described] = {}
        self._handlers: dict[str, _Handler] = {}
        self._deliveries: Repeats[Reply] = Repeats(now_ms, bounds)
        self._results: Repeats[Mapping[str, Any]] = Repeats(now_ms, bounds)
        self._threads = ThreadPoolExecutor(bounds.threads, thread_name_prefix="application")

    # ---------------------------------------------------------------------------------- what is registered

    def add_tool(self, function: Callable[..., Any], name: str, description: str, deadline_s: float) -> Described:
        """Raises ConfigurationError."""
        deadline_ms = _deadline(deadline_s, f"tools.{name or function.__name__}")
        made = described(function, (Call, ToolCall), name=name, description=description, deadline_ms=deadline_ms)
        if made.spec.name in self._tools:
            raise ConfigurationError(f"tools.{made.spec.name}", "there is a tool of this name already")
        self._tools[made.spec.name] = made
        return made

    def add_handler(self, kind: str, function: Callable[..., Any], deadline_s: float | None) -> None:
        """Raises ConfigurationError."""
        if kind in self._handlers or kind in ("tool-calls", "function-call"):
            other = "tools are registered one by one" if kind not in self._handlers else "it has a handler already"
            raise ConfigurationError(f"on({kind})", other)
        wanted_s = _DEFAULT_S.get(kind, 15.0) if deadline_s is None else deadline_s
        _deadline(wanted_s, f"on({kind})")
        self._handlers[kind] = _Handler(function, _parameters(function, kind), wanted_s)

    def tools(self) -> Iterator[Described]:
        yield from self._tools.values()

    async def close(self, within_s: float = 2.0) -> None:
        await self._deliveries.close(within_s)
        await self._results.close(within_s)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------------------------- what comes

    async def answer(self, name: str, message: Mapping[str, Any]) -> Reply:
        """``name`` is the same for a delivery that comes again: it joins the work that is under way, or has its answer."""
        try:
            async with asyncio.timeout(self._deadline_s(message)):
                return await self._deliveries.once(name, lambda: self._answer(message), lambda reply: reply[0] < 500)
        except TimeoutError:
            log.warning("application_late", type=_kind(message))
            return 503, {"error": "The application did not answer in time."}
        except CapacityError:
            return 503, {"error": "Too much is under way; come again in a moment."}

    def _deadline_s(self, message: Mapping[str, Any]) -> float | None:
        """None: each tool call has its own."""
        kind = _kind(message)
        if kind == "tool-calls":
            return None
        handler = self._handler(kind)
        return handler.deadline_s if handler is not None else _TOOL_S

    def _handler(self, kind: str) -> _Handler | None:
        return self._handlers.get(kind) or (self._handlers.get("*") if kind not in ASKING else None)

    async def _answer(self, message: Mapping[str, Any]) -> Reply:
        kind, call = _kind(message), self.calls.about(message)
        if kind == "tool-calls":
            return await self._tool_calls(message, call)
        if kind == "function-call":
            return await self._function_call(message, call)
        handler = self._handler(kind)
        if handler is None:
            return (501, {"error": f"This application answers no {kind}."}) if kind in ASKING else (200, {})
        try:
            said = await self._run(
                handler.function, {name: call if is_call else message for name, is_call in handler.given.items()}
            )
        except Exception as error:
            log.warning("application_handler_failed", type=kind, call_id=call.id, problem=type(error).__name__)
            return 500, {"error": "The application failed."}
        if not isinstance(said, Mapping):
            return 200, {}
        try:
            written(said)
        except TypeError:
            log.warning("application_reply_unwritable", type=kind, call_id=call.id)
            return 500, {"error": "The application's reply cannot be written as JSON."}
        return 200, said

    async def _tool_calls(self, message: Mapping[str, Any], call: Call) -> Reply:
        asked = list(asked_calls(message))
        if not asked:
            return 400, {"error": "The message names no tool call."}
        if len(asked) > MAX_TOOL_CALLS:
            return 413, {"error": f"A message may ask for {MAX_TOOL_CALLS} tool calls at most."}
        return 200, {"results": await asyncio.gather(*(self._result(one, call) for one in asked))}

    async def _function_call(self, message: Mapping[str, Any], call: Call) -> Reply:
        """The old message: one function, without an id."""
        asked = message.get("functionCall")
        if not isinstance(asked, Mapping) or not isinstance(asked.get("name"), str):
            return 400, {"error": "The message names no function."}
        found = await self._worked(ToolCall("", asked["name"], arguments(asked.get("parameters"))), call)
        return 200, {name: found[name] for name in ("result", "error") if name in found}

    async def _result(self, asked: ToolCall, call: Call) -> Mapping[str, Any]:
        """One of ``results``. A call that is made again, in whatever message, is answered as it was."""
        tool = self._tools.get(asked.name)
        deadline_s = tool.spec.deadline_ms / 1000 if tool is not None else _TOOL_S
        named = {"toolCallId": asked.id, "name": asked.name}
        try:
            async with asyncio.timeout(deadline_s):
                return await self._results.once(f"{call.id} {asked.id}", lambda: self._worked(asked, call))
        except TimeoutError:
            log.warning("application_tool_late", tool=asked.name, call_id=call.id)
            return {**named, "error": "The application did not answer in time."}
        except CapacityError:
            return {**named, "error": "The application is busy."}

    async def _worked(self, asked: ToolCall, call: Call) -> Mapping[str, Any]:
        named = {"toolCallId": asked.id, "name": asked.name}
        tool = self._tools.get(asked.name)
        if tool is None:
            return {**named, "error": f"There is no tool {asked.name[:64]}."}
        try:
            given = tool.checked(asked.arguments)
            given |= {name: call if kind is Call else asked for name, kind in tool.given.items()}
            said = await self._run(tool.function, given)
        except ProviderError as error:
            return {**named, "error": line(error.problem)}
        except Exception as error:
            log.warning("application_tool_failed", tool=asked.name, call_id=call.id, problem=type(error).__name__)
            return {**named, "error": "The tool failed."}
        try:
            text = said if isinstance(said, str) else written(said).decode()
        except TypeError:
            return {**named, "error": "The tool's result cannot be written as JSON."}
        return {**named, "result": line(text)}

    async def _run(self, function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(**given)
        work = partial(copy_context().run, function, **given)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _kind(message: Mapping[str, Any]) -> str:
    return str(message.get("type", ""))[:64]


def _parameters(function: Callable[..., Any], kind: str) -> dict[str, bool]:
    hints, given = get_type_hints(function), {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(f"on({kind})", f"parameter {parameter.name} must be named")
        given[parameter.name] = hints.get(parameter.name) is Call or parameter.name == "call"
    return given


def _deadline(seconds: float, field: str) -> int:
    """In milliseconds. Raises ConfigurationError."""
    if not 0 < seconds <= 300:
        raise ConfigurationError(field, "a deadline is more than 0 and at most 300 seconds")
    return round(seconds * 1000)
