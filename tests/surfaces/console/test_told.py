"""What applications were told about a call, on its page: from the outbox's own tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.serving import running_server, settings_for
from tests.surfaces.console.test_door import Console
from tests.surfaces.console.test_records import record_of

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.webhooks.deliveries import Attempt, Delivery, Outcome

FAR_MS = 9_000_000_000_000
"""Due when this test is long over: the server's own outbox leaves it alone."""
TARGET = {"url": "https://user:pw@app.example:8443/hooks?key=hidden", "secret": "hidden", "headers": {"x": "hidden"}}


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        opened = Console(antiphon, client)
        await opened.set_up()
        await opened.become("viewer")
        assert antiphon.api is not None
        await antiphon.api.calls.add(record_of(7))
        yield opened


def delivery(id: str, **given: Any) -> Delivery:
    made = Delivery(id, DEFAULT_ORG, "end-of-call-report", TARGET, '{"secret": "hidden"}', 1000, FAR_MS, "call-7")
    return replace(made, **given)


async def test_each_delivery_comes_with_its_attempts_and_when_the_next_is_due(console: Console) -> None:
    assert console.antiphon.api is not None
    store = StoredDeliveries(console.antiphon.api.database)
    for each in (
        delivery("d1"), delivery("d2", type="status-update", created_wall_ms=2000),
        delivery("d3", org_id="another", created_wall_ms=3000), delivery("d4", call_id="call-8"),
    ):  # fmt: skip
        assert await store.add(each)
    attempts = (
        (Attempt(1000, 250, 503, answer="hidden"), False, FAR_MS),
        (Attempt(2000, 5000, None, "timeout"), False, FAR_MS),
    )
    for attempt, acknowledged, retry_ms in attempts:
        leased = {each.id: each for each in await store.claim(FAR_MS, 10, "mine", 0)}["d1"]
        await store.settle([Outcome(leased, attempt, acknowledged, retry_ms)])
    answer = await console.ask("GET", "records/call-7")
    assert "hidden" not in answer.text
    assert "pw" not in answer.text
    first, second = answer.json()["webhooks"]
    assert first == {
        "event": "end-of-call-report", "url": "https://app.example:8443/hooks", "status": "pending", "wall_ms": 1000,
        "next_wall_ms": FAR_MS,
        "attempts": [
            {"wall_ms": 1000, "duration_ms": 250, "status": 503, "problem": ""},
            {"wall_ms": 2000, "duration_ms": 5000, "status": None, "problem": "timeout"},
        ],
    }  # fmt: skip
    assert (second["event"], second["attempts"]) == ("status-update", [])


async def test_a_call_nobody_was_told_of_has_an_empty_list(console: Console) -> None:
    assert (await console.ask("GET", "records/call-7")).json()["webhooks"] == []
