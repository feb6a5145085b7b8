"""What a caller will say and do, line by line, and when.

A script is a YAML file::

    lines:
      - say: I would like to book a table       # spoken by a synthetic voice
      - wav: ../clips/tomorrow.wav              # or a recording (relative to the script)
        barge_in_ms: 800                        # 0.8 s into the agent's answer
      - noise: cough                            # cough, slam, hum or a WAV file: not meant as an answer
        barge_in_ms: 600
      - dtmf: "42#"                             # "w" pauses half a second
        pause_ms: 500                           # after the agent has finished
      - wait_ms: 1500                           # do nothing
      - say: Goodbye
        reply: false                            # no answer is expected

Without ``barge_in_ms`` a line waits until the agent has finished; with ``after_ms`` it comes that long after the caller's
own last line whatever the agent does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from antiphon.errors import ConfigurationError

LineKind = Literal["say", "wav", "noise", "dtmf", "wait"]

MAX_LINES = 1000
MAX_TEXT = 1000
_MAX_MS = 600_000
_DIGITS = re.compile(r"[0-9*#A-Dw]{1,64}")
_KINDS: dict[str, LineKind] = {
    "say": "say",
    "wav": "wav",
    "noise": "noise",
    "dtmf": "dtmf",
    "wait_ms": "wait",
}
_CUES = ("pause_ms", "after_ms", "barge_in_ms")


@dataclass(frozen=True, slots=True)
class AgentDone:
    """When the agent has finished speaking, and ``pause_ms`` more."""

    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class After:
    """``delay_ms`` after the caller's own last line ended, whatever the agent does."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class BargeIn:
    """When the agent's answer has been heard for ``into_ms``; as ``AgentDone`` if it ends before."""

    into_ms: int


Cue = AgentDone | After | BargeIn


@dataclass(frozen=True, slots=True)
class Line:
    """One thing the caller does."""

    kind: LineKind
    content: str
    """What is said, which file or sound is played, which keys are pressed; empty for ``wait``."""
    cue: Cue = AgentDone()
    expects_reply: bool = True


def read_script(path: Path) -> tuple[Line, ...]:
    """The lines of a YAML file. Raises ConfigurationError naming the field."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("script", f"{path} cannot be read ({_why(error)})") from error
    except yaml.YAMLError as error:
        raise ConfigurationError("script", f"{path} is not YAML ({_where(error)})") from error
    entries = document.get("lines") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_LINES:
        raise ConfigurationError("lines", f"must be a list of 1 to {MAX_LINES} entries")
    return tuple(_parse_line(entry, f"lines[{index}]", path.parent) for index, entry in enumerate(entries, start=1))


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"


def _where(error: yaml.YAMLError) -> str:
    """Line and problem, without the text around it."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(error).splitlines()[0]


def lines_of(says: tuple[str, ...], wavs: tuple[Path, ...], dtmf: str, barge_in_ms: int | None) -> tuple[Line, ...]:
    """The script of the command line: texts, then recordings, then keys. With ``barge_in_ms`` every spoken line but the
    first interrupts the answer to the one before. Raises ConfigurationError."""
    entries: list[dict[str, object]] = [{"say": text} for text in says]
    entries += [{"wav": str(path)} for path in wavs]
    if barge_in_ms is not None:
        if len(entries) < 2:
            raise ConfigurationError("barge_in_at", "needs two spoken lines: one to be answered, one to interrupt")
        entries[1:] = [entry | {"barge_in_ms": barge_in_ms} for entry in entries[1:]]
    if dtmf:
        entries.append({"dtmf": dtmf})
    return tuple(_parse_line(entry, next(iter(entry)), Path()) for entry in entries)


def _parse_line(entry: object, field: str, folder: Path) -> Line:
    if not isinstance(entry, dict):
        raise ConfigurationError(field, "must be a mapping such as `say: Hello`")
    unknown = sorted(str(key) for key in entry if key not in (*_KINDS, *_CUES, "reply"))
    if unknown:
        allowed = ", ".join((*_KINDS, *_CUES, "reply"))
        raise ConfigurationError(field, f"unknown: {', '.join(unknown)} (known: {allowed})")
    keys = [key for key in _KINDS if key in entry]
    if len(keys) != 1:
        raise ConfigurationError(field, f"must have exactly one of {', '.join(_KINDS)}")
    key = keys[0]
    if key == "wait_ms":
        return Line("wait", "", After(_milliseconds(entry, key, field)), expects_reply=False)
    reply = entry.get("reply", key != "noise")
    if not isinstance(reply, bool):
        raise ConfigurationError(f"{field}.reply", "must be true or false")
    return Line(_KINDS[key], _content(entry, key, field, folder), _cue(entry, field), reply)


def _content(entry: Mapping[str, Any], key: str, field: str, folder: Path) -> str:
    content = entry[key]
    if not isinstance(content, str) or not content.strip() or len(content) > MAX_TEXT:
        raise ConfigurationError(f"{field}.{key}", f"must be a text of 1 to {MAX_TEXT} characters")
    if key == "dtmf" and not _DIGITS.fullmatch(content):
        raise ConfigurationError(f"{field}.dtmf", "must be 1 to 64 of 0-9 * # A-D and w (a pause)")
    if key == "wav" or (key == "noise" and content.lower().endswith(".wav")):
        return str(folder / content)
    return content


def _cue(entry: Mapping[str, Any], field: str) -> Cue:
    given = [name for name in _CUES if name in entry]
    if len(given) > 1:
        raise ConfigurationError(field, f"only one of {', '.join(_CUES)}")
    if "after_ms" in entry:
        return After(_milliseconds(entry, "after_ms", field))
    if "barge_in_ms" in entry:
        return BargeIn(_milliseconds(entry, "barge_in_ms", field))
    return AgentDone(_milliseconds(entry, "pause_ms", field) if given else 0)


def _milliseconds(entry: Mapping[str, Any], name: str, field: str) -> int:
    value = entry[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_MS:
        raise ConfigurationError(f"{field}.{name}", f"must be whole milliseconds, 0 to {_MAX_MS}")
    return value
