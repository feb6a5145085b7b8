"""What the platform's API says of its fields: names, types, ranges; and what is wrong with a document by it.

``fields.json`` is made by ``tools/api_fields.py`` from the OpenAPI document that Vapi publishes (github.com/VapiAI/docs, MIT licence). Each
name stands for a *form*: ``type``, ``enum``, ``min`` and ``max``, ``least`` and ``most`` (characters), ``date``, ``items`` of a list,
``fields`` of an object with the ``required`` ones, ``ref`` to another name, ``any`` of several. An object without ``fields`` holds
anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import orjson

from antiphon.surfaces.vapi.additions import LOOSE, added_to, engine_of
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.wire_model import join

MAX_PROBLEMS = 50
MAX_STEPS = 200_000
"""Values looked at. A union whose forms nothing tells apart is looked at once for each, and one may be inside another."""
_TAGS = ("provider", "type", "on")
"""By these fields the forms of a union are told apart."""
Form = Mapping[str, Any]


@dataclass(slots=True)
class Findings:
    """What a check found."""

    problems: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Dotted fields that no form has."""
    steps: int = 0


def check(name: str, document: Any, path: str = "", *, partial: bool = False) -> Findings:
    """Look at ``document`` by the form ``name``. ``partial``: what is required may be missing."""
    found = Findings()
    _look(_form(name), document, path, found, partial=partial)
    return found


def require(name: str, document: Any, path: str = "", *, strict: bool = False, partial: bool = False) -> list[str]:
    """Raises ApiError 400 for what is wrong, and in ``strict`` for fields that are not known; else they are the answer."""
    found = check(name, document, path, partial=partial)
    problems = [*found.problems, *(f"property {field} should not exist" for field in found.unknown if strict)]
    if problems:
        raise ApiError(400, problems[:MAX_PROBLEMS])
    return found.unknown


def knows(name: str, dotted: str) -> bool:
    """Whether the platform has the top-level field that ``dotted`` begins with, in the form ``name``."""
    return dotted.partition(".")[0] in _form(name).get("fields", {})


@functools.cache
def _forms() -> Mapping[str, Form]:
    return orjson.loads((files("antiphon.surfaces.vapi") / "fields.json").read_bytes())  # type: ignore[no-any-return]


@functools.cache
def _form(name: str) -> Form:
    form = _forms()[name]
    if added := added_to(name):
        form = {**form, "fields": {**added, **form.get("fields", {})}}
    if engine_of(name) or name == "OpenAIFunctionParameters":  # {"type": "object"} is a schema, too
        kept = ("provider", "type")
        form = {**form, "required": [field for field in form.get("required", ()) if field in kept]}
    return form


def _look(form: Form, value: Any, path: str, found: Findings, *, partial: bool = False) -> None:
    if len(found.problems) > MAX_PROBLEMS or value is None:
        return  # null stands for a field that is left out
    found.steps += 1
    if found.steps > MAX_STEPS:
        raise ApiError(400, "The body has more values than are looked at.")
    loose = LOOSE.get(path.rstrip(".0123456789").rpartition(".")[2])
    if name := form.get("ref"):
        form = _form(name)
    if forms := form.get("any"):
        _look_at_union(forms, value, path, found, loose)
        return
    kind = form.get("type")
    says = _TYPES.get(kind or "")
    if says is not None:
        right, words = says
        if not right(value):
            found.problems.append(f"{path or 'the body'} must be {words}")
            return
    _look_at_value(form, value, path, found, loose)
    if isinstance(value, list) and "items" in form:
        for at, item in enumerate(value):
            _look(form["items"], item, join(path, at), found)
    if isinstance(value, dict) and "fields" in form:
        _look_at_object(form, value, path, found, partial=partial)


def _look_at_value(form: Form, value: Any, path: str, found: Findings, loose: Callable[[Any], bool] | None) -> None:
    problems = found.problems
    if isinstance(value, str):
        if len(value) > form.get("most", len(value)):
            problems.append(f"{path} must be shorter than or equal to {form['most']} characters")
        if len(value) < form.get("least", 0):
            problems.append(f"{path} must be longer than or equal to {form['least']} characters")
        if form.get("date"):
            try:
                ms_of(value, path)
            except ApiError as error:
                problems.extend(error.message)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < form.get("min", value):
            problems.append(f"{path} must not be less than {form['min']}")
        if value > form.get("max", value):
            problems.append(f"{path} must not be greater than {form['max']}")
    allowed = form.get("enum")
    if allowed and value not in allowed and not (loose is not None and loose(value)):
        problems.append(f"{path} must be one of the following values: {', '.join(map(str, allowed))}")


def _look_at_object(form: Form, value: Mapping[str, Any], path: str, found: Findings, *, partial: bool) -> None:
    fields = form["fields"]
    for name in () if partial else form.get("required", ()):
        if name not in value or (value[name] is None and not fields.get(name, {}).get("null")):
            found.problems.append(f"{join(path, name)} should not be empty")
    for name, item in value.items():
        if name in fields:
            _look(fields[name], item, join(path, name), found)
        else:
            found.unknown.append(join(path, name[:100]))


def _look_at_union(
    forms: Sequence[Form], value: Any, path: str, found: Findings, loose: Callable[[Any], bool] | None
) -> None:
    candidates = [_form(each["ref"]) if "ref" in each else each for each in forms]
    if isinstance(value, dict):
        candidates = [form for form in candidates if form.get("type", "object") == "object"] or candidates
        for tag in _TAGS:
            given = value.get(tag)
            if not isinstance(given, str):
                if len(candidates) > 1 and all(_values(form, tag) for form in candidates):
                    found.problems.append(
                        f"{join(path, tag)} must be one of the following values: {_all(candidates, tag)}"
                    )
                    return
                continue
            tagged = [form for form in candidates if given in _values(form, tag)]
            open_ones = [form for form in candidates if not _values(form, tag)]
            if not tagged and not open_ones:
                if not (loose is not None and loose(given)):
                    allowed = sorted({each for form in candidates for each in _values(form, tag)})
                    found.problems.append(
                        f"{join(path, tag)} must be one of the following values: {', '.join(allowed)}"
                    )
                return
            candidates = tagged or open_ones
    best = min((_trial(form, value, path, found) for form in candidates), key=_badness)
    found.problems += best.problems
    found.unknown += best.unknown


def _trial(form: Form, value: Any, path: str, so_far: Findings) -> Findings:
    found = Findings(steps=so_far.steps)
    _look(form, value, path, found)
    so_far.steps = found.steps
    return found


def _all(forms: Sequence[Form], tag: str) -> str:
    return ", ".join(sorted({each for form in forms for each in _values(form, tag)}))


def _badness(found: Findings) -> tuple[int, int]:
    return len(found.problems), len(found.unknown)


def _values(form: Form, tag: str) -> Sequence[str]:
    values: Sequence[str] = form.get("fields", {}).get(tag, {}).get("enum", ())
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "a string"),
    "number": (_is_number, "a number conforming to the specified constraints"),
    "integer": (lambda value: _is_number(value) and float(value).is_integer(), "an integer number"),
    "boolean": (lambda value: isinstance(value, bool), "a boolean value"),
    "array": (lambda value: isinstance(value, list), "an array"),
    "object": (lambda value: isinstance(value, dict), "an object"),
}


@functools.cache
def forms_by(tag: str, ending: str) -> Mapping[str, str]:
    """The forms whose names end so, by the value of ``tag`` that each is for."""
    return {
        value: name
        for name, form in _forms().items()
        if name.startswith("Create") and name.endswith(ending)
        for value in _values(form, tag)
    }
