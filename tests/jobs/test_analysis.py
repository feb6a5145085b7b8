"""What a model is asked about a call, and what is done with its answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from antiphon.assistants.output_conditions import Facts
from antiphon.calls.stores import Resource
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.jobs.analysis import NO_MODEL, Analyst, Questions
from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, UsageDelta
from antiphon.vocabulary import OnUsage, Usage


class Model:
    name = "model"

    def __init__(self, answer: Callable[[ModelRequest], str]) -> None:
        self.answer = answer
        self.asked: list[ModelRequest] = []

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        self.asked.append(request)
        yield TextDelta(self.answer(request))
        yield UsageDelta(Usage(100, 10, model="m"))


def answer(request: ModelRequest) -> str:
    prompt = request.messages[0].content
    if "summarise" in prompt:
        return "Marmalade was asked for."
    if "JSON Schema" in prompt:
        return 'Here:\n```json\n{"item": "marmalade"}\n```'
    return "True."


async def read(output: Resource, transcript: str, analyst: Analyst | None, used: OnUsage) -> Any:
    """As a model, or none, reads: ``tests/test_after_calls.py`` has real ones."""
    if output.body.get("fails") is not None:
        raise output.body["fails"]
    if analyst is None:
        raise ConfigurationError("model", "no model is configured")
    used("reader", Usage(7, 3))
    return {"item": "marmalade"} if "marmalade?" in transcript else None


def questions(model: Model | None, plan: dict[str, Any], outputs: list[Resource] | None = None) -> Questions:
    analyst = Analyst(model) if model else None
    return Questions("c1", "User: marmalade?\n", "Sell it.", plan, analyst, outputs or [], read)


SCHEMA = {"type": "object", "properties": {"item": {"type": "string"}}}


async def test_summary_data_and_success_are_asked_for() -> None:
    model = Model(answer)
    plan = {"structuredDataPlan": {"enabled": True, "schema": SCHEMA}}
    output = Resource("structured-output", "o1", "org", {"name": "so", "schema": SCHEMA}, 1, 1)
    done = await questions(model, plan, [output]).ask(Facts(4))
    assert done.fields == {
        "summary": "Marmalade was asked for.",
        "structuredData": {"item": "marmalade"},
        "successEvaluation": "true",
    }
    assert done.outputs == {"o1": {"name": "so", "result": {"item": "marmalade"}}}
    assert not done.skipped
    assert (done.uses[-1].provider, done.uses[-1].usage) == ("reader", Usage(7, 3))
    assert [use.kind for use in done.uses] == ["summary", "structuredData", "successEvaluation", "structuredOutput"]
    assert all("marmalade?" in request.messages[1].content for request in model.asked)


async def test_what_is_not_done_has_a_reason() -> None:
    done = await questions(None, {}).ask(Facts(4))
    assert done.fields == {} and done.skipped["summary"] == done.skipped["successEvaluation"] == NO_MODEL
    done = await questions(Model(answer), {"summaryPlan": {"enabled": False}}).ask(Facts(4))
    assert "enabled is false" in done.skipped["summary"] and "successEvaluation" in done.fields
    done = await questions(Model(answer), {"minMessagesThreshold": 5}).ask(Facts(4))
    assert done.skipped["summary"] == "the call was too short"


LONG, WANTED = (
    {"type": "minMessages", "count": 4},
    {"type": "endedReason", "operator": "oneOf", "values": ["voicemail"]},
)
LASTED, UNWANTED = {"type": "minCallDuration", "seconds": 10}, {**WANTED, "operator": "notOneOf"}


@pytest.mark.parametrize(
    ("conditions", "facts", "why"),
    [
        (None, Facts(2), ""),
        ([], Facts(1), "too short"),
        ([LONG], Facts(4), ""),
        ([LONG], Facts(3), "fewer than 4 messages"),
        ([{"type": "minMessages", "count": 0}], Facts(0), ""),  # what counts for all others does not count for it
        ([LASTED], Facts(1, 60), "too short"),
        ([LASTED], Facts(2, 10), ""),
        ([LASTED], Facts(2, 9.9), "less than 10 s"),
        ([LASTED], Facts(2, None), ""),
        ([WANTED], Facts(2, ended_reason="voicemail"), ""),
        ([WANTED], Facts(2, ended_reason="customer-ended-call"), "customer-ended-call"),
        ([WANTED], Facts(2), "none"),
        ([UNWANTED], Facts(2, ended_reason="voicemail"), "voicemail"),
        ([UNWANTED], Facts(2), ""),
        ([LONG, LASTED], Facts(4, 5), "less than 10 s"),  # all must hold
        ([{"type": "fullMoon"}], Facts(4), "conditions.0"),  # kept before conditions were looked at
    ],
)
async def test_an_output_s_conditions_decide_whether_it_is_asked(
    conditions: list[dict[str, Any]] | None, facts: Facts, why: str
) -> None:
    body = {"name": "so", "schema": SCHEMA, "conditions": conditions}
    done = await questions(Model(answer), {}, [Resource("structured-output", "o1", "org", body, 1, 1)]).ask(facts)
    skipped = done.skipped.get("structuredOutput:o1", "")
    assert (why in skipped) if why else not skipped
    assert bool(done.outputs) is not bool(why)


async def test_an_output_without_a_model_says_so_whatever_it_counts() -> None:
    body = {"name": "so", "schema": SCHEMA, "conditions": [{"type": "minMessages", "count": 0}]}
    done = await questions(None, {}, [Resource("structured-output", "o1", "org", body, 1, 1)]).ask(Facts(0))
    assert done.skipped["structuredOutput:o1"] == "model: no model is configured" and not done.outputs


async def test_an_output_that_cannot_be_read_fails_nothing_else() -> None:
    faults = (ConfigurationError("regex", "is none"), ProviderError("model", "no"), TimeoutError())
    outputs = [
        Resource("structured-output", f"o{at}", "org", {"name": "so", "fails": fault}, 1, 1)
        for at, fault in enumerate((*faults, None))
    ]
    done = await questions(Model(answer), {}, outputs).ask(Facts(4))
    why = [done.skipped.get(f"structuredOutput:o{at}") for at in range(4)]
    assert why == ["regex: is none", "model: no", "the model failed (TimeoutError)", None]
    assert list(done.outputs) == ["o3"]


async def test_a_model_that_fails_or_talks_nonsense_fails_nothing() -> None:
    def broken(request: ModelRequest) -> str:
        raise ProviderError("model", "no")

    done = await questions(Model(broken), {}).ask(Facts(4))
    assert done.fields == {} and "ProviderError" in done.skipped["summary"]
    plan = {"structuredDataPlan": {"enabled": True, "schema": SCHEMA}}
    done = await questions(Model(lambda request: "marmalade {"), plan).ask(Facts(4))
    assert done.skipped["structuredData"] == "the model did not answer with JSON"
    done = await questions(Model(lambda request: ""), {}).ask(Facts(4))
    assert done.skipped["summary"] == "the model said nothing"


async def test_the_plan_s_own_messages_are_used_and_its_rubric() -> None:
    model = Model(lambda request: "7")
    plan = {
        "summaryPlan": {
            "messages": [
                {"role": "system", "content": "In one word."},
                {"role": "user", "content": "{{transcript}} {{ systemPrompt }}"},
            ]
        },
        "successEvaluationPlan": {"rubric": "NumericScale"},
    }
    done = await questions(model, plan).ask(Facts(4))
    assert [message.content for message in model.asked[0].messages] == ["In one word.", "User: marmalade?\n Sell it."]
    assert "from 1" in model.asked[1].messages[0].content and done.fields["successEvaluation"] == "7"
