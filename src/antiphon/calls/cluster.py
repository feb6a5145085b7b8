"""What the rooms of calls need to know of the other worker processes of one server, where there are any."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from antiphon.calls.limits import CallLimits, MemoryLimits

PART = "antiphon.part"
"""In a request's scope: another worker asks it, for a part of an answer of its own. Whoever asked that one was let in there, counted and
noted. No client can write there."""


class CallRegister(Protocol):
    """Where processes write down which calls they hold, from their planning to their end."""

    async def hold(self, call_id: str, *also: str) -> None:
        """This process holds it. ``also``: other names it is asked for by, its carrier's id. Never raises."""
        ...

    def let_go(self, call_id: str) -> None:
        """It is over. Returns at once; safe to say twice."""
        ...


class NobodyElse:
    """The register where there is one process."""

    async def hold(self, call_id: str, *also: str) -> None:
        """There is nobody to be told."""

    def let_go(self, call_id: str) -> None:
        """There is nobody to be told."""


NOBODY_ELSE = NobodyElse()


@dataclass(frozen=True, slots=True)
class Cluster:
    """What worker processes of one server share of calls."""

    node: str
    """This one's name in records."""
    register: CallRegister
    limits: CallLimits
    beginning: str
    """Of the names of all of them, alive or dead."""
    living: Callable[[], Awaitable[Collection[str]]]
    """The names of those that live. Raises StoreUnavailable."""


def alone(limit: int) -> Cluster:
    """One process, with so many calls of an organisation at once."""
    name = socket.gethostname()[:255]

    async def itself() -> Collection[str]:
        return (name,)

    return Cluster(name, NOBODY_ELSE, MemoryLimits(limit), name, itself)
