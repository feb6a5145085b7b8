"""Several calls at once on one beat."""

from typing import Any

import httpx

from antiphon.caller.beat import CallerBeat
from antiphon.caller.summary import report_on
from antiphon.caller.switchboard import place_calls


async def test_calls_are_independent_and_numbered(
    agent: Any, cued: Any, quick_plan: Any, media_server: Any, client: httpx.AsyncClient
) -> None:
    async def fresh(connection: Any) -> None:
        await type(agent)()(connection)

    beat = CallerBeat()
    async with media_server(fresh) as media_url:
        plan = quick_plan(cued(), media_url=media_url)
        records = await place_calls(plan, beat, client, calls=5, stagger_ms=10)
    reports = [report_on(record) for record in records]
    assert [report.record.number for report in reports] == [1, 2, 3, 4, 5]
    assert not any(report.failed for report in reports)
    assert len({record.call_sid for record in records}) == 5
    assert beat.lateness.count > 5 * 20
