"""What a model wrote, checked against a JSON Schema that people sent: nothing is fetched for it, and no pattern runs for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from antiphon.chat.patterns import search
from antiphon.errors import ConfigurationError

_MAX_PROBLEMS = 5


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and search(pattern, instance, "schema.pattern") is None:
        yield ValidationError(f"does not match {pattern!r}")


def _no_pattern_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    raise ConfigurationError("schema.patternProperties", "is not supported")


_Validator = extend(Draft202012Validator, {"pattern": _pattern, "patternProperties": _no_pattern_properties})  # type: ignore[no-untyped-call]  # its stubs say nothing


def check_schema(schema: Any, field: str = "schema") -> None:
    """Raises ConfigurationError."""
    if not isinstance(schema, Mapping) or not schema:
        raise ConfigurationError(field, "must be a JSON Schema")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigurationError(".".join([field, *map(str, error.absolute_path)]), error.message[:200]) from None
    except RecursionError:
        raise ConfigurationError(field, "is nested too deep") from None


def problems_of(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """What of ``value`` the schema does not allow, a few at most. Raises ConfigurationError where the schema cannot be used."""
    validator = _Validator(schema, registry=Registry())
    problems: list[str] = []
    try:
        for error in validator.iter_errors(value):
            place = ".".join(str(part) for part in error.absolute_path)
            problems.append(f"{place or 'the whole'}: {error.message[:200]}")
            if len(problems) >= _MAX_PROBLEMS:
                break
    except Unresolvable:
        raise ConfigurationError("schema.$ref", "may only point into the schema itself") from None
    except RecursionError:
        raise ConfigurationError("schema", "goes on for ever") from None
    return problems
