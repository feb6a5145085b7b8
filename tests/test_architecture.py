"""What import-linter cannot see: pure rooms use only pure parts of the standard library, and nobody knows the machine he was built on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "antiphon"
PURE_LIBRARY = frozenset(
    [
        "__future__", "binascii", "bisect", "collections", "collections.abc", "dataclasses", "enum", "functools", "itertools", "math",
        "re", "struct", "types", "typing",
    ]
)  # fmt: skip
IMPURE_CALLS = frozenset(
    ["open", "print", "input", "eval", "exec", "__import__", "breakpoint", "globals", "id", "hash"]
)
"""``hash`` of a string differs from process to process; so does ``id``: a replay would not be exact."""
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])(/(?:home|root|tmp|work|mnt|opt|srv|Users|usr/local|private)/\w|[A-Z]:\\\\?\w)"
)


@dataclass(frozen=True)
class Room:
    """``files`` is a pattern under src/antiphon; ``may`` are the prefixes it may import besides the pure library."""

    files: str
    may: tuple[str, ...]
    except_for: tuple[str, ...] = ()


PURE_ROOMS = (
    Room("conversation/*.py", ("antiphon.conversation", "antiphon.vocabulary", "antiphon.errors")),
    # The file format of recordings is here because it is bytes; the one place where it touches a file says so by these two.
    Room(
        "audio/wav.py",
        ("antiphon.audio", "antiphon.vocabulary", "antiphon.errors", "numpy", "os", "pathlib", "fcntl", "contextlib"),
        ("open",),
    ),
    Room("audio/*.py", ("antiphon.audio", "antiphon.vocabulary", "antiphon.errors", "numpy")),
    Room("spoken/*.py", ("antiphon.spoken", "phonenumbers")),
    Room("carriers/*/wire.py", ("antiphon.vocabulary", "antiphon.errors", "msgspec", "orjson")),
    Room("caller/wire.py", ("antiphon.vocabulary", "antiphon.errors", "msgspec", "orjson")),
    Room(
        "surfaces/realtime/protocol/*.py",
        ("antiphon.surfaces.realtime.protocol", "antiphon.vocabulary", "antiphon.errors", "msgspec", "orjson"),
    ),
)


def impurities(source: str, room: Room) -> Iterator[str]:
    """What a module of a pure room must not have, one line each."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}"]
            if node.module in ("numpy", "os"):
                names += [f"{node.module}.{alias.name}" for alias in node.names if alias.name in ("random", "urandom")]
        for name in names:
            random = name.endswith((".random", ".urandom"))
            if random or (name not in PURE_LIBRARY and not any(f"{name}.".startswith(f"{may}.") for may in room.may)):
                yield f"line {node.lineno} imports {name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in IMPURE_CALLS and node.func.id not in room.except_for:
                yield f"line {node.lineno} calls {node.func.id}"
        elif isinstance(node, ast.Attribute) and node.attr in ("random", "urandom", "default_rng"):
            yield f"line {node.lineno} uses {node.attr}"
        elif isinstance(node, ast.Global | ast.AsyncFunctionDef | ast.Await):
            yield f"line {node.lineno} has {type(node).__name__}"


def pure_modules() -> dict[Path, Room]:
    """Every module of a pure room; the first room that names it counts."""
    modules: dict[Path, Room] = {}
    for room in PURE_ROOMS:
        found = list(SOURCE.glob(room.files))
        assert found, f"{room.files} names no file: was it moved?"
        for path in found:
            modules.setdefault(path, room)
    return modules


def test_pure_modules_touch_nothing_but_values() -> None:
    found = [
        f"{path.relative_to(SOURCE)} {problem}"
        for path, room in sorted(pure_modules().items())
        for problem in impurities(path.read_text(encoding="utf-8"), room)
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random",
        "from random import choice",
        "import asyncio",
        "import logging",
        "import structlog",
        "import numpy as np",
        "from numpy import random",
        "from os import urandom",
        "from antiphon.audio import pcm",
        "from antiphon.conversations import x",
        "from . import machine",
        "import collections.abc.time",
        "print(1)",
        "__import__('time')",
        "open('x')",
        "hash('x')",
        "rng = np.random.default_rng()",
        "async def f(): ...",
        "def f():\n    global x",
    ],
)
def test_an_impure_module_is_found_out(source: str) -> None:
    assert list(impurities(source, PURE_ROOMS[0]))


def test_a_pure_one_is_not_accused() -> None:
    source = "import re\nfrom collections.abc import Iterable\nfrom antiphon.conversation import words\nlen('x')"
    assert list(impurities(source, PURE_ROOMS[0])) == []


def texts() -> list[Path]:
    return [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "ignore").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ['open("/home/anna/x")', "see /work/shared", "(/tmp/out)", "C:\\\\Users", "'/Users/jo/a'"]
)
def test_a_machine_path_is_found_out(line: str) -> None:
    assert MACHINE_PATH.search(line)


@pytest.mark.parametrize(
    "line", ["https://example.com/home/page", "~/work/x", "a/tmp/b", "and/or", "GET /call/{id}", "./opt/x"]
)
def test_other_slashes_are_not_accused(line: str) -> None:
    assert not MACHINE_PATH.search(line)


# ------------------------------------------------------------------------------------------------ logs


EVENT_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
LEVELS = frozenset(["debug", "info", "warning", "error", "exception", "critical"])


def wrong_log_lines(source: str) -> Iterator[str]:
    """Loggers that are not called ``log``, and events that are no static snake_case names, one line each."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and "get_logger" in ast.dump(node.value):
            if [target.id for target in node.targets if isinstance(target, ast.Name)] != ["log"]:
                yield f"line {node.lineno}: a logger is called log"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
                event = node.args[0] if node.args else None
                either = [event.body, event.orelse] if isinstance(event, ast.IfExp) else [event]
                if not all(isinstance(one, ast.Constant) and EVENT_NAME.fullmatch(str(one.value)) for one in either):
                    yield f"line {node.lineno}: an event is a static snake_case name"


def test_log_events_are_static_snake_case_names() -> None:
    found = [
        f"{path.relative_to(SOURCE)} {problem}"
        for path in sorted(SOURCE.rglob("*.py"))
        for problem in wrong_log_lines(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    ['log.warning("tool failed")', 'log.info(f"call_{x}")', "log.error(text)", "_logger = structlog.get_logger()"],
)
def test_a_wrong_log_line_is_found_out(source: str) -> None:
    assert list(wrong_log_lines(source))


# ------------------------------------------------------------------------------------------------ a bare clone


ROOT = SOURCE.parents[1]
BESIDE = re.compile(r"\.\./shared|/shared/|parents\[[4-9]\]|ANTIPHON_SHARED")


def test_nothing_looks_beside_the_checkout() -> None:
    """A clone alone passes everything: tests, tools and benchmarks need no folder beside it."""
    files = [path for folder in ("src", "tests", "tools", "bench") for path in (ROOT / folder).rglob("*")]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        if path.suffix in (".py", ".sh", ".mjs", ".toml", ".yaml")
        if not any(part == "node_modules" or part.startswith(".venv") for part in path.parts)
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1)
        if BESIDE.search(line)
    ]
    assert found == []
