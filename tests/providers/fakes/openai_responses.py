"""OpenAI's Responses API, as platform.openai.com/docs/api-reference/responses and …/responses-streaming describe it."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.fakes.http_server import MODEL, Reply
from tests.providers.fakes.openai_chat import FakeOpenAi

from antiphon.bench.vendors.messages import FunctionCall, Usage, openai_response, sse


class FakeOpenAiResponses(FakeOpenAi):
    path = "/responses"

    def problem(self, body: dict[str, Any]) -> str:
        asked: set[str] = set()
        answered: set[str] = set()
        for item in body["input"]:
            if item.get("type") == "function_call":
                json.loads(item["arguments"])
                asked.add(item["call_id"])
            elif item.get("type") == "function_call_output":
                answered.add(item["call_id"])
            elif not item["content"]:
                return "content must not be empty"
        if body.get("max_output_tokens", 16) < 16:
            return "max_output_tokens must be at least 16"
        for tool in body.get("tools", ()):
            if tool["strict"] and tool["parameters"].get("additionalProperties") is not False:
                return "additionalProperties must be false in strict mode"
        return "" if asked == answered else "No tool output found for function call"

    def events(self, reply: Reply) -> list[bytes]:
        calls = [FunctionCall(call.name, json.dumps(call.arguments), call.id) for call in reply.calls]
        reason = {"end": "", "length": "max_output_tokens", "filter": "content_filter"}[reply.stop]
        usage = Usage(reply.read, reply.cached, reply.written)
        return openai_response(MODEL, reply.pieces, calls, incomplete=reason, usage=usage)

    def error_event(self) -> bytes:
        return sse(
            {"type": "error", "sequence_number": 9, "code": "server_error", "message": "SECRET WORDS", "param": None},
            "error",
        )
