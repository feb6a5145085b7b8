"""Erases what was said in a call: its files, and what its record and its jobs hold of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from antiphon.calls.files import CallFiles
from antiphon.calls.stores import CallStore
from antiphon.clock import Clock
from antiphon.jobs.queue import Job, JobStore, job_id

ACCOUNTED = frozenset(
    ["costs", "costBreakdown", "usage", "failures", "endReason", "erased", "transport", "phoneCallProvider", "warnings"]
)
"""Fields of a call's record that stay when its content is erased: what is accounted for. Any other may hold words, or who somebody is."""

log = structlog.get_logger(__name__)


class Erasure:
    """Of calls."""

    def __init__(
        self,
        files: CallFiles,
        calls: CallStore,
        jobs: JobStore,
        clock: Clock,
        forget: Callable[[], Awaitable[None]],
        also: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``forget``: the database lets go of what it has erased. ``also`` erases what others hold of a call (deliveries of webhooks)."""
        self._files = files
        self._calls = calls
        self._jobs = jobs
        self._clock = clock
        self._forget = forget
        self._also = also

    async def erase_content(self, call_id: str) -> None:
        """What was said goes, the record stays. Raises OSError, StoreUnavailable; doing it again is safe."""
        await self._files_of(call_id)
        record = await self._calls.find(None, call_id)
        if record is not None:
            held = {name: None for name in record.body if name not in ACCOUNTED}
            await self._calls.change(
                call_id, self._clock.wall_ms(), {**held, "erased": True}, customer_number="", name=""
            )
        await self._forget()
        log.info("call_erased", call_id=call_id)

    async def erase(self, org_id: str, call_id: str) -> bool:
        """All of it, the record too. False where there is no such call. Raises OSError, StoreUnavailable."""
        if await self._calls.find(org_id, call_id) is None:
            return False
        # One that goes on, or has just ended, may be handed over after this.
        names = [call_id, *await asyncio.to_thread(self._files.parts, call_id)]
        first, *others = [job_id("after", name) for name in dict.fromkeys(names)]
        now_ms = self._clock.wall_ms()
        await self._jobs.close_of(Job(first, call_id, org_id, now_ms, now_ms), others)
        await self._files_of(call_id)
        await self._calls.delete(org_id, call_id)
        await self._forget()
        log.info("call_deleted", call_id=call_id)
        return True

    async def _files_of(self, call_id: str) -> None:
        await asyncio.to_thread(self._files.erase, call_id)
        if self._also is not None:
            await self._also(call_id)
