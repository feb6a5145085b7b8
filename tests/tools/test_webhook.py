"""Functions that an application's server runs: what is asked, and what of the answers is understood."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from antiphon.errors import RequestFailed
from antiphon.tools.http import HttpAnswer
from antiphon.tools.webhook import NO_RESULT, CallFacts, WebhookTool, answer_of
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

CALL = ToolCall("call_x", "get_weather", {"city": "SF"})
DEFINITION = {"type": "function", "function": {"name": "get_weather"}}


def tool(answer: HttpAnswer | RequestFailed, sent: list[tuple[Any, str]], **options: Any) -> WebhookTool:
    async def post(body: bytes, id: str, facts: CallFacts) -> HttpAnswer:
        sent.append((orjson.loads(body), id))
        if isinstance(answer, RequestFailed):
            raise answer
        return answer

    def facts(context: CallContext) -> CallFacts:
        return CallFacts({"call": {"id": context.call_id}}, {"who": "Ann"})

    return WebhookTool(post, facts, lambda: 1234, DEFINITION, **options)


async def test_the_message_holds_the_call_in_all_its_places() -> None:
    sent: list[tuple[Any, str]] = []
    answered = HttpAnswer(200, b'{"results":[{"toolCallId":"call_x","result":"72F sunny"}]}')
    made = tool(answered, sent, static=lambda variables: {"for": variables["who"]})
    assert await made.run(CALL, CallContext("c1")) == ToolAnswer("72F sunny")
    ((body, id),) = sent
    message = body["message"]
    arguments = {"city": "SF", "for": "Ann"}
    function = {"name": "get_weather", "arguments": arguments}
    assert id == "call_x"
    assert (message["type"], message["timestamp"], message["call"]) == ("tool-calls", 1234, {"id": "c1"})
    assert message["toolCalls"] == [{"id": "call_x", "type": "function", "function": function}]
    flat = message["toolCallList"][0]
    assert (flat["function"], flat["name"], flat["arguments"], flat["parameters"]) == (
        function, "get_weather", arguments, arguments,
    )  # fmt: skip
    assert message["toolWithToolCallList"] == [{**DEFINITION, "toolCall": flat}]


@pytest.mark.parametrize("answer", [RequestFailed("timeout"), HttpAnswer(500, b'{"results":[{"result":"no"}]}')])
async def test_a_server_that_fails(answer: HttpAnswer | RequestFailed) -> None:
    assert (await tool(answer, []).run(CALL, CallContext("c1"))).failed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"results":[{"toolCallId":"other","result":"a"},{"toolCallId":"call_x","result":"b"}]}', ToolAnswer("b")),
        ('{"results":[{"result":"b"}]}', ToolAnswer("b")),
        ('{"results":[{"toolCallId":"other","result":"a"}]}', ToolAnswer(NO_RESULT, failed=True)),
        ('{"results":[{"toolCallId":"call_x","result":{"free":["9:00"]}}]}', ToolAnswer('{"free":["9:00"]}')),
        ('{"results":[{"toolCallId":"call_x","result":""}]}', ToolAnswer("")),
        ('{"results":[{"toolCallId":"call_x","error":"taken"}]}', ToolAnswer("taken", failed=True)),
        ('{"results":[{"toolCallId":"call_x","result":"one\ntwo\r\n"}]}', ToolAnswer("one\ntwo")),
        ('{"result":7}', ToolAnswer("7")),
        ('{"error":"closed"}', ToolAnswer("closed", failed=True)),
        ('{"results":[{"toolCallId":"call_x","result":"b","message":"Booked."}]}', ToolAnswer("b", say="Booked.")),
        (
            '{"results":[{"result":"b","message":{"type":"request-complete","content":"Bye.","endCallAfterSpokenEnabled":true}}]}',
            ToolAnswer("b", say="Bye.", ends_call=True),
        ),
        ('{"results":[{"result":"b","message":{"role":"system","content":"Be brief."}}]}', ToolAnswer("b\nBe brief.")),
        ("sunny", ToolAnswer(NO_RESULT, failed=True)),
        ("[]", ToolAnswer(NO_RESULT, failed=True)),
        ("", ToolAnswer(NO_RESULT, failed=True)),
        ("[" * 100_000, ToolAnswer(NO_RESULT, failed=True)),
    ],
)
def test_what_answers_mean(body: str, expected: ToolAnswer) -> None:
    assert answer_of(body.encode(), "call_x") == expected
