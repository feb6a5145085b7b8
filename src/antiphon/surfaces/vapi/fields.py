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

from antiphon.surfaces.vapi.additions import ENGINE_FIELDS, LOOSE, added_to, engine_of
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.wire_model import join

MAX_PROBLEMS = 50
MAX_STEPS = 20_000
"""Values looked at: some ten times what the largest documents have, in 50 ms of the event loop. A union whose forms nothing tells apart is
looked at once for each, and one may be inside another."""
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


def load() -> None:
    """Read the forms now, not while calls wait for the first request that needs them."""
    _forms()


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


def unknown_lines(name: str, document: Mapping[str, Any]) -> list[str]:
    """What of a document is kept and means nothing, a line for each field."""
    return [f"{field}: no such field is known; kept, and has no effect" for field in check(name, document).unknown]


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
            if item is None and form["items"] and not form["items"].get("null"):
                found.problems.append(
                    f"{join(path, at)} should not be empty"
                )  # a field may be left out, an element not
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


class _Union:
    """The forms of a field that may be one of several, and the tags by which they are told apart."""

    def __init__(self, forms: Sequence[Form]) -> None:
        self.every = [_form(each["ref"]) if "ref" in each else each for each in forms]
        self.objects = [form for form in self.every if form.get("type", "object") == "object"] or self.every
        self.by_tag: dict[str, dict[str, list[Form]]] = {}
        """By tag and value. A tag is here where each form that is an object has it."""
        for tag in _TAGS:
            if len(self.objects) > 1 and all(_values(form, tag) for form in self.objects):
                self.by_tag[tag] = {}
                for form in self.objects:
                    for value in _values(form, tag):
                        self.by_tag[tag].setdefault(value, []).append(form)


_unions: dict[int, _Union] = {}
"""By the identity of the list in the forms, which stay for good."""


def _look_at_union(
    forms: Sequence[Form], value: Any, path: str, found: Findings, loose: Callable[[Any], bool] | None
) -> None:
    union = _unions.get(id(forms)) or _unions.setdefault(id(forms), _Union(forms))
    candidates = union.objects if isinstance(value, dict) else union.every
    partial = isinstance(value, dict) and _is_laid_over(path) and not any(value.get(tag) for tag in union.by_tag)
    for tag, by_value in union.by_tag.items() if isinstance(value, dict) and not partial else ():
        given = value.get(tag)
        tagged = by_value.get(given) if isinstance(given, str) else None
        if tagged is None:
            if not (isinstance(given, str) and loose is not None and loose(given)):
                found.problems.append(
                    f"{join(path, tag)} must be one of the following values: {', '.join(sorted(by_value))}"
                )
            return
        candidates = [form for form in tagged if any(form is each for each in candidates)] or tagged
    tried = (_trial(form, value, path, found, partial=partial) for form in candidates)
    # Which form is meant is told by its fields, where nothing else tells it.
    best = min(tried, key=lambda each: _badness(each)[:: -1 if partial else 1])
    found.problems += best.problems
    found.unknown += best.unknown


def _is_laid_over(path: str) -> bool:
    """Whether it is an engine's part of overrides: what is left open there, the provider too, the assistant has."""
    *before, last = path.split(".")
    return last in ENGINE_FIELDS and any(part.endswith("Overrides") for part in before)


def _trial(form: Form, value: Any, path: str, so_far: Findings, *, partial: bool) -> Findings:
    found = Findings(steps=so_far.steps)
    _look(form, value, path, found, partial=partial)
    so_far.steps = found.steps
    return found


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
