"""OpenAI's chat completions, as platform.openai.com/docs/api-reference/chat/create and …/chat-streaming describe them."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.fakes.http_server import KEY, MODEL, FakeVendor, Fault, Reply, Request, halves, sse

CODES: dict[str, tuple[str, str]] = {
    "wrong key": ("invalid_request_error", "invalid_api_key"),
    "rate limit": ("requests", "rate_limit_exceeded"),
    "long rate limit": ("requests", "rate_limit_exceeded"),
    "no credit": ("insufficient_quota", "insufficient_quota"),
    "no model": ("invalid_request_error", "model_not_found"),
    "trouble": ("server_error", "server_error"),
}


def error_body(kind: str, code: str, message: str = "", param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message or "no", "type": kind, "param": param, "code": code}}).encode()


class FakeOpenAi(FakeVendor):
    """What both of OpenAI's APIs have in common."""

    prefix = "/v1"
    path = ""
    unsupported: tuple[str, ...] = ()
    """Fields that this model does not take."""

    def refusal(self, request: Request) -> tuple[int, bytes] | None:
        body = request.body
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return 401, error_body(
                *CODES["wrong key"], f"Incorrect API key provided: {request.headers.get('authorization')}"
            )
        if request.path != self.path:
            return 404, error_body("invalid_request_error", "unknown_url")
        if body.get("model") != MODEL:
            return 404, error_body(*CODES["no model"], param="model")
        for name in self.unsupported:
            if name in body:
                param = f"{name}.effort" if name == "reasoning" else name
                return 400, error_body("invalid_request_error", "unsupported_parameter", param=param)
        problem = self.problem(body)
        return (400, error_body("invalid_request_error", "invalid_value", problem)) if problem else None

    def problem(self, body: dict[str, Any]) -> str:
        raise NotImplementedError

    def error(self, status: int, fault: Fault) -> bytes:
        return error_body(*CODES[fault], "the caller said SECRET WORDS")


class FakeOpenAiChat(FakeOpenAi):
    path = "/chat/completions"

    def problem(self, body: dict[str, Any]) -> str:
        open_calls: set[str] = set()
        for message in body["messages"]:
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
                open_calls.discard(message["tool_call_id"])
                continue
            if open_calls:
                return "an assistant message with 'tool_calls' must be followed by tool messages"
            open_calls = {call["id"] for call in message.get("tool_calls", ())}
            if any(len(call_id) > 40 for call_id in open_calls):
                return "string too long. Expected a string with maximum length 40"
            if not message.get("content") and not open_calls:
                return "content must not be empty"
        return "tool_calls without answers" if open_calls else ""

    def events(self, reply: Reply) -> list[bytes]:
        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return sse(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": MODEL,
                    "choices": [choice],
                }
            )

        events = [chunk({"role": "assistant", "content": "", "refusal": None})]
        events += [chunk({"content": piece}) for piece in reply.pieces]
        for index, call in enumerate(reply.calls):
            events.append(
                chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function",
                                       "function": {"name": call.name, "arguments": ""}}]})
            )  # fmt: skip
        for number in (0, 1):  # arguments of parallel calls may come by turns
            for index, call in enumerate(reply.calls):
                piece = halves(json.dumps(call.arguments))[number]
                if not (reply.stop == "length" and number):
                    events.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        finish = {"end": "tool_calls" if reply.calls else "stop", "length": "length", "filter": "content_filter"}[
            reply.stop
        ]
        usage = {
            "prompt_tokens": reply.read, "completion_tokens": reply.written, "total_tokens": reply.read + reply.written,
            "prompt_tokens_details": {"cached_tokens": reply.cached, "audio_tokens": 0},
        }  # fmt: skip
        last = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": [],
            "usage": usage,
        }
        return [*events, chunk({}, finish), sse(last), b"data: [DONE]\n\n"]

    def error_event(self) -> bytes:
        return sse({"error": {"message": "SECRET WORDS", "type": "server_error", "code": None}})
