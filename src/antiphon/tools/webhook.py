"""Functions that an application's server runs: the ``tool-calls`` message, and what of its answer the model and the caller get."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from antiphon.errors import RequestFailed
from antiphon.tools.http import HttpAnswer
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

log = structlog.get_logger(__name__)

MAX_RESULT_CHARS = 32_000
"""What of an answer the model is told."""
NO_RESULT = "The application's server answered without a result for this tool call."


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a tool may tell, or fill into its templates, of the call it works for."""

    message: Mapping[str, Any] = field(default_factory=dict)
    """What stands in every message about this call: ``call``, ``assistant``, ``artifact`` …"""
    variables: Mapping[str, Any] = field(default_factory=dict)
    org_id: str = ""
    """The organisation whose call it is; empty for the server's own."""


FactsOf = Callable[[CallContext], CallFacts]
Post = Callable[[bytes, str, CallFacts], Awaitable[HttpAnswer]]
"""Sends a body, with an id that is the same where it is sent again, for a call. Raises RequestFailed."""
Static = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Arguments that the model neither sees nor chooses, out of the call's variables."""
Extract = Callable[[CallContext, Any, Mapping[str, str]], None]
"""Takes variables out of an answer: its JSON (None: it is none), and its headers."""


class WebhookTool:
    """One function of one assistant."""

    def __init__(
        self, post: Post, facts: FactsOf, wall_ms: Callable[[], int], definition: Mapping[str, Any], static: Static = dict,
        extract: Extract | None = None,
    ) -> None:  # fmt: skip
        """``definition`` is the tool as its author wrote it, without secrets. ``extract`` is handed the result of a call."""
        self._post = post
        self._facts = facts
        self._wall_ms = wall_ms
        self._definition = definition
        self._static = static
        self._extract = extract

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        facts = self._facts(context)
        arguments = {**call.arguments, **self._static(facts.variables)}
        body = tool_calls_message(call, arguments, self._definition, facts.message, self._wall_ms())
        try:
            answer = await self._post(orjson.dumps({"message": body}), call.id, facts)
        except RequestFailed as error:
            log.warning("tool_webhook_failed", tool=call.name, call_id=context.call_id, reason=error.reason)
            return ToolAnswer("The application's server did not answer.", failed=True)
        if not answer.ok:
            log.warning("tool_webhook_failed", tool=call.name, call_id=context.call_id, status=answer.status)
            return ToolAnswer(f"The application's server answered {answer.status}.", failed=True)
        if self._extract is not None and (result := result_of(answer.body, call.id)) is not None:
            self._extract(context, result, answer.headers)
        return answer_of(answer.body, call.id)


def tool_calls_message(
    call: ToolCall, arguments: Mapping[str, Any], definition: Mapping[str, Any], around: Mapping[str, Any], wall_ms: int
) -> dict[str, Any]:
    """Applications read a call in one of three places, and its name and arguments nested or flat: all of them are there."""
    function = {"name": call.name, "arguments": arguments}
    asked = {"id": call.id, "type": "function", "function": function}
    flat = {**asked, "name": call.name, "arguments": arguments, "parameters": arguments}
    return {
        **around,
        "type": "tool-calls",
        "timestamp": wall_ms,
        "toolCalls": [asked],
        "toolCallList": [flat],
        "toolWithToolCallList": [{**definition, "toolCall": flat}],
    }


def answer_of(body: bytes, tool_call_id: str) -> ToolAnswer:
    """What a server's answer says of one tool call. Line breaks inside its texts, which JSON forbids and people write, are tolerated."""
    said = json_of(body)
    if not isinstance(said, Mapping):
        return ToolAnswer(NO_RESULT, failed=True)
    results = said.get("results")
    if isinstance(results, list):
        found = _result_for(results, tool_call_id)
        if found is not None:
            return _one(found)
    elif "result" in said:  # as old function calls are answered
        return _one(said)
    if said.get("error"):
        return ToolAnswer(_text(said["error"]), failed=True)
    return ToolAnswer(NO_RESULT, failed=True)


def result_of(body: bytes, tool_call_id: str) -> Any:
    """The result of one tool call as JSON, also where it came as a text that holds some; None where it failed, or is none."""
    said = json_of(body)
    if not isinstance(said, Mapping):
        return None
    results = said.get("results")
    found = _result_for(results, tool_call_id) if isinstance(results, list) else said
    if found is None or found.get("error"):
        return None
    result = found.get("result")
    return json_of(result.encode()) if isinstance(result, str) else result


def json_of(body: bytes) -> Any:
    """None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body.decode("utf-8", "replace"), strict=False)
        except (json.JSONDecodeError, RecursionError):
            return None


def _result_for(results: list[Any], tool_call_id: str) -> Mapping[str, Any] | None:
    ours = [one for one in results if isinstance(one, Mapping)]
    named = [one for one in ours if one.get("toolCallId") == tool_call_id]
    if named:
        return named[0]
    # There was one call: a single result that names none is its.
    return ours[0] if len(ours) == 1 and not ours[0].get("toolCallId") else None


def _one(found: Mapping[str, Any]) -> ToolAnswer:
    failed = bool(found.get("error"))
    message = found.get("message")
    if isinstance(message, list):
        message = message[0] if message else None
    say, hint, ends = "", "", False
    if isinstance(message, str):
        say = message
    elif isinstance(message, Mapping) and isinstance(message.get("content"), str):
        if message.get("role") == "system":
            hint = message["content"]
        else:
            say = message["content"]
        ends = bool(message.get("endCallAfterSpokenEnabled"))
    text = _text(found["error"]) if failed else _text(found.get("result"))
    content = f"{text}\n{hint[:MAX_RESULT_CHARS]}" if hint else text
    return ToolAnswer(content, failed, say[:MAX_RESULT_CHARS], ends_call=ends)


def _text(value: Any) -> str:
    """Results should be texts; anything else is told as JSON."""
    text = value.strip() if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
    return text[:MAX_RESULT_CHARS]
