"""Documents in camelCase JSON as models, and what is wrong with one as a ConfigurationError: the dotted field as its author wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from antiphon.errors import ConfigurationError
from antiphon.suggestions import did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)


class WireModel(BaseModel):
    """A value in Vapi's JSON shape: camelCase on the wire, snake_case here, fields we do not know are kept as they came.

    ``null`` stands for a field that is left out, as it does on the platform: SDKs write it where an application has nothing to say.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or None not in data.values():
            return data
        optional = _optional(cls)
        return {name: value for name, value in data.items() if value is not None or name not in optional}


@cache
def _optional(model: type[BaseModel]) -> frozenset[str]:
    """Names and aliases of the fields that have a default."""
    fields = [(name, field) for name, field in model.model_fields.items() if not field.is_required()]
    return frozenset(each for name, field in fields for each in (name, field.alias or name))


def parse(model: type[ModelT], data: Any, path: str = "") -> ModelT:
    """Read ``data`` as ``model``. Raises ConfigurationError naming the first wrong field below ``path``."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _configuration_error(error, data, path) from None
    except ConfigurationError as error:
        # A part that is checked by more than its shape (a workflow inside an assistant) has named its own field.
        raise ConfigurationError(join(path, error.field), error.problem) from None


def parse_all(model: type[ModelT], data: Any) -> tuple[ModelT | None, list[ConfigurationError]]:
    """As ``parse``, with every wrong field instead of the first; None where there is one."""
    try:
        return model.model_validate(data), []
    except ConfigurationError as error:
        return None, [error]
    except ValidationError as error:
        wrong: dict[str, str] = {}
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = join(*_as_written(problem["loc"], data, missing=problem["type"] == "missing")) or "document"
            wrong.setdefault(field, _in_words(problem["msg"]))
        return None, [ConfigurationError(field, text) for field, text in wrong.items()]


MAX_LOOKED_UP = 100
"""Unknown fields of one object: each is compared with all names, on the event loop that carries calls."""


def misspelt_fields(model: BaseModel) -> Iterator[tuple[str, str]]:
    """Those of ``unknown_fields`` that look like a field that has an effect."""
    return ((field, meant) for field, meant in unknown_fields(model) if meant)


def unknown_fields(model: BaseModel, path: str = "") -> Iterator[tuple[str, str]]:
    """Fields that were kept as they came and have no effect: the dotted field, and the known one it looks like (empty: none)."""
    known = [field.alias or name for name, field in type(model).model_fields.items()]
    for name in islice(model.model_extra or (), MAX_LOOKED_UP):
        yield join(path, name), did_you_mean(name, known)
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        below = join(path, field.alias or name)
        if isinstance(value, BaseModel):
            yield from unknown_fields(value, below)
        elif isinstance(value, tuple):
            for at, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from unknown_fields(item, join(below, at))


def join(*parts: str | int) -> str:
    """A dotted path from its non-empty parts."""
    return ".".join(str(part) for part in parts if part != "")


def _configuration_error(error: ValidationError, data: Any, path: str) -> ConfigurationError:
    # The input is left out on purpose: prompts and numbers do not belong in an error that may be logged.
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    fields = [
        join(path, *_as_written(problem["loc"], data, missing=problem["type"] == "missing")) for problem in problems
    ]
    text = _in_words(problems[0]["msg"])
    others = sorted(set(fields[1:]) - {fields[0]})
    if others:
        text += f" (also wrong: {', '.join(others[:5])})"
    return ConfigurationError(fields[0] or "document", text)


def _in_words(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _as_written(location: Sequence[str | int], data: Any, *, missing: bool) -> list[str | int]:
    """The location without the union tags pydantic puts between the keys of the document. Only a missing field is not in it."""
    path: list[str | int] = []
    for position, part in enumerate(location):
        inside = isinstance(data, Mapping) and part in data
        inside = inside or (isinstance(data, list | tuple) and isinstance(part, int) and part < len(data))
        if not inside and not (missing and position == len(location) - 1):
            continue
        data = data[part] if inside else None
        path.append(part)
    return path
