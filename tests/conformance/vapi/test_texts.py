"""Chats and sessions as the official SDKs drive them: reference rows 17 to 19, 21 and 23, and OpenAI's SDK at ``/chat``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError
from openai.types.responses import ResponseCompletedEvent, ResponseTextDeltaEvent
from tests.serving import running_server, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANSWER = "It costs eleven crowns."


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_server(settings_for(tmp_path_factory.mktemp("texts"), open_api=True)) as (antiphon, _):
        yield antiphon.settings.base_url


@pytest_asyncio.fixture(loop_scope="module")
async def vapi(url: str) -> AsyncIterator[Any]:
    async with httpx.AsyncClient(timeout=60) as client:
        # Not before a test needs it: it takes ten seconds and 600 MB to import.
        from vapi import AsyncVapi

        yield AsyncVapi(token="any", base_url=url, httpx_client=client)


@pytest_asyncio.fixture(loop_scope="module")
async def openai(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="any", base_url=f"{url}/chat", max_retries=0) as client:
        yield client


async def test_a_chat_and_the_one_after_it(vapi: Any) -> None:
    chat = await vapi.chats.create(assistant_id="scripted", input="hi")
    assert type(chat).__name__ == "Chat"
    assert chat.output is not None
    assert type(chat.output[0]).__name__ == "AssistantMessage"
    assert chat.output[0].content == ANSWER
    assert isinstance(chat.created_at, datetime)
    second: Any = await vapi.chats.create(previous_chat_id=chat.id, input="and two?")
    assert [message.content for message in second.messages] == ["hi", ANSWER]
    assert (await vapi.chats.get(chat.id)).id == chat.id
    listed: Any = await vapi.chats.list(assistant_id="scripted")
    assert {each.id for each in listed.results} >= {chat.id, second.id}
    assert listed.metadata.total_items >= 2
    assert (await vapi.chats.delete(chat.id)).id == chat.id
    from vapi.core.api_error import ApiError

    with pytest.raises(ApiError) as gone:
        await vapi.chats.get(chat.id)
    assert (gone.value.status_code, gone.value.body["statusCode"]) == (404, 404)


async def test_an_answer_in_openai_s_shape_through_the_same_sdk(vapi: Any) -> None:
    answer: Any = await vapi.chats.create_response(assistant_id="scripted", input="hi", stream=False)
    assert (answer.object, answer.status) == ("response", "completed")
    assert answer.output[0].content[0].text == ANSWER


async def test_a_session_and_its_chats(vapi: Any) -> None:
    session = await vapi.sessions.create(assistant_id="scripted", name="talk")
    assert type(session).__name__ == "Session"
    assert session.status == "active"
    chat: Any = await vapi.chats.create(session_id=session.id, input="hi")
    assert (chat.session_id, chat.output[0].content) == (session.id, ANSWER)
    done: Any = await vapi.sessions.update(session.id, status="completed")
    assert (done.status, len(done.messages)) == ("completed", 2)
    listed: Any = await vapi.sessions.list(name="talk")
    assert [each.id for each in listed.results] == [session.id]
    assert (listed.metadata.items_per_page, listed.metadata.current_page) == (100, 1)
    from vapi.core.api_error import ApiError

    with pytest.raises(ApiError) as refused:
        await vapi.chats.create(session_id=session.id, input="more")
    assert refused.value.status_code == 400


async def test_openai_s_sdk_asks_for_a_whole_answer(openai: AsyncOpenAI) -> None:
    first = await openai.responses.create(model="gpt-4.1", input="hi", extra_body={"assistantId": "scripted"})
    assert (first.output_text, first.status, first.object, first.model) == (ANSWER, "completed", "response", "gpt-4.1")
    assert first.usage is not None
    second = await openai.responses.create(input="more", previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == (ANSWER, first.id)


async def test_openai_s_sdk_reads_the_answer_as_it_is_written(openai: AsyncOpenAI) -> None:
    stream = await openai.responses.create(input="hi", stream=True, extra_body={"assistantId": "scripted"})
    events = [event async for event in stream]
    assert "".join(event.delta for event in events if isinstance(event, ResponseTextDeltaEvent)) == ANSWER
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert events[-1].response.output_text == ANSWER
    assert [event.sequence_number for event in events] == list(range(len(events)))
    async with openai.responses.stream(
        model="x", input="hi", extra_body={"assistantId": "scripted", "stream": True}
    ) as helped:
        async for _ in helped:
            pass
        assert (await helped.get_final_response()).output_text == ANSWER


async def test_openai_s_sdk_is_told_what_is_wrong(openai: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        await openai.responses.create(model="x", input="hi")
    assert "one of assistantId" in refused.value.response.json()["message"][0]


async def test_an_evaluation_is_made_run_and_polled(vapi: Any) -> None:
    messages: Any = [
        {"role": "user", "content": "What does it cost?"},
        {"role": "assistant", "judgePlan": {"type": "regex", "content": "eleven"}},
    ]
    made: Any = await vapi.eval.eval_controller_create(type="chat.mockConversation", name="E", messages=messages)
    target: Any = {"type": "assistant", "assistantId": "scripted"}
    run: Any = await vapi.eval.eval_controller_run(type="eval", eval_id=made.id, target=target)
    assert isinstance(run, dict)
    async with asyncio.timeout(60):
        while True:
            polled = await vapi.eval.eval_controller_get_run(run["id"])
            if polled.status == "ended":
                break
            await asyncio.sleep(0.02)
    assert type(polled.target).__name__ == "EvalRunTarget_Assistant"
    assert (polled.ended_reason, polled.results[0].status) == ("mockConversation.done", "pass")
    assert polled.eval_id == made.id


async def test_a_squad_chats_and_is_evaluated(vapi: Any) -> None:
    handoff = {"tool_calls": [{"name": "handoff_to_Second", "arguments": {}}]}
    destination = {"type": "assistant", "assistantName": "Second", "contextEngineeringPlan": {"type": "all"}}
    first = {"name": "First", "model": {"provider": "scripted", "options": {"replies": [handoff]}}}
    second = {"name": "Second", "model": {"provider": "scripted", "options": {"replies": ["Second here."]}}}
    members: Any = [{"assistant": first, "assistantDestinations": [destination]}, {"assistant": second}]
    squad = await vapi.squads.create(name="S", members=members)
    chat: Any = await vapi.chats.create(squad_id=squad.id, input="hi")
    assert (chat.squad_id, chat.output[-1].content) == (squad.id, "Second here.")
    session = await vapi.sessions.create(squad={"name": "S", "members": members})
    assert [member.assistant.name for member in session.squad.members] == ["First", "Second"]
    for text in ("hi", "and again"):
        answer: Any = await vapi.chats.create(session_id=session.id, input=text)
        assert answer.output[-1].content == "Second here."
    assert len(answer.output) == 1, "nobody hands over again"
    assert [each.id for each in (await vapi.chats.list(squad_id=squad.id)).results] == [chat.id]
    plan = {"type": "exact", "content": "", "toolCalls": [{"name": "handoff_to_Second"}]}
    messages: Any = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "judgePlan": plan},
        {"role": "assistant", "judgePlan": {"type": "exact", "content": "Second here."}},
    ]
    written: Any = {"type": "chat.mockConversation", "messages": messages}
    target: Any = {"type": "squad", "squadId": squad.id}
    run: Any = await vapi.eval.eval_controller_run(type="eval", eval=written, target=target)
    async with asyncio.timeout(60):
        while (polled := await vapi.eval.eval_controller_get_run(run["id"])).status != "ended":  # noqa: ASYNC110 (a run tells nobody)
            await asyncio.sleep(0.02)
    assert type(polled.target).__name__ == "EvalRunTarget_Squad"
    assert (polled.ended_reason, polled.results[0].status) == ("mockConversation.done", "pass")


async def test_calls_are_counted(vapi: Any) -> None:
    operations: Any = [{"operation": "count", "column": "id"}]
    answers = await vapi.analytics.get(queries=[{"table": "call", "name": "n", "operations": operations}])  # type: ignore[list-item]
    assert type(answers[0]).__name__ == "AnalyticsQueryResult"
    assert (answers[0].name, answers[0].result[0]["countId"]) == ("n", 0)
