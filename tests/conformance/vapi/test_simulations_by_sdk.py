"""Simulations as the official SDK drives them: made, run in text and in voice, and read, values asserted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_simulations import ASKED, CALLER, GREETING, TARGET, asking, expecting

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def vapi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    settings = settings_for(tmp_path_factory.mktemp("simulations"), open_api=True)
    async with running_server(settings) as (antiphon, _), httpx.AsyncClient(timeout=60) as client:
        from vapi import AsyncVapi  # not before a test needs it: it takes ten seconds and 600 MB to import

        yield AsyncVapi(token="any", base_url=antiphon.settings.base_url, httpx_client=client)


async def test_a_suite_is_made_run_and_read(vapi: Any) -> None:
    personality = await vapi.simulation_personalities.personality_controller_create(**CALLER)
    assert (personality.name, type(personality.assistant).__name__) == ("Anna", "CreateAssistantDto")
    scenario = await vapi.simulation_scenarios.scenario_controller_create(
        name="Price",
        instructions="Ask.",
        evaluations=[expecting("eleven crowns")],
        tool_mocks=[{"toolName": "f", "result": "x"}],
        latency_expectations=[{"metric": "turn", "aggregation": "p95", "thresholdMs": 60000}],
    )
    assert (scenario.latency_expectations[0].metric, scenario.latency_expectations[0].threshold_ms) == ("turn", 60000)
    assert (scenario.evaluations[0].comparator, scenario.tool_mocks[0].tool_name) == ("=", "f")
    simulation = await vapi.simulations.simulation_controller_create(
        name="S", scenario_id=scenario.id, personality_id=personality.id
    )
    suite = await vapi.simulation_suites.simulation_suite_controller_create(name="All", simulation_ids=[simulation.id])
    assert suite.simulation_ids == [simulation.id]
    assert [each.id for each in await vapi.simulations.simulation_controller_find_all()] == [simulation.id]
    assert [each.id for each in await vapi.simulation_suites.simulation_suite_controller_find_all()] == [suite.id]
    copy = await vapi.simulation_suites.simulation_suite_controller_duplicate(suite.id)
    assert (copy.name, copy.simulation_ids, copy.id != suite.id) == ("All (copy)", [simulation.id], True)
    listed = await vapi.simulation_suites.simulation_suite_controller_find_all(
        sort_order="ASC", sort_by="createdAt", page=2, limit=1
    )
    assert [each.id for each in listed] == [copy.id]
    for provider in ("vapi.webchat", "vapi.websocket"):
        await played(vapi, suite.id, simulation.id, provider)
    concurrency = await vapi.simulations.simulation_controller_get_concurrency()
    assert (concurrency.concurrency_limit, concurrency.active_simulations, concurrency.available_to_start) == (8, 0, 4)


async def played(vapi: Any, suite_id: str, simulation_id: str, provider: str) -> None:
    runs = vapi.simulation_runs
    made = await runs.simulation_run_controller_create(
        simulations=[{"type": "simulationSuite", "simulationSuiteId": suite_id}],
        target={"type": "assistant", "assistant": TARGET}, transport={"provider": provider},
    )  # fmt: skip
    assert (made.status, made.item_counts.total, len(made.simulation_run_item_ids)) == ("queued", 1, 1)
    async with asyncio.timeout(240):
        while (run := await runs.simulation_run_controller_find_one(made.id)).status != "ended":  # noqa: ASYNC110 (a run tells nobody)
            await asyncio.sleep(0.2)
    assert (run.item_counts.passed, type(run.target).__name__) == (1, "SimulationRunTarget_Assistant")
    listed = await runs.simulation_run_controller_find_all(status="ended")
    assert listed.results[0].id == made.id and listed.results[0].summary.source.name == "All"
    (item,) = await runs.simulation_run_controller_find_items(made.id)
    item = await runs.simulation_run_controller_find_item(made.id, item.id)
    assert (item.status, item.simulation_id, item.run_id) == ("passed", simulation_id, made.id)
    (evaluation,) = item.results.evaluations
    assert (evaluation.extracted_value, evaluation.passed) == ("eleven crowns", True)
    assert ASKED in item.metadata.call.transcript
    (latency,) = item.results.latency_evaluations
    assert (latency.is_skipped, latency.passed) == ((True, False) if provider == "vapi.webchat" else (None, True))
    if provider == "vapi.websocket":
        assert item.results.latency_metrics.turn_count == latency.sample_count >= 1
        call = await vapi.calls.get(item.call_id)
        assert call.artifact.messages[0].message == GREETING
    assert (await runs.simulation_run_controller_cancel_group(made.id)).ended_reason == "completed"
    assert (await runs.simulation_run_controller_cancel_item(made.id, item.id)).status == "passed"


async def test_scenarios_are_thought_up_and_improvements_refused_where_all_is_well(vapi: Any) -> None:
    idea = {"name": "Ask", "instructions": "Ask it.", "category": "happy_path", "reasoning": "They do."}
    answer = json.dumps({"scenarios": [idea], "coverageNotes": "Little."})
    assistant = await vapi.assistants.create(
        name="Thinker",
        request_options={
            "additional_body_parameters": {"model": {"provider": "scripted", "options": {"replies": [answer]}}}
        },
    )
    thought = await vapi.simulations.simulation_generate_controller_generate(assistant_id=assistant.id)
    assert [each.dict() for each in thought.scenarios] == [idea]
    assert thought.coverage_notes == "Little."
    runs = vapi.simulation_runs
    made = await runs.simulation_run_controller_create(
        **asking(expecting("eleven crowns")), transport={"provider": "vapi.webchat"}
    )
    async with asyncio.timeout(40):
        while (await runs.simulation_run_controller_find_one(made.id)).status != "ended":  # noqa: ASYNC110 (a run tells nobody)
            await asyncio.sleep(0.02)
    (item,) = await runs.simulation_run_controller_find_items(made.id)
    with pytest.raises(Exception, match="this one is passed") as told:
        await runs.simulation_run_controller_generate_suggestions(made.id, item.id, force="true")
    assert told.value.status_code == 400  # type: ignore[attr-defined]
