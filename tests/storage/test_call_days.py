"""What was measured of calls, taken out of their records: the same from SQLite and PostgreSQL; and what was to be told of one call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import event

from antiphon.calls.days import MeasuredCall
from antiphon.calls.stores import CallRecord
from antiphon.storage.call_days import StoredCallDays
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.webhooks.deliveries import Delivery


async def test_only_what_was_measured_is_read_the_newest_first(database: Database) -> None:
    turns = [{"turnLatency": 700}, {"turnLatency": 900.4}, {"modelLatency": 5}, None]
    bodies: list[dict[str, Any]] = [
        {"artifact": {"performanceMetrics": {"turnLatencies": turns, "numAssistantInterrupted": 2}}, "history": ["x"] * 100},
        {}, {"artifact": None}, {"artifact": {"performanceMetrics": {"turnLatencies": "none"}}}, {"artifact": []},
    ]  # fmt: skip
    calls = StoredCalls(database)
    for number, body in enumerate(bodies):
        await calls.add(
            CallRecord(f"c{number}", "org", "webCall", "ended", 1000 * number, 0, cost_usd=number, body=body)
        )
    await calls.add(CallRecord("live", "org", "webCall", "in-progress", 9000, 0))
    await calls.add(CallRecord("theirs", "another", "webCall", "ended", 9000, 0))
    days = StoredCallDays(database)
    found = await days.measured("org", 0, 10)
    assert [each.wall_ms for each in found] == [4000, 3000, 2000, 1000, 0]
    assert found[-1] == MeasuredCall(0, 0.0, (700, 900), 2)
    assert all((list(each.turn_ms), each.interruptions) == ([], 0) for each in found[:-1])
    assert [each.wall_ms for each in await days.measured("org", 2000, 2)] == [4000, 3000]


async def test_a_document_is_read_once_and_again_when_it_has_changed(database: Database) -> None:
    calls, days = StoredCalls(database), StoredCallDays(database)
    for number in range(3):
        await calls.add(CallRecord(f"c{number}", "org", "webCall", "ended", number, 0))
    read: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "performanceMetrics" in statement or " IN " in statement:
            read.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    assert len(await days.measured("org", 0, 10)) == 3
    assert len(read) == 1
    assert len(await days.measured("org", 0, 10)) == 3
    assert len(read) == 1, "nothing is read again"
    turns = {"turnLatencies": [{"turnLatency": 700}]}
    await calls.change("c1", 5, {"artifact": {"performanceMetrics": turns}})
    assert [list(each.turn_ms) for each in await days.measured("org", 0, 10)] == [[], [700], []]
    assert len(read) == 2


async def test_what_was_to_be_told_of_a_call_is_there_before_it_is_tried(database: Database) -> None:
    store = StoredDeliveries(database)
    made = Delivery("d1", "org", "end-of-call-report", {"url": "https://a.example"}, "{}", 2000, 5000, "call-1")
    for each in (
        made, replace(made, id="d2", created_wall_ms=1000), replace(made, id="d3", call_id="call-2"), replace(made, id="d4", org_id="x"),
    ):  # fmt: skip
        await store.add(each)
    assert [each.id for each in await store.of_call("org", "call-1", 10)] == ["d2", "d1"]
    assert [each.id for each in await store.of_call("org", "call-1", 1)] == ["d2"]
    assert await store.of_call("org", "none", 10) == []
