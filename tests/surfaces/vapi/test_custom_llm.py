"""A language model of one's own: what it is sent beside the protocol's fields, and answers as such servers give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from tests.api_caller import ask, ended, on_socket
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_calls import server
from tests.surfaces.vapi.test_document_warnings import warnings
from tests.surfaces.vapi.test_handoffs import desk, said
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.errors import ConfigurationError
from antiphon.providers.llm.custom_llm import CustomLlm

METADATA = {"shop": "north", "model": "theirs", "stream": False}
WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Eleven crowns."}, "finish_reason": "stop"}]
}


def model(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"provider": "custom-llm", "url": f"{receiver.url}/v1", "model": "ours", **more}


async def asked(
    folder: Path, answer: Any, metadata: Any = METADATA, **more: Any
) -> tuple[Received, dict[str, Any], dict[str, Any]]:
    """What the model was sent in a call, the call, and its record."""

    async def answers(came: Received) -> Any:
        return answer(came) if callable(answer) else answer

    async with receiving(Receiver(answers)) as receiver, server(folder) as (_, client):
        assistant = desk("Shop", first="Good day.") | {"metadata": metadata}
        assistant["model"] = {**model(receiver, **more), "messages": [{"role": "system", "content": "Secret prompt."}]}
        call = await ask(client, assistant=assistant)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("speech-update", role="assistant", status="stopped")
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="Eleven crowns.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
        came = next(each for each in receiver.received if each.method == "POST")
    return came, call, record


@pytest.mark.parametrize("mode", [None, "variable", "destructured", "off"])
async def test_it_is_told_which_call_it_answers_in(tmp_path: Path, mode: str | None) -> None:
    more = {"metadataSendMode": mode} if mode else {}
    came, call, record = await asked(
        tmp_path, WHOLE, headers={"X-Shop": "north", "Authorization": "Bearer theirs"}, **more
    )
    assert (came.path, came.headers["x-shop"], came.headers["authorization"]) == (
        "/v1/chat/completions", "north", "Bearer theirs",
    )  # fmt: skip
    assert ("", "Eleven crowns.") in said(record)
    body = came.json
    assert (body["model"], body["stream"], body["messages"][-1]["role"]) == ("ours", True, "user"), (
        "nothing of ours is replaced"
    )
    if mode == "off":
        assert not {"call", "metadata", "shop"} & body.keys()
        return
    assert (body["call"]["id"], body["call"]["type"]) == (call["id"], "vapi.websocketCall")
    assert not {"assistant", "messages", "artifact"} & body["call"].keys() and "Secret prompt" not in str(body["call"])
    if mode == "destructured":
        assert body["shop"] == "north" and "metadata" not in body
    else:
        assert body["metadata"] == METADATA and "shop" not in body


async def test_a_server_that_takes_no_more_than_it_knows_is_asked_without(tmp_path: Path) -> None:
    refused: list[str] = []

    def strict(came: Received) -> Response | Any:
        unknown = sorted(came.json.keys() & {"call", "metadata"})
        if unknown:
            refused.append(unknown[0])
            error = {
                "message": f"Unrecognized request argument supplied: {unknown[0]}",
                "param": unknown[0],
                "code": None,
            }
            return JSONResponse({"error": error}, 400)
        return WHOLE

    _, _, record = await asked(tmp_path, strict)
    assert refused == ["call", "metadata"] and ("", "Eleven crowns.") in said(record)


async def test_an_answer_may_come_in_pieces(tmp_path: Path) -> None:
    pieces = b"".join(
        b'data: {"choices":[{"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % each
        for each in (b"Eleven", b" crowns.")
    )
    pieces += b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    _, _, record = await asked(tmp_path, lambda came: Response(pieces, media_type="text/event-stream"))
    assert ("", "Eleven crowns.") in said(record)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"Host": "x"}}, {"headers": {"content-LENGTH": "1"}}, {"headers": {"a b": "1"}}, {"headers": {"a": "1\r\nb: 2"}},
        {"headers": {"a": 1}}, {"headers": {"a": "ü"}}, {"headers": ["a"]}, {"headers": {f"h{at}": "" for at in range(51)}},
        {"metadata_send_mode": "sometimes"}, {"timeout_seconds": -1}, {"timeout_seconds": 301},
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_without_repeating_it(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"llm\.") as refused:
        CustomLlm(base_url="http://x.test", model="m", **options)
    assert "b: 2" not in str(refused.value)


async def test_its_fields_have_an_effect_and_others_are_named(quick_desk: Desk) -> None:
    told = {"headers": {"a": "1"}, "metadataSendMode": "off", "timeoutSeconds": 20}
    document = {"model": {"provider": "custom-llm", "url": "http://x.test", "model": "m", **told, "numFastTurns": 1}}
    named = [each.partition(":")[0] for each in warnings(await quick_desk.client.post("/assistant", json=document))]
    assert [each for each in named if each.startswith("model.")] == ["model.numFastTurns"]
