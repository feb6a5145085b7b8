"""What vendors ask, by provider and model: one dated table (``prices.toml``), over which an operator may lay another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, Field, ValidationError

from antiphon.errors import ConfigurationError
from antiphon.files import reason
from antiphon.vocabulary import Usage

TABLE = Path(__file__).with_name("prices.toml")
FREE = frozenset(
    {
        "moonshine",
        "pocketsphinx",
        "faster-whisper",
        "sherpa-onnx",
        "kokoro",
        "scripted",
        "workflow",
        "piper",
        "espeak",
        "ollama",
        "vllm",
        "custom-transcriber",
        "custom-voice",
        "memory",
        "realtime",
        "vapi.websocketCall",
        "webCall",
    }
)
"""They run on the operator's machines: what they cost is not ours to know."""
_MINUTE_MS = 60_000
_MILLION = 1_000_000

log = structlog.get_logger(__name__)

_Price = Annotated[float, Field(ge=0, le=10_000)]
UsageKind = Literal["stt", "llm", "tts"]


class _Table(BaseModel, extra="forbid"):
    as_of: dict[str, str] = {}
    llm: dict[str, dict[str, tuple[_Price, _Price, _Price]]] = {}
    stt: dict[str, dict[str, _Price]] = {}
    tts: dict[str, dict[str, _Price]] = {}
    transport: dict[str, dict[Literal["inbound", "outbound"], _Price]] = {}


def kind_of(usage: Usage) -> UsageKind:
    """Who reports what: voices count characters, recognisers audio, models tokens."""
    return "tts" if usage.characters else "stt" if usage.audio_ms else "llm"


@dataclass(slots=True)
class Prices:
    """US dollars. What has no price costs 0, which is told once in the log and can be asked for (``unknown``)."""

    tables: tuple[_Table, ...]
    """The first that knows a price tells it."""
    unknown: set[tuple[str, str, str]] = field(default_factory=set)
    """(kind, provider, model)."""

    def of(self, provider: str, usage: Usage) -> float:
        kind = kind_of(usage)
        if kind == "llm":
            input_, cached, output = self._row("llm", provider, usage.model) or (0.0, 0.0, 0.0)
            fresh = max(usage.input_tokens - usage.cached_tokens, 0)
            return (fresh * input_ + usage.cached_tokens * cached + usage.output_tokens * output) / _MILLION
        price = self._row(kind, provider, usage.model) or 0.0
        amount = usage.characters / _MILLION if kind == "tts" else usage.audio_ms / _MINUTE_MS
        return float(amount * price)

    def of_transport(self, provider: str, direction: str, duration_ms: int) -> float:
        return duration_ms / _MINUTE_MS * self.a_minute_of(provider, direction)

    def a_minute_of(self, provider: str, direction: str) -> float:
        for table in self.tables:
            rows: Mapping[str, float] = table.transport.get(provider, {})  # type: ignore[assignment]
            if direction in rows:
                return rows[direction]
        self._miss("transport", provider, direction)
        return 0.0

    def knows(self, provider: str, usage: Usage) -> bool:
        """Whether what it costs is known, be it nothing."""
        return provider in FREE or self._find(kind_of(usage), provider, usage.model) is not None

    def _row(self, kind: UsageKind, provider: str, model: str) -> Any:
        found = self._find(kind, provider, model)
        if found is None:
            self._miss(kind, provider, model)
        return found

    def _find(self, kind: UsageKind, provider: str, model: str) -> Any:
        for table in self.tables:
            rows: Mapping[str, Any] = getattr(table, kind).get(provider, {})
            fitting = [name for name in rows if model.startswith(name)]
            if fitting:
                return rows[max(fitting, key=len)]
            if "*" in rows:
                return rows["*"]
        return None

    def _miss(self, kind: str, provider: str, model: str) -> None:
        missed = (kind, provider, model)
        if provider in FREE or missed in self.unknown or len(self.unknown) >= 1000:
            return
        self.unknown.add(missed)
        log.warning("price_unknown", kind=kind, provider=provider, model=model, counted_as=0)


def read_prices(file: Path | None = None) -> Prices:
    """Our table, under the operator's ``file``. Raises ConfigurationError naming the wrong row."""
    own = _read(TABLE, "prices.toml")
    return Prices((own,) if file is None else (_read(file, "costs.prices_file"), own))


def _read(file: Path, name: str) -> _Table:
    try:
        return _Table.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError(name, f"{file} cannot be read ({reason(error)})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(name, f"{file.name} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{name}: {'.'.join(map(str, first['loc']))}", str(first["msg"])) from None
