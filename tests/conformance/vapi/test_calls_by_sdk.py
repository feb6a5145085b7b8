"""Calls by the official Python SDK: rows 11, 13, 15 (what the record itself holds) and 16 of the compatibility test, values asserted."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import ended, on_socket
from tests.serving import GREETING
from tests.surfaces.vapi.test_calls import greeted, server
from tests.surfaces.vapi.test_handoffs import calls, desk

FORMAT = {"format": "pcm_s16le", "container": "raw", "sampleRate": 16_000}
SOCKET = {"provider": "vapi.websocket", "audioFormat": FORMAT}


def asked(client: Any, **given: Any) -> Any:
    return client.calls.create(assistant_id="scripted", transport=SOCKET, **given)


async def test_rows_11_13_15_and_16(tmp_path: Path) -> None:
    import vapi  # not before a test needs it: it takes ten seconds and 600 MB

    async with server(tmp_path) as (_, http):
        with httpx.Client(timeout=60) as connections:  # the SDK closes none of its own
            sdk = vapi.Vapi(token="any", base_url=str(http.base_url).rstrip("/"), httpx_client=connections)
            await _rows(sdk, http)


async def _rows(sdk: Any, http: httpx.AsyncClient) -> None:
    from vapi.core.api_error import ApiError
    from vapi.errors import BadRequestError

    def row_13() -> None:
        with pytest.raises(BadRequestError) as refused:
            sdk.calls.create()
        assert refused.value.status_code == 400
        assert isinstance(refused.value.body["message"], list)

    await asyncio.to_thread(row_13)
    call = await asyncio.to_thread(asked, sdk)
    assert type(call).__name__ == "Call"
    assert (call.type, call.status) == ("vapi.websocketCall", "queued")
    assert call.monitor.control_url.startswith(str(http.base_url).rstrip("/"))
    assert call.monitor.listen_url.startswith("ws://")
    assert call.transport.websocketCallUrl.startswith("ws://")
    limits = call.subscriptionLimits
    assert limits["concurrencyLimit"] == 400
    async with on_socket(call.transport.websocketCallUrl) as caller:
        await greeted(caller)
        caller.say()
        await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
    await ended(http, call.id)

    record = await asyncio.to_thread(sdk.calls.get, call.id)
    assert (record.status, record.ended_reason) == ("ended", "customer-ended-call")
    assert isinstance(record.started_at, datetime) and record.started_at < record.ended_at
    assert [message.role for message in record.artifact.messages] == ["bot", "user", "bot"]
    assert record.artifact.transcript.startswith(f"AI: {GREETING}\nUser: ")

    second = await asyncio.to_thread(asked, sdk, name="second")
    listed = await asyncio.to_thread(lambda: sdk.calls.list(assistant_id="scripted", limit=5))
    assert [each.id for each in listed] == [second.id, call.id]
    renamed = await asyncio.to_thread(lambda: sdk.calls.update(call.id, name="x"))
    assert renamed.name == "x"
    gone = await asyncio.to_thread(lambda: sdk.calls.delete(call.id))
    assert (type(gone).__name__, gone.id) == ("Call", call.id)
    with pytest.raises(ApiError) as missing:
        await asyncio.to_thread(sdk.calls.get, call.id)
    assert missing.value.status_code == 404


async def test_a_squad_s_members_hand_the_call_over(tmp_path: Path) -> None:
    import vapi

    destination = {"type": "assistant", "assistantName": "Back", "message": "I pass you on."}
    members = [
        {"assistant": desk("Front", calls("handoff_to_Back"), first="Front desk."), "assistantDestinations": [destination]},
        {"assistant": desk("Back", first="Back office.")},
    ]  # fmt: skip
    async with server(tmp_path) as (_, http):
        with httpx.Client(timeout=60) as connections:
            sdk = vapi.Vapi(token="any", base_url=str(http.base_url).rstrip("/"), httpx_client=connections)
            squad = {"name": "Desk", "members": members}
            call = await asyncio.to_thread(lambda: sdk.calls.create(squad=squad, transport=SOCKET))
            async with on_socket(call.transport.websocketCallUrl) as caller:
                await caller.until_told("transcript", role="assistant", transcript="Front desk.")
                caller.say()
                await caller.until_told("transcript", role="assistant", transcript="Back office.")
            await ended(http, call.id)
            record = await asyncio.to_thread(sdk.calls.get, call.id)
    active = [each.assistant_name for each in record.artifact.assistant_activations]
    assert active == ["Front", "Back"]
    said = [message.message for message in record.artifact.messages if message.role == "bot"]
    assert said == ["Front desk.", "I pass you on.", "Back office."]
