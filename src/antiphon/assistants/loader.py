"""Reads assistants from YAML and JSON, and finds them by name in folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import structlog

from antiphon.assistants.document import Document, read_document
from antiphon.assistants.ignored import ACTED_ON, ignored_fields
from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import AssistantSpec, parse_assistant
from antiphon.conversation.policy import Policy
from antiphon.errors import ConfigurationError
from antiphon.json_values import LONG_NUMBER, is_long, read, written
from antiphon.suggestions import did_you_mean
from antiphon.wire_model import join, unknown_fields
from antiphon.workflow.spec import WorkflowSpec

log = structlog.get_logger(__name__)

_WORKFLOW = "model.workflow"
_NOT_OURS = ("x-", "model.", "voice.", "transcriber.")
"""An author's own again, and what engines may take for their options."""
ENDINGS = (".yaml", ".yml", ".json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FRACTION = re.compile(r"\d+\.\d+")
Stamp = tuple[int, int, int]
"""Of a file: when it was changed, its size, its inode."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load(path: Path, variables: Mapping[str, str] | None = None) -> AssistantSpec:
    """The assistant in a file. Raises ConfigurationError naming the file or the field."""
    return _Reading(path).spec(variables or {})


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

    stamps: Mapping[Path, Stamp]
    """Of each file it was read from, taken before it was read: an edit in between shows next time."""
    spec: AssistantSpec
    policy: Policy
    text: str
    """The document, as JSON."""

    def document(self) -> dict[str, Any]:
        """What the file says, as an application would write it. The caller's own."""
        found: dict[str, Any] = read(self.text)
        return found


@dataclass(frozen=True, slots=True)
class _Spoilt:
    """A version of a file that cannot be used."""

    stamps: Mapping[Path, Stamp]
    error: ConfigurationError


class AssistantLibrary:
    """Assistants by name: ``front-desk`` is ``front-desk.yaml`` in the first folder that has one, the package's own folder last."""

    def __init__(
        self,
        folders: Sequence[Path] = (),
        variables: Mapping[str, str] | None = None,
        check: Callable[[AssistantSpec], None] = lambda spec: None,
    ) -> None:
        """``check`` raises ConfigurationError for an assistant that could not take a call."""
        self._folders = (*folders, package_library())
        self._variables = dict(variables or {})
        self._check = check
        self._loaded: dict[Path, LoadedAssistant] = {}
        self._spoilt: dict[Path, _Spoilt] = {}

    def load(self, name: str) -> AssistantSpec:
        """As ``find``."""
        return self.find(name).spec

    def find(self, name: str) -> LoadedAssistant:
        """The assistant as its file is now; where an edit has spoilt it, as it was before. Unchanged files are not read again: that would
        take some 30 ms of the event loop a call. Raises ConfigurationError naming file and line."""
        path = self._find(name)
        if path is None:
            names = self.names()
            meant = did_you_mean(name, names)
            perhaps = f"did you mean {meant}? " if meant else ""
            raise ConfigurationError(
                "assistant", f"there is no assistant {_shown(name)}; {perhaps}there are {', '.join(names) or 'none'}"
            )
        known = self._loaded.get(path)
        if known is not None and _is_unchanged(known.stamps):
            return known
        spoilt = self._spoilt.get(path)
        if spoilt is None or not _is_unchanged(spoilt.stamps):
            reading = _Reading(path)
            try:
                loaded = self._read(reading)
            except ConfigurationError as error:
                spoilt = self._spoilt[path] = _Spoilt(reading.stamps, error)
                if known is not None:
                    log.error(
                        "assistant_edit_unusable", assistant=name, file=error.file, line=error.line, field=error.field,
                        problem=error.problem,
                    )  # fmt: skip
            else:
                self._loaded[path] = loaded
                self._spoilt.pop(path, None)
                reading.tell_without_effect(name, loaded.spec)
                return loaded
        if known is None:
            wrong = spoilt.error
            raise ConfigurationError(wrong.field, wrong.problem, file=wrong.file, line=wrong.line)
        return known

    def _read(self, reading: _Reading) -> LoadedAssistant:
        spec = reading.spec(self._variables)
        document = spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
        with reading.placing():
            loaded = LoadedAssistant(reading.stamps, spec, policy_of(spec), written(document))
            self._check(spec)
        return loaded

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, whatever is in it."""
        return self._find(name) is not None

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


def _shown(name: str) -> str:
    """As it may stand in a line."""
    return name if _NAME.fullmatch(name) else "of this name (letters a to z, digits, - and _)"


def _assistant_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.suffix in ENDINGS and _NAME.fullmatch(path.stem))


class _Reading:
    """One assistant's files while they are read: what they say, and where."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stamps: dict[Path, Stamp] = {path: _stamp(path)}
        self._document: Document | None = None
        self._workflow: Document | None = None

    def spec(self, variables: Mapping[str, str]) -> AssistantSpec:
        """Raises ConfigurationError naming file, line and field."""
        with self.placing():
            self._document = read_document(self._path)
            fields = self._document.fields
            model = fields.get("model")
            if isinstance(model, dict) and isinstance(model.get("workflow"), str):
                beside = _beside(self._path, model["workflow"])
                self.stamps[beside] = _stamp(beside)
                self._workflow = read_document(beside)
                fields = {**fields, "model": {**model, "workflow": self._workflow.fields}}
            return build(fields, variables)

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Errors that name a field name the file and the line as well."""
        try:
            yield
        except ConfigurationError as error:
            if error.file:
                raise
            file, line = self._place(error.field)
            raise ConfigurationError(error.field, error.problem, file=file, line=line) from None

    def tell_without_effect(self, name: str, spec: AssistantSpec) -> None:
        """Fields that have no effect are told in the log: unknown ones (each by itself where it looks misspelt), those of ``ignored``."""
        unknown = list(unknown_fields(spec))
        if spec.model is not None and spec.model.workflow is not None:
            unknown += unknown_fields(WorkflowSpec.model_validate(spec.model.workflow), _WORKFLOW)
        for field, meant in unknown:
            if meant:
                file, line = self._place(field)
                log.warning(
                    "assistant_field_unknown", assistant=name, file=file, line=line, field=field, did_you_mean=meant
                )
        ignored = dict(ignored_fields(spec))
        told = {*ignored, *ACTED_ON}
        others = [field for field, meant in unknown if not (meant or field in told or field.startswith(_NOT_OURS))]
        if others:
            log.warning("assistant_fields_unknown", assistant=name, file=self._path.name, fields=", ".join(others))
        for field, why in ignored.items():
            file, line = self._place(field)
            log.warning("assistant_field_ignored", assistant=name, file=file, line=line, field=field, reason=why)

    def _place(self, field: str) -> tuple[str, int]:
        if self._workflow is not None and field.startswith(f"{_WORKFLOW}."):
            return self._workflow.path.name, self._workflow.line_of(field.removeprefix(f"{_WORKFLOW}."))
        return self._path.name, self._document.line_of(field) if self._document is not None else 0


def _is_unchanged(stamps: Mapping[Path, Stamp]) -> bool:
    return all(_stamp(file) == stamp for file, stamp in stamps.items())


def _stamp(path: Path) -> Stamp:
    """What changes when a file does; zeros when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino


def _beside(path: Path, name: str) -> Path:
    """A file in the same folder or below it."""
    folder = path.resolve().parent
    target = (folder / name).resolve()
    if not target.is_relative_to(folder):
        raise ConfigurationError("model.workflow", "the file must lie in the assistant's folder")
    return target


def _filled(value: Any, variables: Mapping[str, str], path: str) -> Any:
    if isinstance(value, str):
        filled = _VARIABLE.sub(lambda match: _variable(match, variables, path), value)
        # Variables are text; a fraction like 0.5 can only be meant as a number. (Digits alone may be a telephone number.)
        return float(filled) if _VARIABLE.fullmatch(value) and _FRACTION.fullmatch(filled) else filled
    if isinstance(value, dict):
        return {key: _filled(item, variables, join(path, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, join(path, at)) for at, item in enumerate(value)]
    if is_long(value):
        raise ConfigurationError(path or "document", LONG_NUMBER)
    return value


def _variable(match: re.Match[str], variables: Mapping[str, str], path: str) -> str:
    name, default = match.group(1), match.group(2)
    if name in variables:
        return variables[name]
    if default is None:
        raise ConfigurationError(path or "document", f"variable {name} is not set, and has no default")
    return default
