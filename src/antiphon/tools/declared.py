"""Python functions that an operator offers as tools: marked in a file of his own, registered when the server starts.

from antiphon.tools import tool

@tool(deadline_s=3)
def opening_hours(day: dt.date) -> str:
    \"\"\"When the shop is open on a day.\"\"\"
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

from antiphon.errors import ConfigurationError

Function = TypeVar("Function", bound=Callable[..., Any])
_MARK = "__antiphon_tool__"
_MODULE = "antiphon_tools_file"


@dataclass(frozen=True, slots=True)
class Declared:
    """A function that was marked. Empty: as the function says itself."""

    function: Callable[..., Any]
    name: str
    description: str
    deadline_ms: int


@overload
def tool(function: Function) -> Function: ...


@overload
def tool(*, name: str = "", description: str = "", deadline_s: float = 5.0) -> Callable[[Function], Function]: ...


def tool(function: Any = None, *, name: str = "", description: str = "", deadline_s: float = 5.0) -> Any:
    """Decorator. The function's type hints say what a model fills in, and are checked before it runs; parameters of type ``CallContext``
    and ``ToolCall`` are given. Plain functions run in threads, coroutine functions on the event loop. Raises ConfigurationError."""
    if not 0 < deadline_s <= 300:
        raise ConfigurationError(f"tools.{name or 'tool'}", "a deadline is more than 0 and at most 300 seconds")

    def mark(function: Function) -> Function:
        setattr(function, _MARK, (name, description, round(deadline_s * 1000)))
        return function

    return mark if function is None else mark(function)


def declared_in(path: Path) -> list[Declared]:
    """Run a file and find its tools, in the order they stand there. Raises ConfigurationError naming the file and, where its code is wrong,
    the line."""
    if not path.is_file():
        raise ConfigurationError("tools_file", f"there is no file {path.name}")
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError("tools_file", "must be a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # type hints are looked up there
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ConfigurationError("tools_file", f"{error.msg}", file=path.name, line=error.lineno or 0) from None
    except Exception as error:
        raise ConfigurationError("tools_file", _told(error), file=path.name, line=_line(error, path)) from error
    found: dict[int, Declared] = {}
    for value in vars(module).values():
        if (mark := getattr(value, _MARK, None)) is not None and callable(value):
            found.setdefault(id(value), Declared(value, *mark))
    if not found:
        raise ConfigurationError("tools_file", "has no function that is marked with @tool", file=path.name)
    return list(found.values())


@contextmanager
def naming(one: Declared, path: Path) -> Iterator[None]:
    """What is wrong with a function is told with its place. Raises ConfigurationError."""
    try:
        yield
    except Exception as error:
        code = getattr(inspect.unwrap(one.function), "__code__", None)
        line = code.co_firstlineno if code is not None else 0
        raise ConfigurationError("tools_file", f"{_name(one)}: {_told(error)}", file=path.name, line=line) from error


def _name(one: Declared) -> str:
    return one.name or getattr(one.function, "__name__", "a tool")


def _told(error: Exception) -> str:
    return error.problem if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {error}"


def _line(error: Exception, path: Path) -> int:
    """The last line of the file that the error went through."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.absolute())
    ]
    return (lines[-1] or 0) if lines else 0
