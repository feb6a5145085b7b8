"""Google's ``streamGenerateContent``: ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs/thought-signatures."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.fakes.http_server import KEY, MODEL, FakeVendor, Fault, Reply, Request, sse

STATUSES: dict[str, str] = {
    "wrong key": "UNAUTHENTICATED",
    "rate limit": "RESOURCE_EXHAUSTED",
    "long rate limit": "RESOURCE_EXHAUSTED",
    "no credit": "RESOURCE_EXHAUSTED",
    "no model": "NOT_FOUND",
    "trouble": "UNAVAILABLE",
}


def error_body(code: int, status: str, message: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": details}}).encode()


class FakeGemini(FakeVendor):
    prefix = "/v1beta"

    def refusal(self, request: Request) -> tuple[int, bytes] | None:
        if request.headers.get("x-goog-api-key") != KEY:
            reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            return 400, error_body(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason)
        if request.path != f"/models/{MODEL}:streamGenerateContent?alt=sse":
            return 404, error_body(404, "NOT_FOUND", "models/x is not found")
        problem = self.problem(request.body)
        return (400, error_body(400, "INVALID_ARGUMENT", problem)) if problem else None

    def problem(self, body: dict[str, Any]) -> str:
        asked: list[str] = []
        for content in body["contents"]:
            if content["role"] not in ("user", "model") or not content["parts"]:
                return "Please use a valid role: user, model."
            answers = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
            if answers != asked:
                return "the number of function response parts is not equal to the number of function call parts"
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and not calls[0].get("thoughtSignature"):
                return "Function call is missing a thought_signature in functionCall parts."
            asked = [part["functionCall"]["name"] for part in calls]
        if body["contents"][-1]["role"] != "user":
            return "Please ensure that the conversation ends with a user turn."
        return ""

    def error(self, status: int, fault: Fault) -> bytes:
        message = (
            "You exceeded your current quota, please check your plan and billing details."
            if fault == "no credit"
            else "SECRET WORDS"
        )
        return error_body(status, STATUSES[fault], message)

    def events(self, reply: Reply) -> list[bytes]:
        usage = {"promptTokenCount": reply.read, "candidatesTokenCount": reply.written - 2, "thoughtsTokenCount": 2,
                 "cachedContentTokenCount": reply.cached, "totalTokenCount": reply.read + reply.written}  # fmt: skip

        def chunk(parts: list[dict[str, Any]], finish: str | None = None) -> bytes:
            candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
            if finish:
                candidate["finishReason"] = finish
            return sse({"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r1"})

        events = [
            chunk([{"text": "I wonder.", "thought": True}]),
            *(chunk([{"text": piece}]) for piece in reply.pieces),
        ]
        parts: list[dict[str, Any]] = [
            {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}} for call in reply.calls
        ]
        if parts:
            parts[0]["thoughtSignature"] = "c2lnbmVk"
        if reply.stop != "length" and parts:
            events.append(chunk(parts))
        return [*events, chunk([{"text": ""}], {"end": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}[reply.stop])]

    def error_event(self) -> bytes:
        return sse({"error": {"code": 503, "message": "SECRET WORDS", "status": "UNAVAILABLE"}})
