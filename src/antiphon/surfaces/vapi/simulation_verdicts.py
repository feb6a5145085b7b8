"""Whether a simulated conversation went as it should: what is read out of it, compared with what its scenario expects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from antiphon.assistants.output_conditions import Facts, conditions_of
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.vapi.simulation_kinds import type_of
from antiphon.surfaces.vapi.simulation_latencies import latency_evaluations, latency_line

MAX_REASON_CHARS = 2000
ReadOutput = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""What a structured output (its document) says of the conversation. Raises ConfigurationError, ProviderError."""
FindOutput = Callable[[str], Awaitable[Mapping[str, Any] | None]]
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
}


async def judged(
    scenario: Mapping[str, Any],
    facts: Facts,
    turns: Sequence[Mapping[str, Any]] | None,
    find: FindOutput,
    read: ReadOutput,
) -> dict[str, Any]:
    """``results`` of a run's item. ``turns``: the latencies that were measured; None: it was a chat. Raises StoreUnavailable."""
    results: dict[str, Any] = {
        "evaluations": [await _judged(item, facts, find, read) for item in scenario["evaluations"]]
    }
    if expectations := scenario.get("latencyExpectations"):
        results["latencyEvaluations"] = latency_evaluations(expectations, turns)
    return {**results, "passed": _passed(_required(results))}


def _required(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    every = (*results["evaluations"], *results.get("latencyEvaluations", ()))
    return [each for each in every if each["required"]]


def _passed(required: Sequence[Mapping[str, Any]]) -> bool:
    """What was skipped does not count, as the platform says. Where all was, nothing says that it went well."""
    counted = [each["passed"] for each in required if not each.get("isSkipped")]
    return all(counted) and (bool(counted) or not required)


async def _judged(item: Mapping[str, Any], facts: Facts, find: FindOutput, read: ReadOutput) -> dict[str, Any]:
    id = item.get("structuredOutputId") or ""
    output = await find(id) if id else item["structuredOutput"]
    result: dict[str, Any] = {
        "structuredOutputId": id or "inline",
        "name": (output or {}).get("name") or "",
        "extractedValue": None,
        "expectedValue": item["value"],
        "comparator": item["comparator"],
        "passed": False,
        "required": item.get("required") is not False,
    }
    if item.get("path"):
        result["path"] = item["path"]
    if output is None:
        return {**result, "error": f"there is no structured output {id} any more"}
    result |= {name: output[name] for name in ("description", "schema") if output.get(name)}
    try:
        if why_not := conditions_of(output).why_not(facts):
            return {**result, "isSkipped": True, "skipReason": why_not}
        found = part_of(await read(output), item.get("path") or "")
    except (ConfigurationError, ProviderError) as error:
        return {**result, "error": str(error)}
    if found is not None and not type_of(found):
        return {**result, "error": "what was read is no single value: name one by path"}
    return {**result, "extractedValue": found, "passed": holds(item["comparator"], found, item["value"])}


def part_of(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def holds(comparator: str, found: Any, wanted: Any) -> bool:
    """Values of different types are never equal: true is not 1, and "7" not 7. Of what was not found nothing holds."""
    if found is None:
        return False
    same_type = type_of(found) == type_of(wanted)
    if comparator in _ORDER:
        return same_type and type_of(wanted) == "number" and _ORDER[comparator](found, wanted)
    equal = same_type and found == wanted
    return equal if comparator == "=" else not equal


def failure_of(results: Mapping[str, Any]) -> str:
    """In words: which of the required evaluations did not pass, and why."""
    required = _required(results)
    failed = [each for each in required if not each["passed"]]
    if not all(each.get("isSkipped") for each in failed):
        failed = [each for each in failed if not each.get("isSkipped")]
    lines = [latency_line(each) if "metric" in each and not each.get("isSkipped") else _line(each) for each in failed]
    return "; ".join(lines)[:MAX_REASON_CHARS]


def _line(result: Mapping[str, Any]) -> str:
    called = result.get("name") or (f"{result['metric']} latency" if "metric" in result else "evaluation")
    name = ".".join(part for part in (called, result.get("path")) if part)
    if problem := result.get("error"):
        return f"{name}: {problem}"
    if result.get("isSkipped"):
        return f"{name}: not judged, as {result['skipReason']}"
    found = result["extractedValue"]
    told = "nothing was found" if found is None else f"it was {_told(found)}"
    return f"{name}: {result['comparator']} {_told(result['expectedValue'])} was expected, {told}"


def _told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def latency_metrics(performance: Mapping[str, Any]) -> dict[str, Any]:
    """Of an artifact's ``performanceMetrics``."""
    turns = performance.get("turnLatencies") or ()
    names = {
        "avgTurn": "turnLatencyAverage", "avgTranscriber": "transcriberLatencyAverage", "avgModel": "modelLatencyAverage",
        "avgVoice": "voiceLatencyAverage", "avgEndpointing": "endpointingLatencyAverage",
    }  # fmt: skip
    averages = {ours: performance[name] for ours, name in names.items() if name in performance}
    return {"turnCount": len(turns), **(averages if turns else {})}
