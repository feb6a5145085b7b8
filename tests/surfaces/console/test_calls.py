"""Calls that are over and calls that live, as the console's page asks for them."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import orjson
import websockets
from tests.serving import line, place_call
from tests.surfaces.console.test_door import Console

from antiphon.session.call_files import CallFiles


async def test_a_call_that_is_over(console: Console, tmp_path: Path) -> None:
    report = await place_call(console.antiphon.settings.base_url, line())
    assert not report.failed, report.record.problem
    listed = (await console.ask("GET", "calls")).json()
    [call], name = listed["calls"], listed["calls"][0]["name"]
    assert (listed["total"], call["assistant"], call["recorded"]) == (1, "scripted", True)
    told = (await console.ask("GET", f"calls/{name}")).json()
    [turn] = told["story"]["turns"]
    assert turn["text"] == "what is the price of marmalade"
    assert told["policy"]["endpointing"]["wait_ms"] == 300
    drawn = (await console.ask("GET", f"calls/{name}/peaks")).json()
    assert max(drawn["caller"]) > 10
    assert max(drawn["agent"]) > 10
    whole = await console.ask("GET", f"calls/{name}/recording")
    assert (whole.headers["content-type"], whole.content[:4]) == ("audio/wav", b"RIFF")
    part = await console.ask("GET", f"calls/{name}/recording", headers={"Range": "bytes=8-11"})
    assert (part.status_code, part.content) == (206, b"WAVE")
    tried = (await console.ask("POST", f"calls/{name}/what-if", timeout=60, json={"endpointing.wait_ms": 2500})).json()
    assert tried["would"][0]["closed_ms"] > tried["was"][0]["closed_ms"] + 1000
    actions = [entry["action"] for entry in (await console.ask("GET", "audit")).json()["entries"]]
    assert actions == ["call.listened", "call.read", "console.set_up"]
    overview = (await console.ask("GET", "overview")).json()
    assert (overview["calls"], overview["turns"], overview["hours"][-1]["calls"]) == (1, 1, 1)
    assert overview["response_ms"]["p50"] > 0
    assert overview["free"] == overview["max_calls"] == 400


async def _live(console: Console) -> list[Any]:
    """The live calls, as soon as there is one."""
    for _ in range(500):
        if rows := (await console.ask("GET", "live")).json()["calls"]:
            return list(rows)
        await asyncio.sleep(0.02)
    raise AssertionError("no call came")


async def test_what_makes_no_sense_is_said(console: Console, tmp_path: Path) -> None:
    await place_call(console.antiphon.settings.base_url, line())
    [log] = (tmp_path / "data" / "calls").glob("*.jsonl")
    for body in ({"endpointing.wait_ms": "soon"}, {"nothing": 1}, {"endpointing.wait_ms": [1]}, 7):
        answer = await console.ask("POST", f"calls/{log.stem}/what-if", timeout=60, json=body)
        assert (answer.status_code, bool(answer.json()["detail"])) == (422, True), body
    for path in ("calls/none", "calls/none/peaks", "calls/none/recording", "calls/..%2fx", "live/none/events"):
        assert (await console.ask("GET", path)).status_code == 404
    assert (await console.ask("GET", "calls?limit=x")).status_code == 422
    log.write_text("7")
    assert (await console.ask("GET", f"calls/{log.stem}")).status_code == 404


async def test_a_live_call_tells_what_happens_and_is_ended(console: Console) -> None:
    call = asyncio.create_task(place_call(console.antiphon.settings.base_url, line(), line(barge_in_ms=30_000)))
    rows = await _live(console)
    path, kinds = f"live/{rows[0]['id']}", []
    async with console.client.stream("GET", f"/console/api/{path}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        async with asyncio.timeout(60):
            async for text in events.aiter_lines():
                if not text.startswith("data: "):
                    continue
                news = orjson.loads(text[6:])
                kinds.append(news["kind"])
                if news["kind"] == "turn":
                    assert news["text"] == "what is the price of marmalade"
                    assert (await console.ask("POST", f"{path}/say", json={"text": "One moment."})).status_code == 204
                    assert (await console.ask("POST", f"{path}/say", json={"text": ""})).status_code == 422
                if news["kind"] == "reply" and news["text"] == "One moment." and "status" not in news:
                    assert (await console.ask("POST", f"{path}/end")).status_code == 204
    assert kinds[0] == "begin"
    assert kinds[-1] == "ended"
    assert {"now", "turn", "reply", "heard"} <= set(kinds)
    await call
    assert console.antiphon.manager.live == 0
    actions = [entry["action"] for entry in (await console.ask("GET", "audit")).json()["entries"]]
    assert actions == ["call.ended", "call.said", "call.watched", "console.set_up"]


async def test_a_live_call_is_heard_muted_handed_over_and_ended(console: Console) -> None:
    call = asyncio.create_task(place_call(console.antiphon.settings.base_url, line(), line(barge_in_ms=30_000)))
    path = f"live/{(await _live(console))[0]['id']}"
    ticket = (await console.ask("POST", f"{path}/listen")).json()["path"]
    address = console.antiphon.settings.base_url.replace("http", "ws", 1) + ticket
    async with websockets.connect(address) as socket, asyncio.timeout(60):
        start = orjson.loads(await socket.recv())
        assert (start["type"], start["channels"]) == ("start", 2)
        assert len(await socket.recv()) > 0
    mute = {"type": "control", "control": "mute-assistant"}
    for body, status in (
        (mute, 204), ({"type": "control", "control": "unmute-assistant"}, 204), ({"type": "control", "control": "sing"}, 422),
        ({"type": "say", "content": "x"}, 422), ({"type": ["x"]}, 422), ({}, 422), ({"type": "transfer"}, 422),
    ):  # fmt: skip
        assert (await console.ask("POST", f"{path}/control", json=body)).status_code == status
    to = {"type": "transfer", "destination": {"type": "number", "number": "+15551230000"}}
    refused = await console.ask("POST", f"{path}/control", json=to)
    assert (refused.status_code, "no carrier" in refused.json()["detail"]) == (422, True)
    assert (await console.ask("POST", f"{path}/control", json={"type": "end-call"})).status_code == 204
    await call
    for again in ("listen", "control"):
        assert (await console.ask("POST", f"{path}/{again}", json=mute)).status_code == 404
    [ended] = (await console.ask("GET", "calls")).json()["calls"]
    assert ended["ended"] == "manually-canceled"
    actions = [entry["action"] for entry in (await console.ask("GET", "audit")).json()["entries"]]
    assert actions == ["call.ended", "call.agent_unmuted", "call.agent_muted", "call.listened_in", "console.set_up"]


async def test_a_page_over_a_thousand_calls_is_quick(console: Console, tmp_path: Path) -> None:
    await place_call(console.antiphon.settings.base_url, line())
    folder = tmp_path / "data" / "calls"
    [log] = folder.glob("*.jsonl")
    for number in range(1000):
        shutil.copy(log, folder / f"copy-{number}.jsonl")
    began = time.thread_time()  # its own work, whatever else the machine does
    calls, total = CallFiles(folder).page(50)
    assert (len(calls), total) == (50, 1001)
    assert time.thread_time() - began < 0.2
