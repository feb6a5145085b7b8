"""What simulations are made of: personalities (who calls), scenarios (what for, and how it is judged), simulations (one of each), and
suites of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.assistants.output_conditions import conditions_of
from antiphon.calls.stores import ResourceStore
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.documents import MAX_ID_CHARS, Kind
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.kinds import check_pattern
from antiphon.surfaces.vapi.simulation_hooks import wrong_hooks
from antiphon.surfaces.vapi.simulation_latencies import MOST_EXPECTATIONS
from antiphon.wire_model import join

PERSONALITY, SCENARIO, SIMULATION, SUITE = "personality", "scenario", "simulation", "simulation-suite"
MOST_EVALUATIONS = 50
MOST_SIMULATIONS = 100
"""Of a suite."""
_FOLDERS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*(?:/[a-zA-Z0-9][a-zA-Z0-9._-]*){0,2}")
_EQUALITY = ("=", "!=")
_COMPARATORS: Mapping[str, Sequence[str]] = {
    "boolean": _EQUALITY,
    "string": _EQUALITY,
    "number": (*_EQUALITY, ">", "<", ">=", "<="),
    "integer": (*_EQUALITY, ">", "<", ">=", "<="),
}
"""By the type of the value that is read out."""


def personalities(*, strict: bool) -> Kind:
    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        check_personality(body, strict=strict)

    return Kind(PERSONALITY, check=check)


def check_personality(body: Mapping[str, Any], path: str = "", *, strict: bool = False) -> None:
    """Raises ApiError 400."""
    fields.require("CreatePersonalityDTO", body, path, strict=strict)
    _require_folder(body, path)


def scenarios(store: ResourceStore, *, strict: bool) -> Kind:
    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await check_scenario(store, org_id, body, strict=strict)

    return Kind(SCENARIO, check=check)


async def check_scenario(
    store: ResourceStore, org_id: str, body: Mapping[str, Any], path: str = "", *, strict: bool = False
) -> None:
    """Raises ApiError 400: also where a structured output is not there that it is to be judged by."""
    fields.require("CreateScenarioDTO", body, path, strict=strict)
    _require_folder(body, path)
    problems = wrong_hooks(body.get("hooks") or (), join(path, "hooks"))
    if len(body["evaluations"]) > MOST_EVALUATIONS:
        problems.append(f"{join(path, 'evaluations')} must contain no more than {MOST_EVALUATIONS} elements")
    if len(body.get("latencyExpectations") or ()) > MOST_EXPECTATIONS:
        problems.append(f"{join(path, 'latencyExpectations')} must contain no more than {MOST_EXPECTATIONS} elements")
    for at, item in enumerate(body["evaluations"][:MOST_EVALUATIONS]):
        problems += await _wrong_evaluation(store, org_id, item, join(path, f"evaluations.{at}"))
    if problems:
        raise ApiError(400, problems)


async def _wrong_evaluation(store: ResourceStore, org_id: str, item: Mapping[str, Any], path: str) -> Sequence[str]:
    id, output = item.get("structuredOutputId"), item.get("structuredOutput")
    if bool(id) == bool(output):
        return [f"{path}: exactly one of structuredOutputId and structuredOutput must be provided"]
    if id:
        found = await _find(store, "structured-output", org_id, id)
        if found is None:
            return [f"{path}.structuredOutputId: there is no structured output {id[:64]}"]
        output = found
    assert isinstance(output, Mapping), "its form says so"
    try:
        conditions_of(output)
        await check_pattern(output)
    except ConfigurationError as error:
        return [f"{path}.structuredOutput.{error.field} {error.problem}"]
    return _wrong_comparison(item, output.get("schema") or {}, path)


def _wrong_comparison(item: Mapping[str, Any], schema: Any, path: str) -> Sequence[str]:
    """Where the type of what will be read is known: whether it can be compared so."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if item.get("path"):
        return [] if kind in (None, "object", "array") else [f"{path}.path: the output's schema has no parts"]
    if kind in ("object", "array"):
        return [f"{path}.path must name one value in it: the output's schema is of type {kind}"]
    allowed = _COMPARATORS.get(str(kind))
    if allowed is None:
        return []
    if item["comparator"] not in allowed:
        return [f"{path}.comparator must be one of the following values for a {kind}: {', '.join(allowed)}"]
    wanted = "number" if kind == "integer" else kind
    if type_of(item["value"]) == wanted:
        return []
    return [f"{path}.value must be a {wanted}, as the output's schema says"]


def type_of(value: Any) -> str:
    """In the words of JSON Schema; empty for what is no single value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else ""


def simulations(store: ResourceStore, *, strict: bool) -> Kind:
    """What one points to has to be there when it is named; what has been deleted since does not keep it from being changed."""

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        fields.require("CreateSimulationDTO", body, strict=strict)
        _require_folder(body)
        before = await _find(store, SIMULATION, org_id, id) or {}
        problems = [
            f"{name}Id: there is no {name} {body[f'{name}Id'][:64]}"
            for name in (SCENARIO, PERSONALITY)
            if body[f"{name}Id"] != before.get(f"{name}Id")
            and await _find(store, name, org_id, body[f"{name}Id"]) is None
        ]
        if problems:
            raise ApiError(400, problems)

    return Kind(SIMULATION, check=check)


def suites(store: ResourceStore, *, strict: bool) -> Kind:
    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        fields.require("CreateSimulationSuiteDTO", body, strict=strict)
        _require_folder(body)
        ids = body["simulationIds"]
        if len(ids) > MOST_SIMULATIONS:
            raise ApiError(400, [f"simulationIds must contain no more than {MOST_SIMULATIONS} elements"])
        before = (await _find(store, SUITE, org_id, id) or {}).get("simulationIds") or ()
        problems = [
            f"simulationIds.{at}: there is no simulation {each[:64]}"
            for at, each in enumerate(ids)
            if each not in before and await _find(store, SIMULATION, org_id, each) is None
        ]
        if problems:
            raise ApiError(400, problems)

    return Kind(SUITE, check=check)


def suite_warnings(suite: Mapping[str, Any]) -> list[str]:
    """What of a suite is kept and has no effect."""
    warnings = fields.unknown_lines("CreateSimulationSuiteDTO", suite)
    if suite.get("slackWebhookUrl"):
        warnings.append("slackWebhookUrl: kept, and nothing is posted to it")
    if suite.get("targetAssignments"):
        warnings.append("targetAssignments: kept, and has no effect: a run says itself who is called")
    return warnings


def _require_folder(body: Mapping[str, Any], path: str = "") -> None:
    folder = body.get("path")
    if folder is not None and (len(folder) > 255 or not _FOLDERS.fullmatch(folder)):
        raise ApiError(
            400, [f"{join(path, 'path')} must be up to three names of letters, digits and ._- with / between"]
        )


async def _find(store: ResourceStore, kind: str, org_id: str, id: str) -> Mapping[str, Any] | None:
    if not 0 < len(id) <= MAX_ID_CHARS or "\0" in id:
        return None
    found = await store.find(kind, org_id, id)
    return found.body if found is not None else None
