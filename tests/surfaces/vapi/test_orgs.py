"""An organisation keeps what was said so long as it says, and erases it: its own, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import ask, ended, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_calls import ENGINES, greeted
from tests.test_after_calls import GREETING, holding, until

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.jobs.queue import job_id
from antiphon.storage.jobs import StoredJobs
from antiphon.surfaces.keys import KeyRecord

THEIRS = "Hello from them."


async def test_how_long_it_keeps_what_was_said(desk: Desk) -> None:
    path = f"/org/{DEFAULT_ORG}"
    assert (await desk.client.get(path)).json() == {"id": DEFAULT_ORG, "name": "Antiphon"}
    changed = await desk.client.patch(path, json={"retentionDays": 1.5})
    assert (changed.status_code, changed.json()["retentionDays"]) == (200, 1.5)
    assert (await desk.client.get("/org")).json() == [{"id": DEFAULT_ORG, "name": "Antiphon", "retentionDays": 1.5}]
    assert "retentionDays" not in (await desk.client.patch(path, json={"retentionDays": None})).json()
    for wrong in ({"retentionDays": -1}, {"retentionDays": True}, {"retentionDays": "1"}, {"name": "x"}):
        refused = await desk.client.patch(path, json=wrong)
        assert (refused.status_code, refused.json()["statusCode"]) == (400, 400), wrong
    assert (await desk.client.patch("/org/another", json={})).status_code == 404
    for wrong in ({"assistantId": ""}, {"before": "soon"}, {"before": 5}, {"everything": True}):
        assert (await desk.client.post(f"{path}/erase", json=wrong)).status_code == 400, wrong
    assert (await desk.client.post("/org/another/erase", json={})).status_code == 404


async def call_of(client: httpx.AsyncClient, first: str) -> dict[str, Any]:
    call = await ask(client, assistant={**ENGINES, "firstMessage": first})
    async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
        await caller.until_told("transcript", role="assistant", transcript=first)
    await ended(client, call["id"])
    return call


async def with_keys(antiphon: Any, url: str) -> Sequence[httpx.AsyncClient]:
    clients = []
    for org in (DEFAULT_ORG, "them"):
        _, key = antiphon.keys.create(org[:8], 0, like=KeyRecord("", "", "", 0, org_id=org))
        clients.append(httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60))
    return clients


@pytest.mark.parametrize("how", ["retention", "erased"])
async def test_an_organisation_s_calls_are_erased_and_nobody_else_s(tmp_path: Path, how: str) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (antiphon, _):
        assert antiphon.api is not None and antiphon.api.after is not None
        after = antiphon.api.after
        ours, theirs = await with_keys(antiphon, antiphon.settings.base_url)
        async with ours, theirs:
            if how == "retention":
                answer = await theirs.patch("/org/them", json={"retentionDays": 1e-6})
                assert answer.status_code == 200, answer.text
            mine, other = await call_of(ours, GREETING + "."), await call_of(theirs, THEIRS)

            async def done() -> bool:
                return await after.waiting() == 0

            await until(done)
            if how == "erased":
                assert holding(settings.data_dir, THEIRS)
                erased = await theirs.post("/org/them/erase", json={"before": "2000-01-01"})
                assert (erased.status_code, erased.json()) == (201, {"erased": 0, "remaining": 0})
                erased = await theirs.post("/org/them/erase", json={})
                assert erased.json() == {"erased": 1, "remaining": 0}
                assert (await theirs.get(f"/call/{other['id']}")).status_code == 404

            async def gone() -> bool:
                return holding(settings.data_dir, THEIRS) == []

            await until(gone)
            if how == "retention":
                left = (await theirs.get(f"/call/{other['id']}")).json()
                assert left["erased"] is True and left.get("artifact") is None
            kept = (await ours.get(f"/call/{mine['id']}")).json()
            assert GREETING in kept["artifact"]["transcript"]
            assert holding(settings.data_dir, GREETING)


async def test_an_assistant_s_own_days_win(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        assert antiphon.api is not None and antiphon.api.after is not None
        ours, _theirs = await with_keys(antiphon, antiphon.settings.base_url)
        async with ours, _theirs:
            await ours.patch(f"/org/{DEFAULT_ORG}", json={"retentionDays": 1e-6})
            kept = {**ENGINES, "firstMessage": GREETING + ".", "artifactPlan": {"retentionDays": 30}}
            call = await ask(ours, assistant=kept)
            async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
                await greeted(caller)

            await ended(ours, call["id"])
            jobs = StoredJobs(antiphon.api.database)

            async def reported() -> bool:
                return bool(await jobs.known([job_id("erase", call["id"])]))

            await until(reported)
            assert "erased" not in (await ours.get(f"/call/{call['id']}")).json()

            async def only_its_erasure_waits() -> bool:
                assert antiphon.api is not None and antiphon.api.after is not None
                return await antiphon.api.after.waiting() == 1

            await until(only_its_erasure_waits)
