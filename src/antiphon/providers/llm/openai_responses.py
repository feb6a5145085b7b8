"""OpenAI's Responses API as server-sent events (platform.openai.com/docs/api-reference/responses-streaming)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.counts import number
from antiphon.providers.llm.http_model import HttpLanguageModel, fields, is_strict, schema_of
from antiphon.providers.llm.openai_chat import reasons
from antiphon.providers.llm.prompt import prompt_of
from antiphon.vocabulary import Message, Usage

_LEAST_TOKENS = 16
"""OpenAI refuses a smaller bound."""


class OpenAiResponses(HttpLanguageModel):
    """OpenAI. The vendor keeps nothing of the conversation: every request holds all of it (``store`` is false)."""

    name = "openai"
    default_url = "https://api.openai.com/v1"

    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        prompt = prompt_of(request.messages)
        body: dict[str, Any] = {
            "model": model,
            "input": [item for message in prompt.messages for item in _items(message)],
            "stream": True,
            "store": False,
        }
        if prompt.instructions:
            body["instructions"] = prompt.instructions
            # Requests of one assistant meet the machine that has its prompt in the cache.
            body["prompt_cache_key"] = hashlib.blake2b(prompt.instructions.encode(), digest_size=12).hexdigest()
        if not body["input"]:
            body["input"] = [{"role": "user", "content": "[The call has been connected.]"}]
        if request.tools:
            body["tools"] = [
                {"type": "function", "name": tool.name, "description": tool.description, "parameters": schema_of(tool),
                 "strict": is_strict(schema_of(tool))}
                for tool in request.tools
            ]  # fmt: skip
            choice = options.get("tool_choice")
            if choice is not None:
                body["tool_choice"] = (
                    {"type": "function", "name": choice["name"]} if isinstance(choice, dict) else choice
                )
            if (parallel := options.get("parallel_tool_calls")) is not None:
                body["parallel_tool_calls"] = parallel
        if "temperature" in options:
            body["temperature"] = options["temperature"]
        if "max_tokens" in options:
            body["max_output_tokens"] = max(options["max_tokens"], _LEAST_TOKENS)
        if effort := options["reasoning_effort"] or ("low" if reasons(model) else ""):
            body["reasoning"] = {"effort": effort}
        return body

    async def _deltas(self, body: dict[str, Any], model: str) -> AsyncGenerator[ModelDelta, None]:
        said = said_in_this = False
        calls = 0
        last: UsageDelta | None = None
        async with aclosing(self._http.events("/responses", body, model, _ends)) as events:
            async for _, event in events:
                kind = event.get("type")
                if kind in ("response.output_text.delta", "response.refusal.delta"):
                    text = event.get("delta")
                    if isinstance(text, str) and text:
                        # A preamble and the answer are two messages: their words must not run into each other.
                        yield TextDelta(f" {text}" if said and not said_in_this else text)
                        said = said_in_this = True
                elif kind == "response.output_item.added":
                    said_in_this = False
                elif kind == "response.output_item.done":
                    item = fields(event.get("item"))
                    if item.get("type") == "function_call" and item.get("status") != "incomplete":
                        calls += 1
                        arguments = str(item.get("arguments") or "")
                        yield ToolCallDelta(
                            self._tool_call(str(item.get("call_id") or ""), str(item.get("name") or ""), arguments)
                        )
                elif kind in ("response.completed", "response.incomplete"):
                    response = fields(event.get("response"))
                    reason = fields(response.get("incomplete_details")).get("reason")
                    if reason == "content_filter" and not said:
                        raise self._failed("the vendor's filter refused to answer")
                    stop = {"max_output_tokens": "max_tokens", "content_filter": "refused"}.get(str(reason))
                    stop = stop or ("tool_calls" if calls else "stop")
                    last = UsageDelta(_usage(fields(response.get("usage"))), stop_reason=stop)  # type: ignore[arg-type]
                elif kind in ("response.failed", "error"):
                    raise self._failed("the vendor broke off with an error")
        if last is None:
            raise self._failed("the answer broke off")
        yield last


def _ends(event: dict[str, Any]) -> bool:
    return event.get("type") in ("response.completed", "response.incomplete")


def _items(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    items: list[dict[str, Any]] = [{"role": message.role, "content": message.content}] if message.content else []
    items += [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": orjson.dumps(call.arguments).decode(),
        }
        for call in message.tool_calls
    ]
    return items


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=number(usage.get("input_tokens")),
        output_tokens=number(usage.get("output_tokens")),
        cached_tokens=number(fields(usage.get("input_tokens_details")).get("cached_tokens")),
    )
