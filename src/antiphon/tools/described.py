"""A Python function as a tool: what it takes, out of its type hints, as JSON Schema; and arguments checked before it runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.vocabulary import ToolSpec

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Described:
    """A function and what a model is told of it."""

    spec: ToolSpec
    function: Callable[..., Any]
    arguments: type[BaseModel]
    given: Mapping[str, type]
    """Parameters that are no arguments of the model's, by name, and their types."""

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function's types. Raises ProviderError naming the one that is wrong; never its value: it may be logged."""
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            argument = ".".join(str(part) for part in first["loc"])
            raise ProviderError(f"tools.{self.spec.name}", f"argument {argument}: {first['msg']}") from None
        return {name: getattr(checked, name) for name in self.arguments.model_fields}


def described(
    function: Callable[..., Any],
    given: Sequence[type],
    *,
    name: str = "",
    description: str = "",
    deadline_ms: int = 5000,
) -> Described:
    """Parameters need type hints; those of a type in ``given`` are filled in by whoever runs it. The docstring's first paragraph
    describes the tool. Raises ConfigurationError."""
    name = name or getattr(function, "__name__", "")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"tools.{name}", "names are unique, of at most 64 letters, digits, _ and -")
    arguments, ours = _parameters(function, name, tuple(given))
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    text = description or (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    return Described(ToolSpec(name, text[:1000], schema, deadline_ms=deadline_ms), function, arguments, ours)


def _parameters(
    function: Callable[..., Any], name: str, given: tuple[type, ...]
) -> tuple[type[BaseModel], dict[str, type]]:
    """A model of the arguments, and the parameters that are filled in."""
    hints, fields, ours = get_type_hints(function, include_extras=True), {}, {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        if hint is None or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(f"tools.{name}", f"parameter {parameter.name} must be named and have a type hint")
        if hint in given:
            ours[parameter.name] = hint
        else:
            fields[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields), ours  # type: ignore[call-overload]
