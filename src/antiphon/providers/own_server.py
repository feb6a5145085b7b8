"""What an engine is told of an application's own server (``transcriber.server``, ``voice.server``), as assistants write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.errors import ConfigurationError

_SECRET_HEADER = "X-Vapi-Secret"


def own_server(server: Any, field: str) -> Mapping[str, Any]:
    """The server. Raises ConfigurationError naming the field where it is none."""
    if not isinstance(server, Mapping):
        raise ConfigurationError(field, "must say url, and perhaps secret and headers")
    return server


def headers_of(server: Mapping[str, Any], field: str, never_given: frozenset[str]) -> dict[str, str]:
    """Its secret and its headers, without those that are the connection's own (``never_given``, in lower case). Raises
    ConfigurationError; it repeats no value, which may be a secret."""
    headers, field = server.get("headers"), f"{field}.headers"
    if headers and not isinstance(headers, Mapping):
        raise ConfigurationError(field, "must be names and values")
    given = {str(name): str(value) for name, value in (headers or {}).items()}
    for name, value in given.items():
        if not (name and name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
            raise ConfigurationError(field, "hold a character that no header has")
        if ":" in name or " " in name:
            raise ConfigurationError(field, "have a name that no header has")
    secret = {_SECRET_HEADER: secret_of(server)} if secret_of(server) else {}
    return {**secret, **{name: value for name, value in given.items() if name.lower() not in never_given}}


def secret_of(server: Mapping[str, Any]) -> str:
    return str(server.get("secret") or "")
