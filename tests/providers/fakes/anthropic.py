"""Anthropic's messages, as platform.claude.com/docs/en/build-with-claude/streaming and …/api/errors describe them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.providers.fakes.http_server import KEY, MODEL, FakeVendor, Fault, Reply, Request, halves, sse

KINDS: dict[str, str] = {
    "wrong key": "authentication_error",
    "rate limit": "rate_limit_error",
    "long rate limit": "rate_limit_error",
    "no credit": "billing_error",
    "no model": "not_found_error",
    "trouble": "overloaded_error",
}


def error_body(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


class FakeAnthropic(FakeVendor):
    def refusal(self, request: Request) -> tuple[int, bytes] | None:
        body, headers = request.body, request.headers
        # The documentation sends the key as x-api-key, the SDK since 2.14 as a bearer token.
        if KEY not in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")):
            return 401, error_body(KINDS["wrong key"], "invalid x-api-key")
        if not headers.get("anthropic-version"):
            return 400, error_body("invalid_request_error", "anthropic-version: header is required")
        if request.path != "/v1/messages" or body.get("model") != MODEL:
            return 404, error_body("not_found_error", f"model: {body.get('model')}")
        problem = self.problem(body)
        return (400, error_body("invalid_request_error", problem)) if problem else None

    def problem(self, body: dict[str, Any]) -> str:
        if "max_tokens" not in body:
            return "max_tokens: Field required"
        roles = [message["role"] for message in body["messages"]]
        if not roles or roles[0] != "user" or roles[-1] != "user":
            return "messages: the conversation must begin and end with a user message"
        if set(roles) - {"user", "assistant"}:
            return "messages: unexpected role"
        open_calls: set[str] = set()
        for message in body["messages"]:
            content = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            answers = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
            if answers != open_calls:
                return "tool_use ids were found without tool_result blocks immediately after"
            if answers and [block["type"] for block in blocks[: len(answers)]] != ["tool_result"] * len(answers):
                return "tool_result blocks must come first"
            if any(not re.fullmatch("[A-Za-z0-9_-]+", block["id"]) for block in blocks if block["type"] == "tool_use"):
                return "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
                return "text content blocks must be non-empty"
            open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
        marked = json.dumps(body).count("cache_control")
        return "A maximum of 4 blocks with cache_control may be provided" if marked > 4 else ""

    def error(self, status: int, fault: Fault) -> bytes:
        return error_body(KINDS[fault], "the caller said SECRET WORDS")

    def events(self, reply: Reply) -> list[bytes]:
        usage = {"input_tokens": reply.read - reply.cached, "cache_creation_input_tokens": 0, "cache_read_input_tokens": reply.cached,
                 "output_tokens": 1}  # fmt: skip
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "stop_reason": None,
                   "stop_sequence": None, "usage": usage}  # fmt: skip
        events = [sse({"type": "message_start", "message": message}, "message_start"), sse({"type": "ping"}, "ping")]
        index = 0

        def block(start: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
            nonlocal index
            events.append(
                sse({"type": "content_block_start", "index": index, "content_block": start}, "content_block_start")
            )
            events.extend(
                sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
                for delta in deltas
            )
            events.append(sse({"type": "content_block_stop", "index": index}, "content_block_stop"))
            index += 1

        if reply.pieces:
            block({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in reply.pieces])
        for call in reply.calls:
            pieces = halves(json.dumps(call.arguments))[: 1 if reply.stop == "length" else 2]
            block(
                {"type": "tool_use", "id": call.id, "name": call.name, "input": {}},
                [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)],
            )
        stop = {"end": "tool_use" if reply.calls else "end_turn", "length": "max_tokens", "filter": "refusal"}[
            reply.stop
        ]
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": reply.written},
        }
        return [*events, sse(delta, "message_delta"), sse({"type": "message_stop"}, "message_stop")]

    def error_event(self) -> bytes:
        return sse({"type": "error", "error": {"type": "overloaded_error", "message": "SECRET WORDS"}}, "error")
