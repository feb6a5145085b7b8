"""What a scenario expects of latencies, and how skipped evaluations count."""

from __future__ import annotations

from typing import Any

import pytest
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_simulations import (
    GREETING,
    Server,
    asking,
    calling,
    expecting,
    played,
    scenario,
    server,
    speaking,
)

from antiphon.surfaces.vapi.simulation_latencies import latency_evaluations
from antiphon.surfaces.vapi.simulation_verdicts import failure_of

__all__ = ["server"]


def expected(metric: str = "turn", aggregation: str = "max", at_most: float = 1000, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "aggregation": aggregation, "thresholdMs": at_most, **more}


def turns(*milliseconds: float) -> list[dict[str, float]]:
    return [{"turnLatency": each, "modelLatency": each / 2} for each in milliseconds]


@pytest.mark.parametrize(
    ("aggregation", "measured", "actual"),
    [
        ("mean", (100, 200, 600), 300), ("median", (100, 200, 600), 200), ("median", (100, 200), 150), ("max", (100, 600, 200), 600),
        ("p95", range(1, 101), 95), ("p95", range(1, 20), 19), ("p95", (7,), 7), ("mean", (100, 101), 101), ("mean", (0.4,), 0),
    ],
)  # fmt: skip
def test_turns_are_summed_up(aggregation: str, measured: tuple[float, ...], actual: int) -> None:
    (result,) = latency_evaluations([expected(aggregation=aggregation, at_most=actual)], turns(*measured))
    assert (result["actualMs"], result["passed"], result["sampleCount"]) == (actual, True, len(measured))
    (result,) = latency_evaluations([expected(aggregation=aggregation, at_most=actual - 1)], turns(*measured))
    assert not result["passed"]


def test_what_no_turn_measured_fails_and_a_chat_is_not_judged() -> None:
    (result,) = latency_evaluations([expected("voice")], turns(100))
    assert result == {
        "metric": "voice", "aggregation": "max", "thresholdMs": 1000, "sampleCount": 0, "passed": False, "required": True,
    }  # fmt: skip
    (skipped,) = latency_evaluations([expected(required=False)], None)
    assert (skipped["isSkipped"], skipped["required"], skipped["passed"]) == (True, False, False)
    assert "actualMs" not in skipped
    told = failure_of(
        {"evaluations": [], "latencyEvaluations": latency_evaluations([expected("voice"), expected()], turns(1500))}
    )
    assert told == (
        "voice latency (max): at most 1000 ms was expected, no turn measured it; "
        "turn latency (max): at most 1000 ms was expected, it was 1500 ms"
    )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timed
async def test_a_call_is_judged_by_what_was_measured_in_it(server: Server) -> None:
    _, client = server
    slow = speaking("It costs eleven crowns.", hears="what is the price", name="Shop", firstMessage=GREETING)
    slow["model"]["options"]["first_token_ms"] = 400
    body = asking(
        expecting("eleven crowns"),
        target=slow,
        caller=calling("Hello, what is the price?"),
        latencyExpectations=[
            expected("model", "max", 30_000),
            expected("turn", "p95", 200),
            expected("turn", "mean", 1, required=False),
        ],
    )
    item = await played(client, body)
    assert item["status"] == "failed", item
    results = item["results"]
    fast, late, told = results["latencyEvaluations"]
    assert (fast["passed"], late["passed"], told["passed"], results["passed"]) == (True, False, False, False), item
    assert results["evaluations"][0]["passed"]
    assert late["actualMs"] > 200 and late["sampleCount"] == results["latencyMetrics"]["turnCount"] >= 1
    assert item["failureReason"] == f"turn latency (p95): at most 200 ms was expected, it was {late['actualMs']} ms"


async def test_in_a_chat_latencies_are_skipped(quick_desk: Desk) -> None:
    model = {"provider": "scripted", "options": {"replies": ["Eleven.", "Bye."]}}
    caller = calling("What does it cost?")
    body = asking(expecting("Eleven"), target={"model": model}, caller=caller, latencyExpectations=[expected()])
    item = await played(quick_desk.client, {**body, "transport": {"provider": "vapi.webchat"}})
    assert (item["status"], item["results"]["latencyEvaluations"][0]["skipReason"]) == (
        "passed",
        "no latency is measured in a chat",
    )
    late = {
        "name": "late",
        "type": "regex",
        "regex": "x",
        "schema": {"type": "string"},
        "conditions": [{"type": "minMessages", "count": 99}],
    }
    skipped = {"structuredOutput": late, "comparator": "=", "value": "x"}
    body = asking(expecting("Eleven"), skipped, target={"model": model}, caller=caller)
    item = await played(quick_desk.client, {**body, "transport": {"provider": "vapi.webchat"}})
    assert item["status"] == "passed", "what was skipped does not count"
    assert item["results"]["evaluations"][1]["isSkipped"]
    body = asking(skipped, target={"model": model}, caller=caller, latencyExpectations=[expected()])
    item = await played(quick_desk.client, {**body, "transport": {"provider": "vapi.webchat"}})
    assert item["status"] == "failed", "nothing was judged"
    assert item["failureReason"] == (
        "late: not judged, as there were fewer than 99 messages; turn latency: not judged, as no latency is measured in a chat"
    )


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ([expected("sound")], "latencyExpectations.0.metric must be one of the following values: turn, model, voice"),
        (
            [expected("turn", "p99")],
            "latencyExpectations.0.aggregation must be one of the following values: mean, median, p95, max",
        ),
        ([expected(at_most=-1)], "latencyExpectations.0.thresholdMs must not be less than 0"),
        ([{"metric": "turn"}], "latencyExpectations.0.aggregation should not be empty"),
        ([None], "latencyExpectations.0 should not be empty"),
        ({}, "latencyExpectations must be an array"),
        ([expected()] * 21, "latencyExpectations must contain no more than 20 elements"),
    ],
)
async def test_an_expectation_that_makes_no_sense_is_refused(quick_desk: Desk, wrong: Any, problem: str) -> None:
    body = scenario(expecting("x"), latencyExpectations=wrong)
    answer = await quick_desk.client.post("/eval/simulation/scenario", json=body)
    assert answer.status_code == 400 and problem in answer.json()["message"], answer.text


async def test_expectations_are_kept_without_a_warning(quick_desk: Desk) -> None:
    body = scenario(expecting("x"), latencyExpectations=[expected(required=None)])
    made = await quick_desk.client.post("/eval/simulation/scenario", json=body)
    assert (made.status_code, made.headers.get("x-antiphon-warnings")) == (201, None)
    assert made.json()["latencyExpectations"] == [expected(required=None)]
    nothing = await quick_desk.client.post(
        "/eval/simulation/scenario", json=scenario(expecting("x"), latencyExpectations=None)
    )
    assert nothing.status_code == 201
