"""Who is asked how long to wait after a caller's words (``providers.base.WaitAdviser``): an assistant's rules, then its server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from antiphon.assistants.endpointing_spec import BothRule, EndpointingRule, patterns_of
from antiphon.errors import RequestFailed
from antiphon.providers.base import WaitAdviser
from antiphon.tools.http import HttpAnswer
from antiphon.tools.webhook import CallFacts, FactsOf
from antiphon.vocabulary import CallContext, Message

REQUEST = "call.endpointing.request"
_REGEX_S = 0.05
_MAX_CHARS = 2000
"""The end of what was said is looked at."""
log = structlog.get_logger(__name__)

Ask = Callable[[bytes, CallFacts], Awaitable[HttpAnswer]]
"""Sends a body for a call. Raises RequestFailed."""


class Advisers:
    """The first that knows."""

    def __init__(self, advisers: Sequence[WaitAdviser]) -> None:
        self._advisers = advisers

    async def wait_ms(self, context: CallContext, messages: Sequence[Message], text: str) -> int | None:
        for adviser in self._advisers:
            if (told_ms := await adviser.wait_ms(context, messages, text)) is not None:
                return told_ms
        return None


@dataclass(frozen=True, slots=True)
class _Rule:
    assistant: Any | None
    """A compiled regular expression; None asks nothing."""
    customer: Any | None
    wait_ms: int

    def matches(self, said: str, text: str) -> bool:
        """Raises TimeoutError."""
        return all(
            pattern.search(words, timeout=_REGEX_S) is not None
            for pattern, words in ((self.assistant, said), (self.customer, text))
            if pattern is not None
        )


class Rules:
    """``customEndpointingRules``: the first that matches. Without the package ``regex`` (the extra ``api``), and of patterns that are none,
    there are no rules; the assistant's warnings say so."""

    def __init__(self, rules: Sequence[EndpointingRule]) -> None:
        self._rules = [made for rule in rules if (made := _compiled(rule)) is not None]

    async def wait_ms(self, context: CallContext, messages: Sequence[Message], text: str) -> int | None:
        said = next((each.content for each in reversed(messages) if each.role == "assistant" and each.content), "")
        # A pattern may take long: never on the loop that carries calls.
        return await asyncio.to_thread(self._first, said[-_MAX_CHARS:], text[-_MAX_CHARS:]) if self._rules else None

    def _first(self, said: str, text: str) -> int | None:
        for rule in tuple(self._rules):
            try:
                if rule.matches(said, text):
                    return rule.wait_ms
            except TimeoutError:  # nor the next time: it is looked at with every word
                if rule in self._rules:
                    self._rules.remove(rule)
                log.warning("endpointing_rule_dropped", problem="takes too long to match")
        return None


class AskedServer:
    """``smartEndpointingPlan`` of a ``custom-endpointing-model``."""

    def __init__(self, ask: Ask, facts: FactsOf, wall_ms: Callable[[], int]) -> None:
        self._ask = ask
        self._facts = facts
        self._wall_ms = wall_ms

    async def wait_ms(self, context: CallContext, messages: Sequence[Message], text: str) -> int | None:
        facts = self._facts(context)
        body = endpointing_message(facts.message, messages, text, self._wall_ms())
        answer = await self._ask(orjson.dumps({"message": body}, default=str), facts)
        try:
            said = orjson.loads(answer.body) if answer.ok else None
        except orjson.JSONDecodeError:
            said = None
        seconds = said.get("timeoutSeconds") if isinstance(said, Mapping) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise RequestFailed("protocol", f"answered {answer.status}")
        return round(min(max(seconds, 0), 60) * 1000)


def endpointing_message(
    around: Mapping[str, Any], messages: Sequence[Message], text: str, wall_ms: int
) -> dict[str, Any]:
    """What a server is asked: what was said before, and last the words of the open turn."""
    spoken = [each for each in messages if each.role in ("system", "assistant", "user") and each.content]
    so_far = [*((each.role, each.content) for each in spoken), ("user", text)]
    roles = {"assistant": "bot"}
    return {
        **around,
        "type": REQUEST,
        "timestamp": wall_ms,
        "messages": [{"role": roles.get(role, role), "message": words} for role, words in so_far],
        "messagesOpenAIFormatted": [{"role": role, "content": words} for role, words in so_far],
    }


def _compiled(rule: EndpointingRule) -> _Rule | None:
    try:
        import regex  # the extra ``api``
    except ModuleNotFoundError:
        return None
    found = {}
    for field, (pattern, options) in patterns_of(rule).items():
        flags = regex.IGNORECASE if "ignore-case" in options else 0
        flags |= regex.MULTILINE if "multi-line" in options else 0
        try:
            found[field] = regex.compile(rf"\b(?:{pattern})\b" if "whole-word" in options else pattern, flags)
        except (regex.error, RecursionError, MemoryError):
            return None
    wait_ms = round(rule.timeout_seconds * 1000)
    if isinstance(rule, BothRule):
        return _Rule(found["assistant_regex"], found["customer_regex"], wait_ms)
    by_assistant = rule.type == "assistant"
    return _Rule(found["regex"] if by_assistant else None, None if by_assistant else found["regex"], wait_ms)
