"""Four judges of every event the server sends: two clients' own validators, the published schema, and the order of events."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter, ValidationError
from referencing import Registry, Resource
from tests import programs

from antiphon.surfaces.realtime.protocol.order import OrderChecker

Event = dict[str, Any]

SPEC = Path(__file__).resolve().parents[2] / "data" / "openai-realtime-server-events.json"
"""OpenAI's description of its API (MIT), trimmed to the server's events."""
_BATCH = 500


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])


def openai_python(event: Event) -> str | None:
    """What openai-agents-python would report as an error: it validates every event with openai-python's models."""
    try:
        _adapter().validate_python(event)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
    return None


@cache
def _schemas() -> Mapping[str, Draft202012Validator]:
    """A validator for each type of server event."""
    document = json.loads(SPEC.read_text(encoding="utf-8"))
    registry = Registry().with_resource("urn:spec", Resource.opaque(document))
    validators = {}
    for choice in document["components"]["schemas"]["RealtimeServerEvent"]["anyOf"]:
        schema = document["components"]["schemas"][choice["$ref"].rpartition("/")[2]]
        kind = schema["properties"]["type"]
        name = kind.get("const") or kind["enum"][0]
        validators[name] = Draft202012Validator({"$ref": f"urn:spec{choice['$ref']}"}, registry=registry)
    return validators


_NULLS = frozenset(
    [
        "transcription",
        "noise_reduction",
        "include",
        "status_details",
        "usage",
        "conversation_id",
        "transcript",
        "metadata",
    ]
)
"""The schemas do not say that these may be null; the examples beside them show them so, and so does OpenAI's server."""


def _without_known_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if inner is not None or name not in _NULLS}
        return {name: _without_known_nulls(inner) for name, inner in kept.items()}
    return [_without_known_nulls(inner) for inner in value] if isinstance(value, list) else value


def specification(event: Event) -> str | None:
    """What the JSON schema says."""
    validators = _schemas()
    if not validators:
        return None
    validator = validators.get(event["type"])
    if validator is None:
        return "no such event"
    error = best_match(validator.iter_errors(_without_known_nulls(event)))
    return f"{error.json_path}: {error.message[-300:]}" if error else None


class AgentsJs:
    """openai-agents-js's validator, in a Node.js program that lives as long as the tests do."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def judge(self, events: Sequence[Event]) -> list[str | None]:
        """For each event None or what is wrong."""
        if self._process is None:
            self._process = subprocess.Popen(
                [programs.node(), str(programs.JS / "oracle.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        verdicts: list[str | None] = []
        for start in range(0, len(events), _BATCH):
            batch = [orjson.dumps(event).decode() for event in events[start : start + _BATCH]]
            verdicts += self._ask({"ask": 1, "operation": "judge", "events": batch})
        return verdicts

    def close(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.communicate(timeout=5)
            self._process = None

    def _ask(self, question: Event) -> list[str | None]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(question) + b"\n")
        self._process.stdin.flush()
        answer = orjson.loads(self._process.stdout.readline())
        assert "problem" not in answer, answer
        return list(answer["result"])


def order(events: Iterable[Event], *, midway: bool = False) -> list[str]:
    """Every rule of order that one controller's stream breaks."""
    checker = OrderChecker(midway=midway)
    broken = []
    for number, event in enumerate(events):
        violation = checker.see(event)
        if violation is not None:
            broken.append(f"{number} {violation.event_type}: {violation.rule} {violation.detail}")
    return broken


_FREE_TEXT = ("delta", "transcript", "text", "arguments")


def _shape(value: Any, name: str = "") -> Any:
    """An event without what makes it one of a kind: ids, words and sounds. No judge of single events looks at these."""
    if isinstance(value, dict):
        return {key: _shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return "" if isinstance(value, str) and (name.endswith("id") or name in _FREE_TEXT) else value


def faults(events: Sequence[Event], agents_js: AgentsJs, *, midway: bool = False) -> list[str]:
    """Everything the four have to say about one controller's stream, ``session.created`` first."""
    found = [f"order: {broken}" for broken in order(events, midway=midway)]
    kinds = {orjson.dumps(_shape(event)): (number, event) for number, event in enumerate(events)}
    verdicts = agents_js.judge([event for _, event in kinds.values()])
    for (number, event), verdict in zip(kinds.values(), verdicts, strict=True):
        judgements = {
            "openai-python": openai_python(event),
            "agents-js": verdict,
            "specification": specification(event),
        }
        found += [f"{judge}: {number} {event.get('type')}: {said}" for judge, said in judgements.items() if said]
    return found
