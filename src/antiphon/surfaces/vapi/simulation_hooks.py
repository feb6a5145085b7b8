"""Servers that a scenario's hooks name: told when one of its conversations begins, and when there is a verdict on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from antiphon.assistants.tool_definition import ServerSpec
from antiphon.clock import Clock, iso
from antiphon.errors import ConfigurationError
from antiphon.wire_model import join, parse

STARTED, ENDED = "simulation.run.started", "simulation.run.ended"
MOST_ACTIONS = 10
"""Of a scenario's hooks together."""
LONGEST_S = 20.0
"""A server's answer is not waited for any longer, whatever its ``timeoutSeconds`` says."""
_INCLUDED = ("transcript", "messages", "recordingUrl")

Tell = Callable[[ServerSpec, str, str, Mapping[str, Any]], Awaitable[str]]
"""``(server, org_id, call_id, message)``: what went wrong; empty where the message was taken (``ServerEvents.tell``)."""


def wrong_hooks(hooks: Sequence[Mapping[str, Any]], path: str) -> list[str]:
    """What of a scenario's hooks, which have the form that the API gives them, nobody could follow."""
    problems = []
    for at, hook in enumerate(hooks):
        for number, action in enumerate(hook["do"]):
            place = join(path, at, "do", number, "server")
            if not action.get("server"):
                problems.append(f"{place} must be given: there is no other to be told")
                continue
            try:
                parse(ServerSpec, action["server"], place)
            except ConfigurationError as error:
                problems.append(f"{error.field} {error.problem}")
    if sum(len(hook["do"]) for hook in hooks) > MOST_ACTIONS:
        problems.append(f"{path} must contain no more than {MOST_ACTIONS} actions")
    return problems


class SimulationHooks:
    """One per process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tell: Tell | None = None
        """Set by whoever has connections to applications."""

    async def run(
        self,
        on: str,
        hooks: Sequence[Mapping[str, Any]],
        org_id: str,
        about: Mapping[str, Any],
        said: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        """Tell all servers that want to know, each once. ``about``: what stands in each message; ``said``: what an action may ask for
        besides. What became of it, one for each."""
        told = [self._told(action, on, org_id, about, said) for action in _actions(on, hooks)]
        return list(await asyncio.gather(*told))

    async def _told(
        self, action: Mapping[str, Any], on: str, org_id: str, about: Mapping[str, Any], said: Mapping[str, Any]
    ) -> dict[str, Any]:
        include = action.get("include") or {}
        wanted = {name: said[name] for name in _INCLUDED if include.get(name) and name in said}
        message = {"type": on, "timestamp": self._clock.wall_ms(), **about, **wanted}
        problem = "nobody here has connections"
        if self.tell is not None:
            server = parse(ServerSpec, action["server"], "server")
            try:
                async with asyncio.timeout(LONGEST_S):
                    problem = await self.tell(server, org_id, str(about.get("callId") or ""), message)
            except TimeoutError:
                problem = "timeout"
        state = {"type": "webhook", "toldAt": iso(self._clock.wall_ms())}
        return {**state, "status": "failed", "error": problem} if problem else {**state, "status": "delivered"}


def _actions(on: str, hooks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for hook in hooks:
        if hook["on"] == on:
            yield from hook["do"]
