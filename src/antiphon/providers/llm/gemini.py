"""Google's Gemini by ``streamGenerateContent`` (ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from antiphon.ids import new_id
from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.counts import number
from antiphon.providers.llm.http_model import HttpLanguageModel, fields, items, schema_of
from antiphon.providers.llm.prompt import alternating, as_caller_text, prompt_of
from antiphon.vocabulary import Message, ToolCall, Usage

_MOST_SIGNATURES = 2048
_NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents for calls whose signature is not known (ai.google.dev/gemini-api/docs/thought-signatures)."""
_LEVELS = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_BUDGETS = {"none": 0, "minimal": 0, "low": 512, "medium": 4096, "high": 16384, "xhigh": 24576, "max": 24576}


class Gemini(HttpLanguageModel):
    """Gemini's API with a key of AI Studio's."""

    name = "google"
    default_url = "https://generativelanguage.googleapis.com/v1beta"

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "",
        model: str = "",
        reasoning_effort: str = "",
        first_byte_timeout_ms: int = 10_000,
        stall_timeout_ms: int = 10_000,
    ) -> None:
        """As ``HttpLanguageModel``."""
        super().__init__(
            api_key=api_key,
            base_url=base_url,
            model=model,
            reasoning_effort=reasoning_effort,
            first_byte_timeout_ms=first_byte_timeout_ms,
            stall_timeout_ms=stall_timeout_ms,
        )
        self._signatures: OrderedDict[str, str] = OrderedDict()
        """By the id of a tool call: the vendor wants its calls back with them."""

    def _headers(self, api_key: str) -> dict[str, str]:
        return {"x-goog-api-key": api_key}

    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        prompt = prompt_of(request.messages)
        names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
        config: dict[str, Any] = {}
        if "temperature" in options:
            config["temperature"] = options["temperature"]
        if "max_tokens" in options:
            config["maxOutputTokens"] = options["max_tokens"]
        if (thinking := thinking_config(model, options["reasoning_effort"])) is not None:
            config["thinkingConfig"] = thinking
        body: dict[str, Any] = {
            "contents": [
                {"role": "model" if group[0].role == "assistant" else "user", "parts": self._parts(group, names)}
                for group in alternating(prompt.messages)
            ],
        }
        if config:
            body["generationConfig"] = config
        if prompt.instructions:
            body["systemInstruction"] = {"parts": [{"text": prompt.instructions}]}
        if request.tools:
            body["tools"] = [{"functionDeclarations": [declaration(tool) for tool in request.tools]}]
            if (choice := options.get("tool_choice")) not in (None, "auto"):
                body["toolConfig"] = {"functionCallingConfig": _calling(choice)}
        return body

    async def _deltas(self, body: dict[str, Any], model: str) -> AsyncGenerator[ModelDelta, None]:
        path = f"/models/{quote(model.removeprefix('models/'), safe='')}:streamGenerateContent?alt=sse"
        usage, stop, said, calls = Usage(), "", False, 0
        async with aclosing(self._http.events(path, body, model)) as events:
            async for _, chunk in events:
                if chunk.get("error"):
                    raise self._failed("the vendor broke off with an error")
                if fields(chunk.get("promptFeedback")).get("blockReason"):
                    raise self._failed("the vendor's filter refused the prompt")
                if chunk.get("usageMetadata"):
                    usage = _usage(fields(chunk["usageMetadata"]))
                for candidate in items(chunk.get("candidates"))[:1]:
                    for part in map(fields, items(fields(candidate.get("content")).get("parts"))):
                        if isinstance(part.get("functionCall"), dict):
                            calls += 1
                            yield ToolCallDelta(self._call(part))
                        elif part.get("text") and not part.get("thought"):
                            said = True
                            yield TextDelta(str(part["text"]))
                    stop = candidate.get("finishReason") or stop
        if not stop:
            raise self._failed("the answer broke off")
        if stop not in ("STOP", "MAX_TOKENS") and not said and not calls:
            raise self._failed(
                "the vendor gave no answer" + (f" ({stop})" if re.fullmatch("[A-Z_]{1,40}", stop) else "")
            )
        reason = "max_tokens" if stop == "MAX_TOKENS" else "stop" if stop == "STOP" else "refused"
        yield UsageDelta(usage, stop_reason="tool_calls" if calls and reason == "stop" else reason)  # type: ignore[arg-type]

    def _call(self, part: dict[str, Any]) -> ToolCall:
        asked = part["functionCall"]
        call = ToolCall(str(asked.get("id") or new_id("call")), str(asked.get("name") or ""), fields(asked.get("args")))
        if not call.name:
            raise self._failed("the model asked for a tool in a way that cannot be read")
        if signature := part.get("thoughtSignature"):
            self._signatures[call.id] = str(signature)
            if len(self._signatures) > _MOST_SIGNATURES:
                self._signatures.popitem(last=False)
        return call

    def _parts(self, group: Sequence[Message], names: Mapping[str, str]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        parts: list[dict[str, Any]] = []
        for message in group:
            if message.role == "tool":
                call_id = message.tool_call_id or ""
                key = "error" if message.tool_outcome == "failed" else "output"
                answers.append(
                    {"functionResponse": {"id": call_id, "name": names[call_id], "response": {key: message.content}}}
                )
                continue
            text = message.content if message.role == "assistant" else as_caller_text(message)
            if text:
                parts.append({"text": text})
            for number_of_call, call in enumerate(message.tool_calls):
                part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
                # Of calls asked for at once only the first one is signed.
                if (signature := self._signatures.get(call.id)) or number_of_call == 0:
                    part["thoughtSignature"] = signature or _NO_SIGNATURE
                parts.append(part)
        return [*answers, *parts]


def declaration(tool: Any) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters.get("properties"):
        declared["parametersJsonSchema"] = schema_of(tool)
    return declared


def _calling(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        name = choice.get("name") or fields(choice.get("function")).get("name")
        return {"mode": "ANY", "allowedFunctionNames": [name]}
    return {"mode": {"required": "ANY", "none": "NONE"}.get(str(choice), "AUTO")}


def thinking_config(model: str, effort: str) -> dict[str, Any] | None:
    """As little as the model can do with: Gemini 2.5 has a budget of tokens (Pro cannot do without), later ones have levels."""
    own = model.removeprefix("models/")
    if own.startswith("gemini-2.5"):
        budget = _BUDGETS[effort or "none"]
        return {"thinkingBudget": max(budget, 128) if "pro" in own else budget}
    if re.match(r"gemini-([3-9]|\d\d)", own):
        return {"thinkingLevel": _LEVELS[effort or "low"]}
    return None


def _usage(usage: dict[str, Any]) -> Usage:
    """Thoughts are billed as output."""
    return Usage(
        input_tokens=number(usage.get("promptTokenCount")) + number(usage.get("toolUsePromptTokenCount")),
        output_tokens=number(usage.get("candidatesTokenCount")) + number(usage.get("thoughtsTokenCount")),
        cached_tokens=number(usage.get("cachedContentTokenCount")),
    )
