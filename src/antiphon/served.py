"""The assistants that can be called, each as it last made sense.

A file may be edited while calls come. What a call is given is the latest version whose engines run: until those of a new version have
started, and where it turns out to be wrong, the one before goes on serving.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog

from antiphon.assistants.loader import AssistantLibrary, LoadedAssistant
from antiphon.assistants.spec import AssistantSpec
from antiphon.engines import EngineRoom
from antiphon.errors import AntiphonError, ConfigurationError, ProviderUnavailable
from antiphon.session.plan import Engines

log = structlog.get_logger(__name__)


class ServedAssistants:
    """One per process."""

    def __init__(self, library: AssistantLibrary, engines: EngineRoom) -> None:
        self._library = library
        self._engines = engines
        self._served: dict[str, LoadedAssistant] = {}
        self._coming: dict[str, LoadedAssistant] = {}
        """Newer versions whose engines start."""
        self._problems: dict[str, str] = {}
        """What is wrong with the newest version of an assistant, as it was last told."""

    def prepare(self, name: str, *, needed: bool = False) -> None:
        """Make its engines before the start. Raises ConfigurationError naming file, line and field; ProviderUnavailable."""
        loaded = self._library.find(name)
        self._engines.prepare(loaded.spec, needed=needed)
        self._served[name] = loaded

    def find(self, name: str) -> tuple[LoadedAssistant, Engines]:
        """What a call with this assistant is led by. Raises ConfigurationError, ProviderUnavailable."""
        old = self._served.get(name)
        try:
            new = self._library.find(name)
            if new is old:
                self._problems.pop(name, None)
                return old, self._engines.for_assistant(old.spec)
            engines = self._engines.for_assistant(new.spec)
        except (ConfigurationError, ProviderUnavailable) as error:
            if old is None or not self._library.has(name):
                raise
            self._tell(name, error)
            return old, self._engines.for_assistant(old.spec)
        if old is not None and not self._engines.ready(engines):
            self._coming[name] = new
            broken = self._engines.broken(engines)
            if broken:
                self._tell(name, ProviderUnavailable("engines", broken))
            return old, self._engines.for_assistant(old.spec)
        self._coming.pop(name, None)
        self._problems.pop(name, None)
        self._served[name] = new
        return new, engines

    def load(self, name: str) -> AssistantSpec:
        """As ``find``."""
        return self._current(name).spec

    def document(self, name: str) -> dict[str, Any]:
        """Likewise, as an application would write it."""
        return self._current(name).document()

    def _current(self, name: str) -> LoadedAssistant:
        old = self._served.get(name)
        if old is not None and self._library.has(name) and self._library.find(name) is old:
            return old  # its engines are not looked for
        return self.find(name)[0]

    def lately(self, name: str) -> AssistantSpec | None:
        """What the last call was begun with; None before there was one, or where the file is gone."""
        served = self._served.get(name)
        return served.spec if served is not None and self._library.has(name) else None

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._library.has(name)

    def names(self) -> list[str]:
        """All that can be called, in order."""
        return [name for name in self._library.names() if self._problem(name) is None]

    def unusable(self) -> dict[str, str]:
        """Files that cannot be called, in order, and why. No path of the server's is in it."""
        found = {name: self._problem(name) for name in self._library.names()}
        return {name: _pathless(problem) for name, problem in found.items() if problem is not None}

    def specs(self) -> Iterator[AssistantSpec]:
        """All whose engines shall be there: not those of files that are gone, nor of a version that another one has replaced."""
        self._settle()
        for versions in (self._served, self._coming):
            for name, loaded in versions.items():
                if self._library.has(name):
                    yield loaded.spec

    def _settle(self) -> None:
        """New versions whose engines have started, or cannot, though nobody has called since."""
        for name, new in list(self._coming.items()):
            try:
                engines = self._engines.for_assistant(new.spec)
            except (ConfigurationError, ProviderUnavailable) as error:
                del self._coming[name]
                self._tell(name, error)
                continue
            if self._engines.ready(engines):
                self._served[name] = self._coming.pop(name)
            elif broken := self._engines.broken(engines):
                del self._coming[name]
                self._tell(name, ProviderUnavailable("engines", broken))

    def _problem(self, name: str) -> AntiphonError | None:
        """Why it cannot be called; None where it can."""
        if name in self._served:
            return None
        try:
            self._engines.check(self._library.find(name).spec)
        except (ConfigurationError, ProviderUnavailable) as error:
            return error
        return None

    def _tell(self, name: str, error: AntiphonError) -> None:
        """Once for each thing that is wrong, not with every call."""
        problem = str(error)
        if self._problems.get(name) != problem:
            self._problems[name] = problem
            log.error("assistant_not_reloaded", assistant=name, problem=problem)


def _pathless(problem: AntiphonError) -> str:
    if not isinstance(problem, ConfigurationError):
        return str(problem)
    said = problem.problem if problem.field == problem.file else f"{problem.field}: {problem.problem}"
    place = f"line {problem.line}"
    return f"{place}: {said}" if problem.line and place not in said else said
