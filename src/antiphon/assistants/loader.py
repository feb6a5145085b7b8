"""Reads assistants from YAML and JSON, and finds them by name in folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.conversation.policy import Policy
from antiphon.errors import ConfigurationError
from antiphon.workflow.validation import join

MAX_BYTES = 1_000_000
ENDINGS = (".yaml", ".yml", ".json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FRACTION = re.compile(r"\d+\.\d+")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load(path: Path, variables: Mapping[str, str] | None = None) -> AssistantSpec:
    """The assistant in a file. Raises ConfigurationError naming the file or the field."""
    document, _ = _read_whole(path)
    return build(document, variables)


def build(data: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> AssistantSpec:
    """The assistant in a document. ``${NAME}`` stands for one of ``variables`` (never for the environment), ``${NAME:-default}`` for one
    that may be missing. Raises ConfigurationError."""
    return parse_assistant(_filled(dict(data), variables or {}, ""))


def package_library() -> Path:
    """The folder of the assistants that ship with Antiphon."""
    return Path(str(files("antiphon.assistants"))) / "library"


@dataclass(frozen=True, slots=True)
class LoadedAssistant:
    """What a file says, made once for all calls until the file changes."""

    stamps: Mapping[Path, tuple[int, int]]
    """Of each file it was read from, taken before it was read: an edit in between shows next time."""
    spec: AssistantSpec
    policy: Policy


class AssistantLibrary:
    """Assistants by name: ``front-desk`` is ``front-desk.yaml`` in the first folder that has one, the package's own folder last."""

    def __init__(self, folders: Sequence[Path] = (), variables: Mapping[str, str] | None = None) -> None:
        self._folders = (*folders, package_library())
        self._variables = dict(variables or {})
        self._loaded: dict[Path, LoadedAssistant] = {}

    def load(self, name: str) -> AssistantSpec:
        """As ``find``."""
        return self.find(name).spec

    def find(self, name: str) -> LoadedAssistant:
        """The assistant as its file is now. Unchanged files are not read again: that would take some 30 ms of the event loop a call.
        Raises ConfigurationError."""
        path = self._find(name)
        if path is None:
            raise ConfigurationError(
                "assistant", f"there is no assistant of this name; there are {', '.join(self.names()) or 'none'}"
            )
        known = self._loaded.get(path)
        if known is None or any(_stamp(file) != stamp for file, stamp in known.stamps.items()):
            document, stamps = _read_whole(path)
            spec = build(document, self._variables)
            known = self._loaded[path] = LoadedAssistant(stamps, spec, policy_of(spec))
        return known

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, whatever is in it."""
        return self._find(name) is not None

    def place_of(self, name: str, field: str) -> str:
        """Where a field of an assistant is written, for whoever has to mend it: file and line. Empty where there is no such file."""
        path = self._find(name)
        if path is None:
            return ""
        line = _line_of(path, field)
        return f"assistant {name}, {path.name} line {line}" if line else f"assistant {name}, {path.name}"

    def names(self) -> list[str]:
        """All of them, in order."""
        return sorted({path.stem for folder in self._folders for path in _assistant_files(folder)})

    def _find(self, name: str) -> Path | None:
        # The name comes from a URL or a webhook: it is a name, never a path.
        if not _NAME.fullmatch(name):
            return None
        for folder in self._folders:
            for ending in ENDINGS:
                path = folder / f"{name}{ending}"
                # Only a link can lead out of the folder; looking where it leads costs ten times this question.
                if path.is_file() and (not path.is_symlink() or path.resolve().parent == folder.resolve()):
                    return path
        return None


def _assistant_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.suffix in ENDINGS and _NAME.fullmatch(path.stem))


def _read_whole(path: Path) -> tuple[dict[str, Any], dict[Path, tuple[int, int]]]:
    """An assistant's document with its workflow in place, and the stamps of the files it was read from."""
    stamps = {path: _stamp(path)}
    document = _read(path)
    model = document.get("model")
    if isinstance(model, dict) and isinstance(model.get("workflow"), str):
        beside = _beside(path, model["workflow"])
        stamps[beside] = _stamp(beside)
        document = {**document, "model": {**model, "workflow": _read(beside)}}
    return document, stamps


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does; zeros when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _beside(path: Path, name: str) -> Path:
    """A file in the same folder or below it."""
    folder = path.resolve().parent
    target = (folder / name).resolve()
    if not target.is_relative_to(folder):
        raise ConfigurationError("model.workflow", "the file must lie in the assistant's folder")
    return target


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(path.name, f"larger than {MAX_BYTES} bytes")
        # Every JSON document is YAML, too.
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(path.name, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(path.name, "is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError(path.name, f"is not YAML or JSON{where}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(path.name, "must hold one object")
    return document


def _line_of(path: Path, field: str) -> int:
    """The line on which a dotted field stands, or the innermost part of it that is there; 0 where the file cannot be read."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return 0
    line = 0
    for part in field.split("."):
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if str(key.value) == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _filled(value: Any, variables: Mapping[str, str], path: str) -> Any:
    if isinstance(value, str):
        filled = _VARIABLE.sub(lambda match: _variable(match, variables, path), value)
        # Variables are text; a fraction like 0.5 can only be meant as a number. (Digits alone may be a telephone number.)
        return float(filled) if _VARIABLE.fullmatch(value) and _FRACTION.fullmatch(filled) else filled
    if isinstance(value, dict):
        return {key: _filled(item, variables, join(path, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, join(path, at)) for at, item in enumerate(value)]
    return value


def _variable(match: re.Match[str], variables: Mapping[str, str], path: str) -> str:
    name, default = match.group(1), match.group(2)
    if name in variables:
        return variables[name]
    if default is None:
        raise ConfigurationError(path or "document", f"variable {name} is not set, and has no default")
    return default
