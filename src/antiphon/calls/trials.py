"""Stored assistants that somebody tries in a browser: made ready when the key for the conversation is asked for, as calls are planned."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from antiphon.assistants.compile import Assistant
from antiphon.calls.planner import CallPlanner
from antiphon.session.plan import Engines

MAX_TRIED = 32
"""Assistants at a time; the one that was asked for longest ago makes room."""


class Trials:
    """One per process: a session that names ``assistant:<id>`` begins with what was made ready last."""

    def __init__(self, planner: CallPlanner) -> None:
        self._planner = planner
        self._ready: OrderedDict[str, tuple[Assistant, Engines]] = OrderedDict()

    async def prepare(self, org_id: str, id: str) -> Assistant:
        """As this organisation keeps it now, its engines started where that does not take too long. Raises UnknownAssistant,
        ConfigurationError, ProviderUnavailable, StoreUnavailable."""
        made = await self._planner.trial(org_id, id)
        self._ready[id] = made
        self._ready.move_to_end(id)
        while len(self._ready) > MAX_TRIED:
            self._ready.popitem(last=False)
        return made[0]

    def find(self, id: str) -> tuple[Assistant, Engines] | None:
        return self._ready.get(id)

    def engines(self) -> Iterator[Engines]:
        """Those that are kept for them."""
        for _, engines in self._ready.values():
            yield engines
