"""Errors as JSON, each in the shape of the protocol that is spoken at its path."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import orjson

from antiphon.transports.handshake import plain_error

_OPENAI = ("v1", "openai")
_API = frozenset(
    [
        "analytics",
        "assistant",
        "assistants",
        "call",
        "campaign",
        "chat",
        "credential",
        "eval",
        "file",
        "files",
        "knowledge-base",
        "log",
        "logs",
        "observability",
        "org",
        "phone-number",
        "phone-numbers",
        "provider",
        "reporting",
        "session",
        "squad",
        "squads",
        "structured-output",
        "template",
        "token",
        "tool",
        "tools",
        "traffic-allocations",
        "v2",
        "voice-library",
        "workflow",
        "workflows",
    ]
)
"""First parts of the paths of the REST API, and of the platform's that we have not. (``/calls`` is an operator's.)"""
_NOT_HERE = {
    "/campaign": "campaigns: make calls with customers and schedulePlan (POST /call)",
    "/v2/campaign": "campaigns: make calls with customers and schedulePlan (POST /call)",
    "/knowledge-base": "knowledge bases: upload files (POST /file) and name them in a tool of type query",
    "/v2/knowledge-base": "knowledge bases: upload files (POST /file) and name them in a tool of type query",
    "/reporting": "boards and insights: POST /analytics sums over calls",
    "/observability": "scorecards: structured outputs are read out of calls (POST /structured-output)",
    "/provider": "resources of providers: manage them at the provider",
    "/template": "templates: copy an assistant (POST /assistant)",
    "/voice-library": "library of voices: a voice is named by its voiceId, whatever the provider has",
    "/traffic-allocations": "traffic allocations: name the assistant of each call, or answer assistant-request",
    "/v2/assistant": "such list of assistants: GET /assistant",
    "/v2/call": "such list of calls: GET /call and GET /v2/call",
}
"""Paths of the platform, and what there is instead."""
_CODES = {401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed"}


def openai_error(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    """The body that OpenAI's SDKs read."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def nest_error(status: int, message: str | Sequence[str], error: str | None = None) -> bytes:
    """The body of the REST API, as NestJS writes it. A failure of ours has no ``error``."""
    text = message if isinstance(message, str) else list(message)
    if status == 500:
        return orjson.dumps({"message": text, "statusCode": status})
    return orjson.dumps({"message": text, "error": error or HTTPStatus(status).phrase, "statusCode": status})


def error_body(path: str, status: int, message: str) -> bytes:
    """An error as JSON: OpenAI's where its API is, NestJS's in the REST API, else ``{"detail": …}``."""
    if is_api(path):
        if status == 404 and message == HTTPStatus.NOT_FOUND.phrase:
            message = _instead_of(path) or message
        return nest_error(status, "Internal server error" if status == 500 else message)
    if not is_openai(path):
        return plain_error(path, status, message)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return openai_error(message, kind, None, _CODES.get(status))


def is_openai(path: str) -> bool:
    """Whether OpenAI's API is spoken at this path."""
    return _first(path) in _OPENAI


def is_api(path: str) -> bool:
    """Whether the REST API is spoken at this path."""
    return _first(path) in _API


def _instead_of(path: str) -> str:
    for prefix, what in _NOT_HERE.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return f"This server has no {what}."
    return ""


def _first(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]
