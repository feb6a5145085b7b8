"""Keys at a real server's doors: what each opens, and that none is written down."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import orjson
import pytest
import structlog
import websockets
from tests.serving import running_server, settings_for

from antiphon.composition.process import Antiphon

SESSION = {"type": "realtime", "model": "assistant:scripted", "output_modalities": ["text"]}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def socket_url(antiphon: Antiphon, query: str = "") -> str:
    return f"{antiphon.settings.base_url.replace('http', 'ws', 1)}/v1/realtime{query}"


async def make_secret(client: httpx.AsyncClient, key: str) -> str:
    answer = await client.post("/v1/realtime/client_secrets", json={"session": SESSION}, headers=bearer(key))
    return str(answer.json()["value"])


async def refusal(url: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and code of the refused handshake."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, additional_headers=headers)
    response = refused.value.response
    assert response.headers["content-type"].startswith("application/json")
    return response.status_code, orjson.loads(bytes(response.body))["error"]["code"]


async def test_one_secret_opens_many_sessions_with_what_was_stored_and_nothing_else(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        _, key = antiphon.keys.create("test", 0)
        secret = await make_secret(client, key)
        url = socket_url(antiphon, "?model=another")
        async with (
            websockets.connect(url, additional_headers=bearer(secret)) as first,
            websockets.connect(url, subprotocols=["realtime", f"openai-insecure-api-key.{secret}"]) as second,  # type: ignore[list-item]
        ):
            assert second.subprotocol == "realtime"
            for socket in (first, second):
                session = orjson.loads(await socket.recv())["session"]
                assert (session["model"], session["output_modalities"]) == ("assistant:scripted", ["text"])
            call_id = session["id"]
            joining = socket_url(antiphon, f"?call_id={call_id}")
            assert await refusal(joining, bearer(secret)) == (403, "insufficient_permissions")
        assert await refusal(socket_url(antiphon, "?call_id=rtc_none"), bearer(key)) == (404, "call_not_found")
        answer = await client.post("/v1/realtime/client_secrets", headers=bearer(secret))
        assert answer.status_code == 403
        assert (await client.get("/calls/any/timeline", headers=bearer(secret))).status_code == 401
        assert (
            await client.post("/talk/key/scripted", headers={**bearer(secret), "x-real-ip": "1"})
        ).status_code == 401


async def test_azure_s_path_and_header_open_too(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        _, key = antiphon.keys.create("test", 0)
        answer = await client.post("/openai/v1/realtime/client_secrets", headers={"api-key": key})
        assert answer.json()["value"].startswith("ek_")
        url = socket_url(antiphon).replace("/v1/", "/openai/v1/")
        async with websockets.connect(url, additional_headers={"api-key": key}) as socket:
            assert orjson.loads(await socket.recv())["type"] == "session.created"


async def test_nobody_else_gets_in_and_no_key_is_written_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_for(tmp_path)
    with structlog.testing.capture_logs() as logs:
        async with running_server(settings) as (antiphon, client):
            _, key = antiphon.keys.create("test", 0)
            secret = await make_secret(client, key)
            for headers in ({}, bearer(f"{key}x"), bearer(f"{secret}x"), {"api-key": f"{key}x"}):
                assert await refusal(socket_url(antiphon), headers) == (401, "invalid_api_key")
            async with websockets.connect(socket_url(antiphon), additional_headers=bearer(secret)) as socket:
                await socket.recv()
    assert {"client_secret_made", "media_upgrade_refused"} <= {entry["event"] for entry in logs}
    ours = [
        record.getMessage() for record in caplog.records if record.name.startswith(("antiphon", "uvicorn", "asyncio"))
    ]
    for written in (*map(repr, logs), *ours):
        assert key not in written
        assert secret not in written
