"""Whether an assistant's answer is what somebody expects: word for word, by a pattern, or in the eyes of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.chat.agent import TextAgent
from antiphon.chat.patterns import search
from antiphon.chat.turn import TextTurn, TurnBounds
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import CallContext, Message, ToolCall

_BOUNDS = TurnBounds(rounds=0, seconds=60.0, characters=10_000)
_TASK = 'Judge the last message of this conversation. Answer with exactly "pass" or "fail".'


def judge_by_words(plan: Mapping[str, Any], answer: Message) -> str:
    """Why it fails, empty where it passes. ``plan``: ``{"type": "exact" | "regex", "content", "toolCalls"?}``. Raises
    ConfigurationError."""
    exact = plan.get("type") == "exact"
    content = plan.get("content") or ""
    if exact and content and _folded(answer.content) != _folded(content):
        return "the content is not the expected one"
    if not exact and content and search(content, answer.content, "judgePlan.content") is None:
        return "the content does not match the pattern"
    expected = plan.get("toolCalls")
    if expected is None:
        return ""
    if not isinstance(expected, list) or not all(isinstance(each, Mapping) for each in expected):
        raise ConfigurationError("judgePlan.toolCalls", "must be an array of objects")
    return _wrong_calls(expected, answer.tool_calls, exact=exact)


async def judge_by_model(judge: TextAgent, messages: Sequence[Message]) -> str:
    """Why the last of ``messages`` fails, empty where it passes. What the judge is told stands in ``judge.messages``; a judge that has no
    more than instructions is shown the conversation. Raises ProviderError."""
    history = [] if judge.messages else [Message("system", _TASK)]
    if not any(message.role == "user" for message in judge.messages):
        history.append(Message("user", f"The conversation:\n{conversation_of(messages)}"))
    turn = TextTurn(judge, history, CallContext("judging"), _BOUNDS)
    await turn.run()
    verdict = turn.messages[-1].content.strip().strip(".\"'`*").casefold()
    if verdict == "pass":
        return ""
    return "the judge says fail" if verdict == "fail" else "the judge answered neither pass nor fail"


def conversation_of(messages: Sequence[Message]) -> str:
    """For a judge to read: a line of JSON for each message."""
    return "\n".join(line_of(message) for message in messages)


def line_of(message: Message) -> str:
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    shown = {"role": message.role, "content": message.content, **({"toolCalls": calls} if calls else {})}
    return json.dumps(shown, ensure_ascii=False)


def _wrong_calls(expected: Sequence[Mapping[str, Any]], made: Sequence[ToolCall], *, exact: bool) -> str:
    if len(expected) != len(made):
        return f"{len(made)} tool calls instead of {len(expected)}"
    left = list(made)
    for at, wanted in enumerate(expected):
        found = next((call for call in left if _is_call(wanted, call, at, exact=exact)), None)
        if found is None:
            return f"tool call {at} was not made as expected"
        left.remove(found)
    return ""


def _is_call(wanted: Mapping[str, Any], call: ToolCall, at: int, *, exact: bool) -> bool:
    if wanted.get("name") != call.name:
        return False
    arguments = wanted.get("arguments")
    if arguments is None:
        return True
    if not isinstance(arguments, Mapping):
        raise ConfigurationError(f"judgePlan.toolCalls.{at}.arguments", "must be an object")
    if exact:
        return _same(dict(arguments), call.arguments)
    field = f"judgePlan.toolCalls.{at}.arguments"
    return all(
        name in call.arguments and search(pattern, _text(call.arguments[name]), f"{field}.{name}") is not None
        for name, pattern in arguments.items()
    )


def _same(one: Any, other: Any) -> bool:
    """Alike, letters of either case."""
    return _text(one).casefold() == _text(other).casefold()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
