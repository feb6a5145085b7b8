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
        "v2",
        "workflow",
        "workflows",
    ]
)
"""First parts of the paths of the REST API, and of the platform's that we have not. (``/calls`` is an operator's.)"""
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


def _first(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]
