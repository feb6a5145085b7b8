"""Whether an assistant answered as fast as a scenario expects, by the latencies that were measured in the call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

MOST_EXPECTATIONS = 20
METRICS: Mapping[str, str] = {"turn": "turnLatency", "model": "modelLatency", "voice": "voiceLatency"}
"""With the field of a turn in an artifact's ``performanceMetrics``."""
AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "median": median,
    "p95": lambda values: sorted(values)[math.ceil(0.95 * len(values)) - 1],
    "max": max,
}
"""``p95`` by the nearest rank: of fewer than 20 turns the slowest, as the platform says of it."""
FORM: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "fields": {
            "metric": {"type": "string", "enum": list(METRICS)},
            "aggregation": {"type": "string", "enum": list(AGGREGATIONS)},
            "thresholdMs": {"type": "number", "min": 0},
            "required": {"type": "boolean"},
        },
        "required": ["metric", "aggregation", "thresholdMs"],
    },
}
"""As the platform's SDK has it (``LatencyExpectation``); its OpenAPI document does not have it yet."""
IN_TEXT = "no latency is measured in a chat"


def latency_evaluations(
    expectations: Sequence[Mapping[str, Any]], turns: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """``latencyEvaluations`` of an item's results. ``turns``: ``turnLatencies`` of the call; None: it was a chat, and nothing is judged."""
    return [_evaluated(each, turns) for each in expectations]


def _evaluated(expected: Mapping[str, Any], turns: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    name = METRICS[expected["metric"]]
    values = [turn[name] for turn in turns or () if turn.get(name) is not None]
    result: dict[str, Any] = {
        "metric": expected["metric"],
        "aggregation": expected["aggregation"],
        "thresholdMs": expected["thresholdMs"],
        "sampleCount": len(values),
        "passed": False,
        "required": expected.get("required") is not False,
    }
    if turns is None:
        return {**result, "isSkipped": True, "skipReason": IN_TEXT}
    if not values:
        return result
    actual = math.floor(AGGREGATIONS[expected["aggregation"]](values) + 0.5)
    return {**result, "actualMs": actual, "passed": actual <= expected["thresholdMs"]}


def latency_line(result: Mapping[str, Any]) -> str:
    """One that has failed, in words."""
    told = f"it was {result['actualMs']} ms" if "actualMs" in result else "no turn measured it"
    return f"{result['metric']} latency ({result['aggregation']}): at most {result['thresholdMs']:g} ms was expected, {told}"
