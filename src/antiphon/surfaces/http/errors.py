"""Errors as JSON, each in the shape of the protocol that is spoken at its path."""

from __future__ import annotations

import orjson

from antiphon.transports.handshake import plain_error

_OPENAI = ("/v1", "/openai")
_CODES = {401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed"}


def openai_error(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    """The body that OpenAI's SDKs read."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_body(path: str, status: int, message: str) -> bytes:
    """An error as JSON: OpenAI's where its API is, else ``{"detail": …}``."""
    if not is_openai(path):
        return plain_error(path, status, message)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return openai_error(message, kind, None, _CODES.get(status))


def is_openai(path: str) -> bool:
    """Whether OpenAI's API is spoken at this path."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _OPENAI)
