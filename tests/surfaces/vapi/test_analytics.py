"""Questions to ``/analytics``: read, refused, answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.databases import sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of

from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.surfaces.vapi.dates import ms_of

COUNT = {"operation": "count", "column": "id"}


async def add_calls(desk: Desk, *dates: str) -> None:
    for number, date in enumerate(dates):
        at = ms_of(date)
        await desk.api.calls.add(CallRecord(f"c{number}", DEFAULT_ORG, "webCall", "ended", at, at, at, at + 30_000))


async def ask(desk: Desk, status: int = 201, **query: Any) -> Any:
    body = {"queries": [{"table": "call", "name": "n", "operations": [COUNT], **query}]}
    answer = await desk.client.post("/analytics", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()[0] if status == 201 else answer.json()


async def test_questions_are_answered(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        await add_calls(desk, "2026-03-28T23:30:00Z", "2026-03-29T10:00:00Z", "2026-03-30T10:00:00Z")
        span = {"start": "2026-03-28T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
        whole = await ask(desk, timeRange=span)
        assert whole["name"] == "n"
        assert whole["result"] == [{"date": "2026-03-28T00:00:00.000+00:00", "countId": 3}]
        days = await ask(desk, timeRange={**span, "step": "day"})
        assert [row["countId"] for row in days["result"]] == [1, 1, 1]
        assert days["timeRange"]["step"] == "day"
        # In Berlin the first of them was made on the 29th, a day of 23 hours.
        berlin = await ask(desk, timeRange={**span, "step": "day", "timezone": "Europe/Berlin"})
        assert [(row["date"][:10], row["countId"]) for row in berlin["result"]] == [
            ("2026-03-29", 2),
            ("2026-03-30", 1),
        ]
        minutes = await ask(
            desk,
            timeRange=span,
            groupBy="type",
            operations=[{"operation": "sum", "column": "minutesUsed", "alias": "used"}],
        )
        assert minutes["result"][0] == {"date": "2026-03-28T00:00:00.000+00:00", "type": "webCall", "used": 1.5}
        assert (await ask(desk))["result"][0]["countId"] == 0  # the last seven days of the test's clock


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"table": "chat"}, "queries.0.table must be one of the following values: call, subscription"),
        ({"name": ""}, "queries.0.name must be a string"),
        ({"operations": []}, "queries.0.operations must contain 1 to 20 elements"),
        ({"operations": [{"operation": "mode", "column": "id"}]}, "queries.0.operations.0.operation must be one of"),
        ({"operations": [{"operation": "sum", "column": "id"}]}, "id can only be counted"),
        ({"operations": [{"operation": "sum", "column": "x"}]}, "queries.0.operations.0.column must be one of"),
        ({"operations": [{"operation": "max", "column": "concurrency"}]}, "concurrency is not summed here"),
        ({"operations": [COUNT, COUNT]}, "must have different aliases"),
        ({"operations": [{**COUNT, "alias": "date"}]}, "must not be the name of another field"),
        ({"groupBy": ["color"]}, "each value in queries.0.groupBy must be one of"),
        ({"groupByVariableValue": [{"key": "x"}]}, "property queries.0.groupByVariableValue should not exist"),
        ({"timeRange": {"step": "moment"}}, "queries.0.timeRange.step must be one of"),
        ({"timeRange": {"timezone": "../x"}}, "queries.0.timeRange.timezone must be an IANA time zone"),
        ({"timeRange": {"start": "soon"}}, "queries.0.timeRange.start must be a valid ISO 8601 date string"),
        ({"timeRange": {"start": "2026-01-02", "end": "2026-01-01"}}, "must be before"),
        ({"timeRange": {"step": "second"}}, "more than 1000 steps"),
        ({"timeRange": {"step": "century", "start": "0001-01-01", "end": "9999-12-31"}}, ""),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(tmp_path: Path, query: dict[str, Any], problem: str) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        told = await ask(desk, 400 if problem else 201, **query)
        assert not problem or problem in told["message"][0]
