"""What all language models over HTTP have in common: the account, options of a request, and whose fault an answer without an end is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar

import orjson
import structlog

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import ModelDelta, ModelRequest, UsageDelta
from antiphon.providers.http import Refused, VendorHttp
from antiphon.vocabulary import ToolCall, ToolSpec

EFFORTS = ("", "none", "minimal", "low", "medium", "high", "xhigh", "max")
_MOST_MODELS = 64
"""Models of an account whose refusals are remembered."""
_OPTIONAL = frozenset(
    {
        "temperature",
        "reasoning",
        "reasoning_effort",
        "top_p",
        "parallel_tool_calls",
        "stream_options",
        "prompt_cache_key",
    }
)
"""Fields that a reply can do without: models differ in which of them they take."""

log = structlog.get_logger(__name__)


class HttpLanguageModel(ABC):
    """One account of one vendor. The model's name and numbers come with each request, so one engine serves all assistants."""

    name: ClassVar[str]
    default_url: ClassVar[str] = ""
    needs_key: ClassVar[bool] = True
    per_request: ClassVar[frozenset[str]] = frozenset({"model", "reasoning_effort"})
    optional: ClassVar[frozenset[str]] = _OPTIONAL

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
        """``base_url`` empty: the vendor's own. ``reasoning_effort`` empty: as little as the vendor's models think, where that is known.
        An answer begins within ``first_byte_timeout_ms``, and its pieces come within ``stall_timeout_ms`` of each other.
        Raises ConfigurationError."""
        if not (base_url or self.default_url):
            raise ConfigurationError("llm.base_url", f"{self.name} needs an address: set model.url")
        for field, value in (("first_byte_timeout_ms", first_byte_timeout_ms), ("stall_timeout_ms", stall_timeout_ms)):
            if not 100 <= value <= 300_000:
                raise ConfigurationError(f"llm.{field}", "must be 100 … 300000")
        if reasoning_effort not in EFFORTS:
            raise ConfigurationError("llm.reasoning_effort", f"must be one of {', '.join(EFFORTS[1:])}")
        self._defaults = {"model": model, "reasoning_effort": reasoning_effort}
        self._http = VendorHttp(
            self.name, base_url or self.default_url, self._headers(api_key),
            first_byte_ms=first_byte_timeout_ms, stall_ms=stall_timeout_ms,
        )  # fmt: skip
        self._refused: dict[str, set[str]] = {}
        """Optional fields that a model does not take, as it said."""

    async def start(self) -> None:
        await self._http.start()

    async def close(self) -> None:
        await self._http.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """Raises ProviderError, with one line that says what to do."""
        options = {
            **self._defaults,
            **{name: value for name, value in request.options.items() if value not in (None, "")},
        }
        model = str(options["model"])
        if not model:
            raise ProviderError(self.name, "no model is named: set model.model")
        while True:
            refused = self._refused.get(model, set())
            body = {name: value for name, value in self._body(request, model, options).items() if name not in refused}
            try:
                async with aclosing(self._deltas(body, model)) as deltas:
                    async for delta in deltas:
                        yield _with_model(delta, model)
                return
            except Refused as refusal:
                field = refusal.param.partition(".")[0]
                if refusal.status != 400 or field not in self.optional or field not in body:
                    raise
                # Learnt once for each model; nothing has been said yet, since a refusal comes before all words.
                log.info("model_option_left_out", provider=self.name, option=field)
                if len(self._refused) >= _MOST_MODELS:
                    self._refused.clear()
                self._refused.setdefault(model, set()).add(field)

    # ---------------------------------------------------------------------------------- each vendor's own

    def _headers(self, api_key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {api_key}"} if api_key else {}

    @abstractmethod
    def _body(self, request: ModelRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The request, as this vendor wants it."""

    @abstractmethod
    def _deltas(self, body: dict[str, Any], model: str) -> AsyncGenerator[ModelDelta, None]:
        """What the vendor answers to it. Raises ProviderError."""

    # ---------------------------------------------------------------------------------- for them

    def _failed(self, problem: str) -> ProviderError:
        log.warning("vendor_failed", provider=self.name, code=ProviderError.code, problem=problem)
        return ProviderError(self.name, problem)

    def _tool_call(self, call_id: str, name: str, arguments: str) -> ToolCall:
        """Raises ProviderError for arguments that are no JSON object."""
        try:
            parsed = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict) or not name or not call_id:
            raise self._failed("the model asked for a tool in a way that cannot be read")
        return ToolCall(call_id, name, parsed)


def schema_of(tool: ToolSpec) -> dict[str, Any]:
    """A tool without arguments is a tool with an empty object."""
    return {"type": "object", "properties": {}, **tool.parameters}


def _with_model(delta: ModelDelta, model: str) -> ModelDelta:
    return replace(delta, usage=replace(delta.usage, model=model)) if isinstance(delta, UsageDelta) else delta


def is_strict(schema: Any) -> bool:
    """Whether a schema is one that vendors can hold a model to: every object closed, every property required."""
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties or ()):
            return False
    return all(
        is_strict(value) for name, value in schema.items() if name not in ("enum", "const", "default", "examples")
    )


def fields(value: Any) -> dict[str, Any]:
    """An object in a vendor's answer, which may be absent, null or something else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
