"""Places calls: one or hundreds, in one process and on one beat."""

from __future__ import annotations

import asyncio

import httpx

from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan, Observer
from antiphon.caller.record import CallRecord

MAX_CALLS = 10_000


async def place_calls(
    plan: CallPlan,
    beat: CallerBeat,
    client: httpx.AsyncClient,
    *,
    calls: int = 1,
    stagger_ms: float = 0.0,
    observer: Observer | None = None,
) -> list[CallRecord]:
    """Place ``calls`` calls of one plan, each ``stagger_ms`` after the one before, and return all records by number.

    ``observer`` watches the first of them. Cancelling hangs up every call.
    """

    async def place(number: int) -> CallRecord:
        await asyncio.sleep((number - 1) * stagger_ms / 1000)
        caller = Caller(plan, beat, number=number, observer=observer if number == 1 else None)
        return await caller.call(client)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(place(number)) for number in range(1, calls + 1)]
    return [task.result() for task in tasks]
