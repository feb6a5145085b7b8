"""``antiphon webhooks listen``: it prints, checks, hands on."""

from __future__ import annotations

import io
import socket
import time

import httpx
import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console
from starlette.responses import JSONResponse
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.cli import app
from antiphon.cli.webhooks import listener
from antiphon.webhooks.signing import Signed, signed_headers, standard_webhooks, vapi_signature

CALL = {"id": "c1"}
ASKED = {"id": "t1", "function": {"name": "price", "arguments": {"of": "[red]jam"}}}
BODY = orjson.dumps({"message": {"type": "tool-calls", "call": CALL, "toolCalls": [ASKED]}})
SECRET = "c2VjcmV0"


def test_a_url_that_is_none_is_told_before_anything_is_listened_for() -> None:
    result = CliRunner().invoke(app, ["webhooks", "listen", "--forward-to", "localhost:3000"])
    assert result.exit_code == 2
    assert result.output == "Error: --forward-to: must begin with http:// or https:// and a host\n"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["webhooks", "listen", "--port", str(port)])
    assert result.exit_code == 2
    assert result.output == f"Error: cannot listen on 127.0.0.1, port {port}: Address already in use\n"


async def posted(body: bytes, headers: dict[str, str], **options: str) -> tuple[httpx.Response, str]:
    out = io.StringIO()
    transport = httpx.ASGITransport(listener(Console(file=out, width=200), **options))
    async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as client:
        return await client.post("/hook", content=body, headers=headers), out.getvalue()


async def test_messages_are_printed_and_bodies_that_are_none_told() -> None:
    answer, shown = await posted(BODY, {})
    assert (answer.status_code, answer.json()) == (200, {})
    assert 'tool-calls  c1  price({"of":"[red]jam"})' in shown
    for body in (b"hello", b"[]", b'{"message": 5}'):
        assert "no message" in (await posted(body, {}))[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Vapi-Secret": SECRET}, 200),
        ({"X-Vapi-Secret": "another"}, 401),
        ({}, 401),
        (signed_headers(vapi_signature(SECRET), Signed(BODY, "POST", ""), 0, ""), 200),
        (signed_headers(vapi_signature("another"), Signed(BODY, "POST", ""), 0, ""), 401),
        (signed_headers(standard_webhooks(SECRET), Signed(BODY, "POST", ""), 5, "m"), 401),
    ],
)
async def test_who_sent_it_is_checked(headers: dict[str, str], status: int) -> None:
    answer, shown = await posted(BODY, headers, secret=SECRET)
    assert answer.status_code == status
    assert ("not proven" in shown) == (status == 401)


async def test_a_fresh_signed_time_is_right() -> None:
    headers = signed_headers(standard_webhooks(SECRET), Signed(BODY, "POST", ""), int(time.time()), "m")
    assert (await posted(BODY, headers, secret=SECRET))[0].status_code == 200


async def test_the_application_s_answer_is_the_answer() -> None:
    async def answer(came: Received) -> JSONResponse:
        return JSONResponse({"results": []}, status_code=201)

    async with receiving(Receiver(answer)) as receiver:
        answered, shown = await posted(BODY, {"x-vapi-secret": "s"}, forward_to=f"{receiver.url}/app")
    assert (answered.status_code, answered.json()) == (201, {"results": []})
    assert "answered 201" in shown
    (came,) = receiver.received
    assert (came.path, came.body, came.headers["x-vapi-secret"]) == ("/app", BODY, "s")
    answered, shown = await posted(BODY, {}, forward_to=receiver.url)
    assert (answered.status_code, "not handed on" in shown) == (502, True)


def test_it_is_a_command() -> None:
    assert "--forward-to" in CliRunner().invoke(app, ["webhooks", "listen", "--help"]).output
