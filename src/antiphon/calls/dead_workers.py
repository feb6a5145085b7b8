"""Calls of worker processes that are gone: their records end, and the work after them begins.

Every worker looks, at its start (the supervisor has started it in the place of one that died) and now and then. Who is alive, the cluster
knows; where it cannot be asked, nobody is taken for dead.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from antiphon.calls.cluster import Cluster
from antiphon.calls.stores import CallStore
from antiphon.clock import Clock
from antiphon.errors import StoreUnavailable

LOOK_EVERY_S = 20.0
log = structlog.get_logger(__name__)


class Finished(Protocol):
    """Whom the work after calls begins with, where no session of this process held them."""

    def __call__(self, call_id: str, org_id: str, ended_reason: str = "") -> None:
        """``ended_reason``: in the API's words, where it may not stand in the record yet. Never waits, never raises."""
        ...


def nothing_after(call_id: str, org_id: str, ended_reason: str = "") -> None:
    """Where there is no work after calls."""


class DeadWorkers:
    """One per worker process."""

    def __init__(
        self,
        calls: CallStore,
        cluster: Cluster,
        clock: Clock,
        ended_reason: str,
        finished: Finished,
    ) -> None:
        """``finished`` is told of each call that is ended, once."""
        self._calls = calls
        self._cluster = cluster
        self._clock = clock
        self._ended_reason = ended_reason
        self._finished = finished
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_for_ever(), name="dead-workers")

    async def close(self) -> None:
        """Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> int:
        """How many calls were ended. Raises StoreUnavailable."""
        found = 0
        named = await self._calls.nodes(
            self._cluster.beginning
        )  # before: one that starts meanwhile is known before it has a call
        living = await self._cluster.living() if named else ()
        for node in named:
            if node not in living:
                ended = await self._calls.end_of(node, self._clock.wall_ms(), self._ended_reason)
                for call_id, org_id in ended:
                    self._cluster.limits.release(org_id, call_id)
                    self._finished(call_id, org_id)
                if ended:
                    log.warning("dead_worker_s_calls_ended", node=node, calls=len(ended))
                found += len(ended)
        return found

    async def _look_for_ever(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
