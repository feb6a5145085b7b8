"""OpenAI's chat completions, and the servers of others that speak them (platform.openai.com/docs/api-reference/chat/create)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

import orjson

from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.counts import number
from antiphon.providers.llm.http_model import HttpLanguageModel, fields, is_strict, items, schema_of
from antiphon.providers.llm.prompt import prompt_of
from antiphon.vocabulary import Message, Usage

_STOPS = {
    "length": "max_tokens",
    "content_filter": "refused",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class ChatCompletions(HttpLanguageModel):
    """A server of one's own or of somebody else: ``model.url`` or the vendor's ``base_url`` says where, e.g. ``http://127.0.0.1:8000/v1``."""

    needs_key = False
    max_tokens_field: ClassVar[str] = "max_tokens"
    sends_strict: ClassVar[bool] = False

    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        prompt = prompt_of(request.messages)
        messages = [{"role": "system", "content": prompt.instructions}] if prompt.instructions else []
        body: dict[str, Any] = {
            "model": model,
            "messages": [*messages, *(_message(message) for message in prompt.messages)],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            body["tools"] = [{"type": "function", "function": self._function(tool)} for tool in request.tools]
            if (choice := options.get("tool_choice")) is not None:
                body["tool_choice"] = _tool_choice(choice)
            if (parallel := options.get("parallel_tool_calls")) is not None:
                body["parallel_tool_calls"] = parallel
        if "temperature" in options:
            body["temperature"] = options["temperature"]
        if "max_tokens" in options:
            body[self.max_tokens_field] = options["max_tokens"]
        if effort := options["reasoning_effort"] or self._least_effort(model):
            body["reasoning_effort"] = effort
        return body

    def _least_effort(self, model: str) -> str:
        return ""

    def _function(self, tool: Any) -> dict[str, Any]:
        schema = schema_of(tool)
        strict = {"strict": True} if self.sends_strict and is_strict(schema) else {}
        return {"name": tool.name, "description": tool.description, "parameters": schema, **strict}

    async def _deltas(self, body: dict[str, Any], model: str) -> AsyncGenerator[ModelDelta, None]:
        calls: dict[int, list[str]] = {}
        usage, stop, said = Usage(), "", False
        async with aclosing(self._http.events("/chat/completions", body, model)) as events:
            async for _, chunk in events:
                if chunk.get("error"):
                    raise self._failed("the vendor broke off with an error")
                if chunk.get("usage"):
                    usage = _usage(fields(chunk["usage"]))
                for choice in items(chunk.get("choices"))[:1]:
                    delta = fields(choice.get("delta") or choice.get("message"))  # the second: all in one piece
                    text = delta.get("content") or delta.get("refusal")
                    if isinstance(text, str) and text:
                        said = True
                        yield TextDelta(text)
                    for piece in items(delta.get("tool_calls")):
                        _gather(calls, fields(piece))
                    stop = choice.get("finish_reason") or stop
        if not stop:
            raise self._failed("the answer broke off")
        if stop == "content_filter" and not said:
            raise self._failed("the vendor's filter refused to answer")
        if stop != "length":  # arguments that were cut are no arguments
            for index in sorted(calls):
                yield ToolCallDelta(self._tool_call(*calls[index]))
        yield UsageDelta(usage, stop_reason=_STOPS.get(stop, "stop"))  # type: ignore[arg-type]


class OpenAiChat(ChatCompletions):
    """OpenAI itself, by its older API. Newer models take tools by the Responses API only: ``openai``."""

    name = "openai-chat"
    default_url = "https://api.openai.com/v1"
    needs_key = True
    max_tokens_field = "max_completion_tokens"
    sends_strict = True

    def _least_effort(self, model: str) -> str:
        return "low" if reasons(model) else ""


class Groq(ChatCompletions):
    name = "groq"
    default_url = "https://api.groq.com/openai/v1"
    needs_key = True


class Cerebras(ChatCompletions):
    name = "cerebras"
    default_url = "https://api.cerebras.ai/v1"
    needs_key = True


class DeepInfra(ChatCompletions):
    name = "deepinfra"
    default_url = "https://api.deepinfra.com/v1/openai"
    needs_key = True


class DeepSeek(ChatCompletions):
    name = "deepseek"
    default_url = "https://api.deepseek.com"
    needs_key = True


class Mistral(ChatCompletions):
    name = "mistral"
    default_url = "https://api.mistral.ai/v1"
    needs_key = True


class Ollama(ChatCompletions):
    name = "ollama"
    default_url = "http://127.0.0.1:11434/v1"


class OpenRouter(ChatCompletions):
    name = "openrouter"
    default_url = "https://openrouter.ai/api/v1"
    needs_key = True


class Perplexity(ChatCompletions):
    name = "perplexity"
    default_url = "https://api.perplexity.ai"
    needs_key = True


class Together(ChatCompletions):
    name = "together"
    default_url = "https://api.together.xyz/v1"
    needs_key = True


class Vllm(ChatCompletions):
    name = "vllm"
    default_url = "http://127.0.0.1:8000/v1"


class XAi(ChatCompletions):
    name = "xai"
    default_url = "https://api.x.ai/v1"
    needs_key = True


def reasons(model: str) -> bool:
    """Whether a model of OpenAI's is one that thinks first, by its name; a wrong guess costs one refused request."""
    own = model.rpartition("/")[2]
    return own.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6")) and "-chat" not in own


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    shown: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        shown["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()}}
            for call in message.tool_calls
        ]  # fmt: skip
        shown["content"] = message.content or None
    return shown


def _tool_choice(choice: Any) -> Any:
    """A word, or a function by its name in either of OpenAI's two shapes."""
    if isinstance(choice, dict) and "name" in choice:
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _gather(calls: dict[int, list[str]], piece: dict[str, Any]) -> None:
    """Id and name come once, arguments in pieces. Servers that leave the index out send whole calls, one after the other."""
    function = fields(piece.get("function"))
    index = piece.get("index")
    if not isinstance(index, int):
        index = len(calls) if piece.get("id") or not calls else max(calls)
    call = calls.setdefault(index, ["", "", ""])
    call[0] = call[0] or str(piece.get("id") or "")
    call[1] = call[1] or str(function.get("name") or "")
    arguments = function.get("arguments")
    call[2] += arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode() if arguments else ""


def _usage(usage: dict[str, Any]) -> Usage:
    details = fields(usage.get("prompt_tokens_details"))
    return Usage(
        input_tokens=number(usage.get("prompt_tokens")),
        output_tokens=number(usage.get("completion_tokens")),
        cached_tokens=number(details.get("cached_tokens")) or number(usage.get("prompt_cache_hit_tokens")),
    )
