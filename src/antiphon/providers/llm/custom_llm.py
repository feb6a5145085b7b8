"""A server of one's own, as Vapi's users have them: chat completions, with headers of its own, that are told which call they are for.

What is sent beside the protocol's fields (``metadataSendMode``) is written in the platform's API reference, ``CustomLLMModel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ABOUT_CALL, ModelRequest
from antiphon.providers.llm.openai_chat import ChatCompletions

_MODES = ("off", "variable", "destructured")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_OURS = frozenset(
    {"connection", "content-length", "content-type", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
_MAX_HEADERS = 50
_MAX_VALUE_CHARS = 8192


class CustomLlm(ChatCompletions):
    name = "custom-llm"
    optional: ClassVar[frozenset[str]] = ChatCompletions.optional | {"call", "customer", "metadata", "phoneNumber"}

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 0,
        metadata_send_mode: str = "variable",
        api_key: str = "",
        base_url: str = "",
        model: str = "",
        reasoning_effort: str = "",
        first_byte_timeout_ms: int = 10_000,
        stall_timeout_ms: int = 10_000,
    ) -> None:
        """``headers`` go with every request, in the place of ours of the same name. ``timeout_seconds``, where it is given, is how long an
        answer may take to begin. ``metadata_send_mode``: ``variable`` sends the assistant's metadata as one field, ``destructured`` its
        fields by themselves, and both say which call it is; ``off`` sends nothing. Raises ConfigurationError."""
        if metadata_send_mode not in _MODES:
            raise ConfigurationError("llm.metadata_send_mode", f"must be one of {', '.join(_MODES)}")
        if not 0 <= timeout_seconds <= 300:
            raise ConfigurationError("llm.timeout_seconds", "must be 0 … 300")
        self._own_headers = _checked(headers or {})
        self._mode = metadata_send_mode
        super().__init__(
            api_key=api_key, base_url=base_url, model=model, reasoning_effort=reasoning_effort,
            first_byte_timeout_ms=max(round(timeout_seconds * 1000), 100) if timeout_seconds else first_byte_timeout_ms,
            stall_timeout_ms=stall_timeout_ms,
        )  # fmt: skip

    def _headers(self, api_key: str) -> dict[str, str]:
        return {**super()._headers(api_key), **self._own_headers}

    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        body = super()._body(request, model, options)
        about = options.get(ABOUT_CALL)
        if self._mode == "off" or not isinstance(about, Mapping):
            return body
        if self._mode == "variable":
            return {**about, **body}
        metadata = about.get("metadata")
        rest = {name: value for name, value in about.items() if name != "metadata"}
        return {**(metadata if isinstance(metadata, Mapping) else {}), **rest, **body}


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Lower-case names. Raises ConfigurationError; it does not repeat a value, which may be a secret."""
    if not isinstance(headers, Mapping) or len(headers) > _MAX_HEADERS:
        raise ConfigurationError("llm.headers", f"must be an object of at most {_MAX_HEADERS} names")
    checked = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise ConfigurationError("llm.headers", f"{str(name)[:40]!r} is no header that may be set")
        if (
            not isinstance(value, str)
            or len(value) > _MAX_VALUE_CHARS
            or not value.isascii()
            or not value.isprintable()
        ):
            raise ConfigurationError(
                f"llm.headers.{name}", f"must be printable ASCII of at most {_MAX_VALUE_CHARS} characters"
            )
        checked[name.lower()] = value
    return checked
