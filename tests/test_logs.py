"""Logs: what happened, never what was said, who called, or what would let somebody in."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from tests.calls.rig import Call
from tests.calls.test_turns import Broken
from tests.serving import CALLED, CALLER, TOKEN, line, place_call, running_server, settings_for

from antiphon.providers.base import ModelRequest
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

EVENT_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_OURS = ("antiphon", "uvicorn", "asyncio")


def check(logs: Iterable[MutableMapping[str, Any]], secrets: Iterable[str]) -> None:
    """Static event names, and nothing of ``secrets`` in any field."""
    for entry in logs:
        assert EVENT_NAME.fullmatch(entry["event"]), entry
        for secret in secrets:
            assert secret.lower() not in repr(entry).lower(), entry["event"]


async def test_a_real_call_leaves_no_word_number_or_token_in_the_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_for(tmp_path)
    with structlog.testing.capture_logs() as logs:
        async with running_server(settings) as (antiphon, client):
            report = await place_call(antiphon.settings.base_url, line())
            assert not report.failed
            await _ring_with_a_wrong_signature(client)
            await _open_media_without_a_token(antiphon.settings.base_url)
    events = {entry["event"] for entry in logs}
    assert {"twilio_stream_started", "twilio_request_refused"} <= events, "the logs were watched"
    minted = (settings.data_dir / "token.secret").read_text()
    [started] = [entry for entry in logs if entry["event"] == "twilio_stream_started"]
    [ended] = [entry for entry in logs if entry["event"] == "call_ended"]
    assert ended["call_id"] == started["call_id"] and ended["reason"] == "customer-ended-call"
    assert "twilio_stream_lost" not in events, "who hangs up is not lost"
    words = ["marmalade", "eleven", "crowns", "Good day"]
    secrets = [*words, CALLER, CALLED, CALLER.lstrip("+"), TOKEN, minted]
    check(logs, secrets)
    standard = [record.getMessage() for record in caplog.records if record.name.startswith(_OURS)]
    assert not [message for message in standard if any(secret.lower() in message.lower() for secret in secrets)]


async def _ring_with_a_wrong_signature(client: httpx.AsyncClient) -> None:
    form = {"CallSid": "CA1", "From": CALLER, "To": CALLED}
    answer = await client.post("/twilio/voice", data=form, headers={"X-Twilio-Signature": "wrong"})
    assert answer.status_code == 403


async def _open_media_without_a_token(base_url: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x" * 22 + "==",
    }
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as client:
        answer = await client.get("/twilio/media", headers=headers)
        assert answer.status_code in (403, 404)


class Leaky:
    """A tool whose error repeats what it was asked."""

    def specs(self) -> tuple[ToolSpec, ...]:
        return (ToolSpec("lookup"),)

    async def run(self, call: ToolCall, context: CallContext) -> str:
        raise RuntimeError(f"no such name: {call.arguments['name']}")


class LeakyModel(Broken):
    """A model whose error repeats the prompt."""

    name = "leaky"

    async def stream(self, request: ModelRequest) -> Any:
        raise ValueError(f"cannot answer {request.messages}")
        yield


def test_failing_engines_and_tools_leave_no_word_in_the_logs() -> None:
    def answer(request: ModelRequest) -> str | ScriptedReply:
        if request.messages[-1].role == "user" and "rumpelstiltskin" in request.messages[-1].content:
            return ScriptedReply("I look for him.", (ToolCall("t1", "lookup", {"name": "Rumpelstiltskin"}),))
        return "There is no Rumpelstiltskin."

    call = Call(
        hears=["my name is rumpelstiltskin"], models=[LeakyModel(), ScriptedLanguageModel(answer)], tools=Leaky()
    )

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)
        call.phone.hang_up()
        await call.wait(50)

    with structlog.testing.capture_logs() as logs:
        call.run(talk)
    assert {"engine_failed", "tool_failed"} <= {entry["event"] for entry in logs}
    check(logs, ["rumpelstiltskin", "I look for"])
