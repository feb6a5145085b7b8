"""Anthropic's messages (platform.claude.com/docs/en/build-with-claude/streaming)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.counts import number
from antiphon.providers.llm.http_model import HttpLanguageModel, fields, schema_of
from antiphon.providers.llm.prompt import alternating, as_caller_text, prompt_of
from antiphon.vocabulary import Message, Usage

_MAX_TOKENS = 1024
"""Where nobody says otherwise: the API wants a number, and nobody listens to more at once."""
_EPHEMERAL = {"type": "ephemeral"}
_STOPS = {
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "tool_use": "tool_calls",
    "refusal": "refused",
}


class Anthropic(HttpLanguageModel):
    """Claude. Tools and instructions are marked for the vendor's cache, and so is the conversation up to its last message."""

    name = "anthropic"
    default_url = "https://api.anthropic.com"

    def _headers(self, api_key: str) -> dict[str, str]:
        return {"x-api-key": api_key, "anthropic-version": "2023-06-01"}

    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        prompt = prompt_of(request.messages)
        messages = [
            {"role": "assistant" if group[0].role == "assistant" else "user", "content": _blocks(group)}
            for group in alternating(prompt.messages)
        ]
        messages[-1]["content"][-1]["cache_control"] = _EPHEMERAL  # type: ignore[index]
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "max_tokens": options.get("max_tokens", _MAX_TOKENS),
            "stream": True,
        }
        if prompt.instructions:
            body["system"] = [{"type": "text", "text": prompt.instructions, "cache_control": _EPHEMERAL}]
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": schema_of(tool)}
                for tool in request.tools
            ]
            choice = _tool_choice(options.get("tool_choice"))
            if options.get("parallel_tool_calls") is False and choice.get("type") != "none":
                choice["disable_parallel_tool_use"] = True
            if choice != {"type": "auto"}:
                body["tool_choice"] = choice
        if "temperature" in options:
            body["temperature"] = min(options["temperature"], 1.0)
        effort = options["reasoning_effort"]
        if effort and effort not in ("none", "minimal"):  # without it Claude does not think before it speaks
            body["output_config"] = {"effort": effort}
        return body

    async def _deltas(self, body: dict[str, Any], model: str) -> AsyncGenerator[ModelDelta, None]:
        calls: dict[int, list[str]] = {}
        counted: dict[str, Any] = {}
        stop, said, ended = "", False, False
        async with aclosing(self._http.events("/v1/messages", body, model, _ends)) as events:
            async for name, event in events:
                kind = event.get("type", name)
                index = event.get("index", 0)
                if kind == "content_block_delta":
                    delta = fields(event.get("delta"))
                    if delta.get("type") == "text_delta" and delta.get("text"):
                        said = True
                        yield TextDelta(str(delta["text"]))
                    elif delta.get("type") == "input_json_delta" and index in calls:
                        calls[index][2] += str(delta.get("partial_json") or "")
                elif kind == "content_block_start":
                    block = fields(event.get("content_block"))
                    if block.get("type") == "tool_use":
                        calls[index] = [str(block.get("id") or ""), str(block.get("name") or ""), ""]
                    elif block.get("type") == "text" and said:
                        yield TextDelta(" ")
                elif kind == "message_start":
                    counted |= fields(fields(event.get("message")).get("usage"))
                elif kind == "message_delta":
                    stop = fields(event.get("delta")).get("stop_reason") or stop
                    counted |= {name: value for name, value in fields(event.get("usage")).items() if value is not None}
                elif kind == "message_stop":
                    ended = True
                elif kind == "error":
                    raise self._failed("the vendor broke off with an error")
        if not ended:
            raise self._failed("the answer broke off")
        if stop == "refusal" and not said:
            raise self._failed("the model refused to answer")
        if stop != "max_tokens":
            for index in sorted(calls):
                yield ToolCallDelta(self._tool_call(*calls[index]))
        yield UsageDelta(_usage(counted), stop_reason=_STOPS.get(stop, "stop"))  # type: ignore[arg-type]


def _ends(event: dict[str, Any]) -> bool:
    return event.get("type") == "message_stop"


def _blocks(group: Sequence[Message]) -> list[dict[str, Any]]:
    """Answers of tools come first: the API wants them right behind their calls."""
    blocks: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for message in group:
        if message.role == "tool":
            blocks.append(
                {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content or "(empty)",
                 **({"is_error": True} if message.tool_outcome == "failed" else {})}
            )  # fmt: skip
            continue
        text = as_caller_text(message).strip() if message.role != "assistant" else message.content.rstrip()
        if text:
            texts.append({"type": "text", "text": text})
        texts += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
            for call in message.tool_calls
        ]
    return [*blocks, *texts] or [{"type": "text", "text": "…"}]


def _tool_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        return {"type": "tool", "name": choice.get("name") or fields(choice.get("function")).get("name")}
    return {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}


def _usage(counted: dict[str, Any]) -> Usage:
    """The vendor counts what it read anew, what it wrote to its cache and what it read from there apart."""
    cached = number(counted.get("cache_read_input_tokens"))
    fresh = number(counted.get("input_tokens")) + number(counted.get("cache_creation_input_tokens"))
    return Usage(input_tokens=fresh + cached, output_tokens=number(counted.get("output_tokens")), cached_tokens=cached)
