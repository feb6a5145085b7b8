"""What a tool answered: the fields of its JSON that the node keeps, as values that can be compared and said."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.workflow import dates, korean, templates, times
from antiphon.workflow.schema import ExtractionPlan, Language, Property
from antiphon.workflow.slots import Raw, Value


def read_object(content: str) -> dict[str, Any] | None:
    """The JSON object a tool answered with, or None for anything else."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def extract(
    plan: ExtractionPlan, answer: Mapping[str, Any], today: dt.date, language: Language = "en"
) -> Iterator[tuple[str, Value]]:
    """The variables ``plan`` makes of an answer: a missing field is empty, so that an earlier call's value does not stay."""
    kept: dict[str, Value] = {}
    for name, schema in plan.extraction_schema.properties.items():
        kept[name] = _value(answer.get(name), schema, today, language)
    yield from kept.items()
    for alias in plan.aliases:
        text = templates.render(
            alias.value, lambda name: str(_at(answer, name)) if _at(answer, name) is not None else ""
        )
        yield alias.key, Value(text, text)


def _at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer.get(part) if isinstance(answer, Mapping) else None
    return answer


def _value(field: Any, schema: Property, today: dt.date, language: Language) -> Value:
    if isinstance(field, list):
        items = [str(item) for item in field]
        each = schema.items or Property()
        return Value(tuple(items), _either([_say(item, each.format, today, language) for item in items], language))
    if field is None or isinstance(field, Mapping):
        return Value("", "")
    raw: Raw = field if isinstance(field, bool | int | float) else str(field)
    return Value(raw, _say(str(field), schema.format, today, language))


def _say(text: str, form: str, today: dt.date, language: Language) -> str:
    """Dates and times as they are spoken; a field that is not what its schema says is spoken as it is."""
    try:
        if form == "date":
            say_date = korean.spoken_date if language == "ko" else dates.spoken
            return say_date(dt.date.fromisoformat(text), today)
        if form == "time":
            say_time = korean.spoken_time if language == "ko" else times.spoken
            return say_time(dt.time.fromisoformat(text))
    except ValueError:
        return text
    return text


def _either(items: list[str], language: Language) -> str:
    if language == "ko":
        return ", ".join(items)
    return " or ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))
