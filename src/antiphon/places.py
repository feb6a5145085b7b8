"""So many at a time of each kind: one that hangs takes up no more than its own places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Kind:
    places: asyncio.Semaphore
    users: int = 0


class Places:
    """Kinds are known while somebody is there, or waits."""

    def __init__(self, of_each: int) -> None:
        self._of_each = of_each
        self._kinds: dict[str, _Kind] = {}

    @asynccontextmanager
    async def one(self, of: str) -> AsyncIterator[None]:
        """One of the places of this kind, once there is one."""
        kind = self._kinds.setdefault(of, _Kind(asyncio.Semaphore(self._of_each)))
        kind.users += 1
        try:
            async with kind.places:
                yield
        finally:
            kind.users -= 1
            if not kind.users:
                self._kinds.pop(of, None)
