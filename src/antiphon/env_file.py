"""``.env`` in the working directory: variables that the environment does not have, one ``NAME=value`` a line."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from antiphon.errors import ConfigurationError

ENV_FILE = Path(".env")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:+/=~@,")
"""What a value may hold so that a shell that reads the file takes it as it is, too."""


def environment() -> dict[str, str]:
    """The process's variables, and those of ``.env`` that it lacks. Raises ConfigurationError where the file cannot be read."""
    return {**_in_file(), **os.environ}


def _in_file() -> dict[str, str]:
    if ENV_FILE.is_dir():
        raise ConfigurationError(str(ENV_FILE), "is a folder, not a file")
    if not ENV_FILE.is_file():
        return {}
    try:
        text = ENV_FILE.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(str(ENV_FILE), "is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(str(ENV_FILE), f"cannot be read ({error.strerror})") from None
    found = {}
    for binding in parse_stream(io.StringIO(text)):  # what dotenv itself does, but for a line that it would pass over
        # A name alone is other tools' way to say that the environment has it.
        bare = binding.value is None and (binding.key or "").startswith("ANTIPHON_")
        if binding.error or bare:
            line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\n"))
            raise ConfigurationError(str(ENV_FILE), f"line {line}: must be NAME=value")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def is_plain(value: str) -> bool:
    """Whether a value can stand in the file as it is, for us and for shells."""
    return bool(value) and set(value) <= _PLAIN


def merged(before: str, values: Mapping[str, str]) -> str:
    """The file's text with these values (``is_plain``), whatever else is in it untouched."""
    kept = [line for line in before.splitlines() if _name_in(line) not in values]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"


def _name_in(line: str) -> str:
    return line.strip().removeprefix("export ").partition("=")[0].strip()
