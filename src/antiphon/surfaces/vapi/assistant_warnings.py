"""What of an assistant's document is kept and not honoured: told with the answer, and at ``/assistant/{id}/warnings``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from antiphon.assistants.compile import PARTS, engine_takes, unmonitored
from antiphon.assistants.ignored import ACTED_ON, ignored_fields
from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.errors import ConfigurationError
from antiphon.suggestions import did_you_mean
from antiphon.surfaces.vapi.fields import check, knows
from antiphon.wire_model import join, misspelt_fields

FORM = "CreateAssistantDTO"
HONOURED: frozenset[str] = frozenset(["name", "metadata", "model.toolIds"])
"""Fields that ``AssistantSpec`` has no place for, or that ``ignored`` says nothing of, and that something acts on all the same. Whoever
makes one work adds it."""
MAX_NAMED = 100
"""Fields that nobody knows, of one document: looking for what was meant takes its time, and the event loop has calls to carry."""
_TOP_LEVEL = [field.alias or name for name, field in AssistantSpec.model_fields.items()]
_NOT_YET = "kept, and nothing acts on it yet"


EngineProblems = Callable[[AssistantSpec], Sequence[tuple[str, str]]]
"""Why engines that an assistant names cannot be had here: dotted field, and what is wrong."""


def no_problems(spec: AssistantSpec) -> Sequence[tuple[str, str]]:
    """Where nobody knows the engines."""
    return ()


def warnings_of(body: Mapping[str, Any], engine_problems: EngineProblems = no_problems) -> list[dict[str, str]]:
    """``[{"field", "reason"}]``, each dotted field once."""
    found: dict[str, str] = {}
    for field, reason in _all(body, engine_problems):
        found.setdefault(field, reason)
    return [{"field": field, "reason": reason} for field, reason in found.items()]


def lines_of(body: Mapping[str, Any], engine_problems: EngineProblems = no_problems) -> list[str]:
    """As ``warnings_of``, a line each."""
    return [f"{each['field']}: {each['reason']}" for each in warnings_of(body, engine_problems)]


def problems_of(body: Mapping[str, Any]) -> list[str]:
    """What of the fields that are ours alone (``policy``, options of engines …), or of which the specification says less than is meant,
    makes no sense: such a document is not kept."""
    try:
        policy_of(parse_assistant(dict(body)))
    except ConfigurationError as error:
        first = error.field.partition(".")[0]
        if first in ("policy", "backgroundSound") or ".options" in error.field or ".workflow" in error.field:
            return [f"{error.field} {error.problem}"]
    return []


def _all(body: Mapping[str, Any], engine_problems: EngineProblems) -> Iterator[tuple[str, str]]:
    for field in check(FORM, body).unknown[:MAX_NAMED]:
        meant = did_you_mean(field, _TOP_LEVEL) if "." not in field else ""
        yield field, f"no field of an assistant; {f'did you mean {meant}? ' if meant else ''}kept, and has no effect"
    try:
        spec = parse_assistant(dict(body))
    except ConfigurationError as error:
        yield error.field, f"this server cannot use it: {error.problem}"
        return
    for field, meant in misspelt_fields(spec):
        yield field, f"has no effect here; did you mean {meant}?"
    yield from (each for each in ignored_fields(spec) if not (each[0] in HONOURED or _is_stored_tool(each[0])))
    yield from unmonitored(spec)
    for field in _kept(spec):
        if field not in HONOURED | ACTED_ON and (knows(FORM, field) or "." in field) and not _is_told(spec, field):
            yield field, _NOT_YET
    yield from ((field, f"a call is refused: {reason}") for field, reason in engine_problems(spec))


def _is_told(spec: AssistantSpec, field: str) -> bool:
    """Whether a model, a voice or a recogniser is told of it as it stands."""
    part, _, name = field.partition(".")
    return part in PARTS and bool(name) and engine_takes(PARTS[part], getattr(spec, part), name)


def _is_stored_tool(field: str) -> bool:
    """Of a hook, as ``model.toolIds`` are of the model: calls find it, and that there is none is told by ``references``."""
    return field.startswith("hooks.") and field.endswith(".toolId")


def _kept(model: BaseModel, path: str = "") -> Iterator[str]:
    """Fields that came and that the model has no place for."""
    for name, value in (model.model_extra or {}).items():
        if value not in (None, "", [], {}, False):
            yield join(path, name)
    for name, field in type(model).model_fields.items():
        below = join(path, field.alias or name)
        for at, item in _models(getattr(model, name)):
            yield from _kept(item, join(below, at))


def _models(value: Any) -> Sequence[tuple[int | str, BaseModel]]:
    if isinstance(value, BaseModel):
        return [("", value)]
    if isinstance(value, tuple):
        return [(at, item) for at, item in enumerate(value) if isinstance(item, BaseModel)]
    return []
