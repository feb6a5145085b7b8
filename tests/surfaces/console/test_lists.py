"""Lists of many: each page asks for its part, and the overview's days are read out of the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.serving import running_server, settings_for
from tests.surfaces.console.test_door import Console
from tests.surfaces.console.test_records import record_of

from antiphon.calls.days import MeasuredCall
from antiphon.calls.stores import DEFAULT_ORG, Resource
from antiphon.surfaces.console.days import MAX_CALLS, by_day

DAY_MS = 86_400_000


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """Signed in as a viewer."""
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        opened = Console(antiphon, client)
        await opened.set_up()
        await opened.become("viewer")
        yield opened


def kept(kind: str, at: int, **body: Any) -> Resource:
    return Resource(kind, f"{kind}-{at}", DEFAULT_ORG, body, at, at)


async def test_tables_of_more_than_a_page_are_read_to_their_end(console: Console) -> None:
    assert console.antiphon.api is not None
    for number in range(230):
        function = {"name": f"look_up_{number}"}
        await console.antiphon.api.resources.add(kept("tool", number, type="function", function=function))
    seen: list[str] = []
    for offset in range(0, 300, 50):
        told = (await console.ask("GET", f"kept/tool?limit=50&offset={offset}")).json()
        assert told["total"] == 230
        seen += [each["name"] for each in told["rows"]]
    assert seen == [f"look_up_{number}" for number in reversed(range(230))]
    for wrong in ("limit=201", "limit=x", "offset=-1"):
        assert (await console.ask("GET", f"kept/tool?{wrong}")).status_code == 422
    for missing in ("kept/call", "kept/assistant", "kept/"):
        assert (await console.ask("GET", missing)).status_code == 404


async def test_a_row_has_a_name_and_a_kind_and_no_secret(console: Console) -> None:
    assert console.antiphon.api is not None
    rows = (
        kept("credential", 1, provider="openai", name="Main", apiKey="hidden", _sealed="hidden"),
        kept("phone-number", 1, provider="twilio", number="+15550100", name="Front"),
        kept("eval", 1, type="chat.mockConversation", name=None),
        kept("tool", 1, type="endCall", function=None),
    )
    for row in rows:
        await console.antiphon.api.resources.add(row)
    shown = []
    for kind in ("credential", "phone-number", "eval", "tool"):
        answer = await console.ask("GET", f"kept/{kind}")
        assert "hidden" not in answer.text
        shown += [(each["name"], each["type"]) for each in answer.json()["rows"]]
    assert shown == [("Main", "openai"), ("+15550100", "twilio"), ("", "chat.mockConversation"), ("", "endCall")]


async def test_a_page_costs_a_few_queries_however_long_the_list(console: Console) -> None:
    assert console.antiphon.api is not None
    database = console.antiphon.api.database
    asked: dict[str, list[int]] = {}
    for calls in (60, 300):
        for number in range(calls):
            await console.antiphon.api.calls.add(replace(record_of(number), id=f"{calls}-{number}"))
        for path in ("records?limit=50", "days", "kept/tool", "assistants?limit=50"):
            statements: list[str] = []

            def note(_connection: Any, _cursor: Any, statement: str, *_: Any, to: list[str] = statements) -> None:
                theirs = ("deliveries", "jobs")  # what works in the background asks for
                if statement.startswith("SELECT") and not any(name in statement for name in theirs):
                    to.append(statement)

            engine = database.engine
            event.listen(engine, "before_cursor_execute", note)
            answer = await console.ask("GET", path)
            event.remove(engine, "before_cursor_execute", note)
            assert answer.status_code == 200
            assert len(answer.content) < 64 * 1024, path
            asked.setdefault(path, []).append(len(statements))
    assert all(few == many <= 5 for few, many in asked.values()), asked


async def test_days_are_read_out_of_stored_calls_and_outlive_the_process(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    turns = [{"turnLatency": each, "modelLatency": 1} for each in (700, 900, 800)]
    measured = {"performanceMetrics": {"turnLatencies": turns, "numAssistantInterrupted": 2}}
    async with running_server(settings) as (antiphon, client):
        assert antiphon.api is not None
        now_ms = antiphon.clock.wall_ms()
        for number, (days_ago, artifact) in enumerate(
            [(0, measured), (0, {}), (1, {"performanceMetrics": None}), (40, measured)]
        ):
            at_ms = now_ms - days_ago * DAY_MS
            call = replace(record_of(number), created_wall_ms=at_ms, body={"artifact": artifact})
            await antiphon.api.calls.add(call)
        await antiphon.api.calls.add(replace(record_of(9), created_wall_ms=now_ms, status="in-progress"))
        await Console(antiphon, client).set_up()
    async with running_server(settings) as (antiphon, client):
        console = Console(antiphon, client)
        assert (await console.sign_in()).status_code == 204
        told = (await console.ask("GET", "days")).json()
        assert (await console.ask("GET", "overview")).json()["calls"] == 0, "of this process"
    today, yesterday = told["days"]
    assert told["whole"]
    assert (today["calls"], today["cost_usd"], today["interruptions"]) == (2, 0.5, 2)
    assert today["response_ms"] == {"p50": 800, "p95": 900, "count": 3}
    assert (yesterday["calls"], yesterday["response_ms"]["p50"]) == (1, None)


def test_a_day_ends_at_midnight_utc() -> None:
    calls = [MeasuredCall(DAY_MS, 0.1, [500]), MeasuredCall(DAY_MS - 1, 0.2), MeasuredCall(2 * DAY_MS - 1, 0.3, [100])]
    rows = [(day["wall_ms"], day["calls"], day["cost_usd"], day["response_ms"]["count"]) for day in by_day(calls)]
    assert rows == [(DAY_MS, 2, 0.4, 2), (0, 1, 0.2, 0)]
    assert by_day([]) == []
    assert MAX_CALLS == 2000, "the page says so"
