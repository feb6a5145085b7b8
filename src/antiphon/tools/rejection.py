"""Calls of a tool that its author does not want: conditions on what was said, looked at before the tool begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from antiphon.errors import ConfigurationError
from antiphon.tools.composite import Runs
from antiphon.vocabulary import CallContext, Message, ToolAnswer, ToolCall

log = structlog.get_logger(__name__)

REJECTED = "The tool was not run: what was said does not call for it yet. Go on with the conversation."
MAX_MESSAGES = 100
"""The last of a conversation are looked at."""
_MAX_CHARS = 4000
"""Of each."""
_REGEX_S = 0.1
Fill = Callable[[str, Mapping[str, Any]], str]
"""Fills in a template. Raises ConfigurationError for what is none."""


@dataclass(frozen=True, slots=True)
class Matches:
    """A message matches a pattern, or (``negate``) does not. ``position`` counts among the messages of ``role`` (all where it is empty):
    from 0, or from the end (−1: the last). Where there is no such message, nothing is matched."""

    pattern: str
    role: Literal["user", "assistant", ""] = ""
    position: int = -1
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Says:
    """A template says ``true``; it knows ``messages`` and the call's variables."""

    template: str


@dataclass(frozen=True, slots=True)
class Group:
    conditions: tuple[Condition, ...]
    every: bool = True
    """All of them, or one."""


Condition = Matches | Says | Group


class RejectingTool:
    """A tool whose calls are refused where all conditions hold. One that cannot be looked at does not hold: the tool is run, as it is
    where nobody asked for conditions."""

    def __init__(
        self, runs: Runs, conditions: tuple[Condition, ...], variables: Callable[[CallContext], Mapping[str, Any]], fill: Fill
    ) -> None:  # fmt: skip
        self._runs = runs
        self._all = Group(conditions)
        self._variables = variables
        self._fill = fill

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        messages = said(context.messages)
        variables = {**self._variables(context), "messages": messages}
        # A pattern may take long, and a template longer: never on the loop that carries calls.
        if await asyncio.to_thread(self._holds, self._all, messages, variables, call.name):
            log.info("tool_rejected", tool=call.name, call_id=context.call_id)
            return ToolAnswer(REJECTED, failed=True)
        return await self._runs.run(call, context)

    def _holds(
        self, condition: Condition, messages: Sequence[Mapping[str, str]], variables: Mapping[str, Any], tool: str
    ) -> bool:
        if isinstance(condition, Group):
            # Both of no conditions and of a group of none: nothing holds.
            found = (self._holds(one, messages, variables, tool) for one in condition.conditions)
            return bool(condition.conditions) and (all(found) if condition.every else any(found))
        try:
            if isinstance(condition, Matches):
                return _matches(condition, messages)
            return self._fill(condition.template, variables).strip() == "true"
        except ConfigurationError as error:
            log.warning("tool_rejection_unclear", tool=tool, problem=error.problem)
            return False


def said(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The conversation as conditions read it."""
    return [
        {"role": message.role, "content": message.content[:_MAX_CHARS]}
        for message in messages[-MAX_MESSAGES:]
        if message.content
    ]


def pattern_problem(pattern: str) -> str:
    """Why this is no pattern; empty where it is one."""
    try:
        import regex  # the extra ``api``
    except ModuleNotFoundError:
        return "needs the extra api: pip install 'antiphon[api]'"
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, MemoryError) as error:
        return f"is no regular expression ({type(error).__name__}): it matches nothing"
    return ""


def _matches(condition: Matches, messages: Sequence[Mapping[str, str]]) -> bool:
    spoken = [one for one in messages if one["role"] == condition.role or not condition.role]
    try:
        text = spoken[condition.position]["content"]
    except IndexError:
        return False
    return _found(condition.pattern, text) is not condition.negate


def _found(pattern: str, text: str) -> bool:
    """Raises ConfigurationError."""
    try:
        import regex  # the extra ``api``
    except ModuleNotFoundError:
        raise ConfigurationError("regex", "needs the extra api: pip install 'antiphon[api]'") from None
    try:
        return regex.search(pattern, text, timeout=_REGEX_S) is not None
    except TimeoutError:
        raise ConfigurationError("regex", "takes too long to match") from None
    except (regex.error, RecursionError, MemoryError) as error:
        raise ConfigurationError("regex", f"is no regular expression ({type(error).__name__})") from None
