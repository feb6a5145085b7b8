"""Sums over calls: the same from SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.databases import postgres_url, sqlite_url

from antiphon.calls.stores import CallRecord
from antiphon.calls.sums import COLUMNS, GROUPS, Summed, SumQuestion
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.call_sums import StoredCallSums
from antiphon.storage.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
async def sums(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoredCallSums]:
    database = Database(sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url())
    await database.open()
    calls = StoredCalls(database)
    for number in range(6):
        judged = {"analysis": {"successEvaluation": "true" if number % 3 else "false"}}
        body: dict[str, Any] = {"costBreakdown": {"llm": number / 4, "ttsCharacters": number}, **judged}
        await calls.add(
            CallRecord(
                f"c{number}", "org", "webCall", "ended", 1000 * number, 0, started_wall_ms=1000 * number,
                ended_wall_ms=1000 * number + 60_000, cost_usd=0.5, body=body, assistant_id="ab"[number % 2],
            )
        )  # fmt: skip
    await calls.add(CallRecord("late", "org", "webCall", "queued", 5500, 0))
    await calls.add(CallRecord("other", "another-org", "webCall", "ended", 1000, 0, cost_usd=9))
    yield StoredCallSums(database)
    await database.close()


def summed(operation: Any, column: str) -> Summed:
    return Summed(operation, column, f"{operation} {column}")


async def ask(sums: StoredCallSums, *operations: Summed, edges: Any = (0, 10_000), by: Any = ()) -> list[Any]:
    rows = await sums.ask("org", SumQuestion(operations, edges, by))
    return [(step, *values.values()) for step, values in rows]


async def test_calls_are_counted_and_summed(sums: StoredCallSums) -> None:
    asked = [
        summed("count", "id"), summed("sum", "cost"), summed("avg", "duration"), summed("max", "minutesUsed"),
        summed("min", "costBreakdown.llm"), summed("sum", "costBreakdown.ttsCharacters"), summed("history", "id"),
        summed("history", "costBreakdown.llm"),
    ]  # fmt: skip
    assert await ask(sums, *asked) == [(0, 7, 3.0, 60.0, 1.0, 0.0, 15.0, 7, 0.625)]


async def test_steps_and_groups(sums: StoredCallSums) -> None:
    count = summed("count", "id")
    assert await ask(sums, count, edges=(0, 2000, 3000, 5000, 9000, 10_000)) == [(0, 2), (1, 1), (2, 2), (3, 2)]
    assert await ask(sums, count, edges=(1000, 3000)) == [(0, 2)]
    assert await ask(sums, count, by=["assistantId"]) == [(0, "", 1), (0, "a", 3), (0, "b", 3)]
    by_judgement = await ask(sums, count, edges=(0, 5400), by=["analysis.successEvaluation", "status"])
    assert by_judgement == [(0, "false", "ended", 2), (0, "true", "ended", 4)]
    assert await ask(sums, count, edges=(20_000, 30_000)) == []


async def test_every_column_and_group_can_be_asked_for(sums: StoredCallSums) -> None:
    asked = [summed("count", column) for column in COLUMNS]
    assert len(await ask(sums, *asked, by=GROUPS, edges=[*range(0, 10_000, 10), 10_000])) == 7
