"""What a call costs: counted while it runs, by vendor and model, and reckoned again from its event log when it is over.

Rows and sums have the Vapi API's names. All money is in US dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.providers.prices import Prices, kind_of
from antiphon.session.event_log import EventLog
from antiphon.vocabulary import Usage

_MINUTE_MS = 60_000
_MAX_ROWS = 200
"""Of one call: models and voices are few, but a client may change them as it likes."""


def added(one: Usage, other: Usage) -> Usage:
    """Of the same model."""
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.characters + other.characters,
        one.audio_ms + other.audio_ms,
        one.cached_tokens + other.cached_tokens,
        one.model,
    )


@dataclass(slots=True)
class CallCost:
    """The meter of one call."""

    provider: str
    """The carrier or surface that brought it."""
    direction: str
    rows: dict[tuple[str, str, str], Usage] = field(default_factory=dict)
    """By kind, provider and model."""
    engines_usd: float = 0.0
    """What the engines cost until now."""
    duration_ms: int = 0

    def add(self, provider: str, usage: Usage, prices: Prices) -> None:
        key = (kind_of(usage), provider, usage.model)
        known = self.rows.get(key)
        if known is None and len(self.rows) >= _MAX_ROWS:
            key = (key[0], "other", "")
            known = self.rows.get(key)
        self.rows[key] = usage if known is None else added(known, usage)
        self.engines_usd += prices.of(provider, usage)

    def total_usd(self, prices: Prices) -> float:
        return self.engines_usd + prices.of_transport(self.provider, self.direction, self.duration_ms)


def cost_from_log(parts: Sequence[EventLog], prices: Prices) -> CallCost:
    """Of a call in its parts; an empty list costs nothing."""
    carrier = parts[0].header.carrier if parts else {}
    cost = CallCost(carrier.get("provider", ""), carrier.get("direction", "inbound"))
    for part in parts:
        for entry in part.used:
            cost.add(entry.provider, entry.usage, prices)
        last_ms = max((entry.now_ms for entry in part.entries[-1:]), default=part.header.started_ms)
        cost.duration_ms += last_ms - part.header.started_ms
    return cost


@dataclass(frozen=True, slots=True)
class AnalysisUse:
    """One question to a model about a call that is over."""

    kind: str
    """``summary``, ``structuredData``, ``successEvaluation`` or ``structuredOutput``."""
    provider: str
    usage: Usage


def cost_fields(cost: CallCost, prices: Prices, analysis: Iterable[AnalysisUse] = ()) -> dict[str, Any]:
    """``cost``, ``costs`` and ``costBreakdown`` of the call object. Rows that cost nothing are there: dashboards sum them."""
    analysis = list(analysis)
    minutes = round(cost.duration_ms / _MINUTE_MS, 4)
    transport = prices.of_transport(cost.provider, cost.direction, cost.duration_ms)
    rows: list[dict[str, Any]] = [
        {"type": "transport", "provider": cost.provider, "minutes": minutes, "cost": _money(transport)}
    ]
    used = {"stt": 0.0, "llm": 0.0, "tts": 0.0}
    tokens = Usage()
    for (kind, provider, _), usage in cost.rows.items():
        price = prices.of(provider, usage)
        used[kind] += price
        tokens = added(tokens, usage)
        rows.append(_row(kind, provider, usage, price))
    present = {kind for kind, _, _ in cost.rows}
    rows += [_row(kind, "", Usage(), 0.0) for kind in used if kind not in present]
    rows.append({"type": "vapi", "subType": "normal", "minutes": minutes, "cost": 0.0})
    rows += [_analysis_row(use, prices) for use in analysis]
    analysis_cost = sum(prices.of(use.provider, use.usage) for use in analysis)
    total = transport + sum(used.values()) + analysis_cost
    return {
        "cost": _money(total),
        "costs": rows,
        "costBreakdown": {
            "transport": _money(transport),
            **{kind: _money(price) for kind, price in used.items()},
            "vapi": 0.0,
            "chat": 0.0,
            "total": _money(total),
            "llmPromptTokens": tokens.input_tokens,
            "llmCompletionTokens": tokens.output_tokens,
            "llmCachedPromptTokens": tokens.cached_tokens,
            "ttsCharacters": tokens.characters,
            "analysisCostBreakdown": _analysis_breakdown(analysis, prices),
        },
    }


def _row(kind: str, provider: str, usage: Usage, price: float) -> dict[str, Any]:
    named = {"provider": provider, "model": usage.model}
    if kind == "stt":
        minutes = round(usage.audio_ms / _MINUTE_MS, 4)
        return {"type": "transcriber", "transcriber": named, "minutes": minutes, "cost": _money(price)}
    if kind == "tts":
        return {"type": "voice", "voice": named, "characters": usage.characters, "cost": _money(price)}
    return {"type": "model", "model": named, **_tokens(usage), "cost": _money(price)}


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "promptTokens": usage.input_tokens,
        "completionTokens": usage.output_tokens,
        "cachedPromptTokens": usage.cached_tokens,
    }


def _analysis_row(use: AnalysisUse, prices: Prices) -> dict[str, Any]:
    named = {"provider": use.provider, "model": use.usage.model}
    price = _money(prices.of(use.provider, use.usage))
    return {"type": "analysis", "analysisType": use.kind, "model": named, **_tokens(use.usage), "cost": price}


def _analysis_breakdown(analysis: Sequence[AnalysisUse], prices: Prices) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name in ("summary", "structuredData", "successEvaluation", "structuredOutput"):
        of_kind = [use for use in analysis if use.kind == name]
        sums[name] = _money(sum(prices.of(use.provider, use.usage) for use in of_kind))
        sums[f"{name}PromptTokens"] = sum(use.usage.input_tokens for use in of_kind)
        sums[f"{name}CompletionTokens"] = sum(use.usage.output_tokens for use in of_kind)
    return sums


def _money(usd: float) -> float:
    """A hundredth of a thousandth of a cent is the last that is told."""
    return round(usd, 7)
