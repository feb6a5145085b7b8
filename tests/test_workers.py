"""Two worker processes on one port, with a real Redis and a real PostgreSQL: calls spread, any worker is asked anything, one is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.api_caller import SocketCaller, ask, ended, on_socket
from tests.databases import postgres_url
from tests.redis_server import fresh_prefix, redis_url
from tests.serving import GREETING, ServerProcess, line, place_call, server_process
from tests.webhooks.receiver import Receiver, receiving
from websockets.asyncio.client import connect

DIED = "call.in-progress.error-vapifault-worker-died"
PATIENCE_S = 60.0


@asynccontextmanager
async def workers(folder: Path, count: int = 2, **more: str) -> AsyncIterator[ServerProcess]:
    environment = {
        "ANTIPHON_WORKERS": str(count),
        "ANTIPHON_REDIS_URL": redis_url(),
        "ANTIPHON_REDIS_PREFIX": fresh_prefix(),
        "ANTIPHON_DATABASE_URL": postgres_url(),
        "ANTIPHON_OPEN_API": "true",
        "ANTIPHON_DRAIN_S": "0",
        **more,
    }
    async with server_process(folder, environment) as server:
        await until(lambda: _serving(server, count))
        try:
            yield server
        finally:
            # A supervisor that is killed leaves workers that drain by themselves; nothing of a test outlives it.
            left = pids_of(server)
            if server.process.returncode is None:
                server.signal(signal.SIGTERM)
                await asyncio.wait_for(server.process.communicate(), PATIENCE_S)
            for pid in left:
                if running(pid):
                    os.kill(pid, signal.SIGKILL)


async def until(true: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 (what other processes do tells nobody)
            await asyncio.sleep(0.05)


def pids_of(server: ServerProcess) -> list[int]:
    pid = server.process.pid
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def number_of(pid: int) -> str:
    """Of a worker, as its metrics name it."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return str(orjson.loads(words[words.index(b"--worker") + 1])["number"])


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def fresh(server: ServerProcess, method: str, path: str, **options: Any) -> httpx.Response:
    """On a connection of its own: the system chooses the worker that takes it."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        return await client.request(method, path, **options)


async def live_of(server: ServerProcess) -> dict[str, float]:
    """How many calls each worker has."""
    text = (await fresh(server, "GET", "/metrics")).text
    return {number: float(count) for number, count in re.findall(r'antiphon_live_calls\{worker="(\d+)"\} (\S+)', text)}


async def _all_are_open(server: ServerProcess) -> bool:
    """Whether each of the two workers knows that both take calls."""
    text = (await fresh(server, "GET", "/metrics")).text
    return re.findall(r"antiphon_open_workers\{.*\} (\S+)", text) == ["2.0", "2.0"]


async def _serving(server: ServerProcess, count: int) -> bool:
    return len(await live_of(server)) == count


def assistant_of(receiver: Receiver) -> dict[str, Any]:
    return {
        "name": "Reported",
        "firstMessage": GREETING,
        "transcriber": {"provider": "scripted", "options": {"transcripts": ["what is the price of marmalade"]}},
        "model": {"provider": "scripted", "options": {"replies": ["It costs eleven crowns."], "first_token_ms": 40}},
        "voice": {"provider": "scripted", "options": {"ms_per_character": 30, "first_chunk_ms": 20}},
        "server": {"url": receiver.url},
        "serverMessages": ["end-of-call-report"],
    }


async def greeted(caller: SocketCaller) -> None:
    await caller.until_told("transcript", role="assistant", transcript=GREETING)


async def say(server: ServerProcess, call: dict[str, Any], text: str) -> httpx.Response:
    return await fresh(server, "POST", call["monitor"]["controlUrl"], json={"type": "say", "content": text})


async def reported(receiver: Receiver) -> dict[str, str]:
    """By the id of the call: why it ended, as its report says."""
    reports = [message for message in receiver.messages if message["type"] == "end-of-call-report"]
    return {report["call"]["id"]: report["endedReason"] for report in reports}


async def test_calls_spread_are_controlled_from_any_worker_and_outlive_one_that_is_killed(tmp_path: Path) -> None:
    async with (
        receiving(Receiver()) as receiver,
        workers(tmp_path) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        AsyncExitStack() as sockets,
    ):
        await until(lambda: _all_are_open(server))
        calls, callers = [], {}
        for _ in range(6):  # all over one connection
            call = await ask(client, assistant=assistant_of(receiver))
            calls.append(call)
            url = call["transport"]["websocketCallUrl"]
            callers[call["id"]] = await sockets.enter_async_context(on_socket(url))
        await asyncio.gather(*map(greeted, callers.values()))
        await until(lambda: _sums_to(server, 6))
        spread = await live_of(server)
        assert set(spread) == {"1", "2"} and min(spread.values()) >= 2

        # Whichever worker is asked, the call hears it.
        for number, call in enumerate(calls):
            for time in range(3):
                text = f"Word {number} {time}."
                assert (await say(server, call, text)).json() == {"success": True}
                await callers[call["id"]].until_told("transcript", role="assistant", transcript=text)
            document = (await fresh(server, "GET", f"/call/{call['id']}")).json()
            assert document["status"] == "in-progress"
            assert f"Word {number} 2." in orjson.dumps(document["messages"]).decode(), "what only its worker knows"
            async with connect(call["monitor"]["listenUrl"]) as listener:
                assert orjson.loads(await listener.recv())["type"] == "start"
                assert len(await listener.recv()) > 0
        first = calls[0]
        assert (await fresh(server, "POST", f"/call/{first['id']}/end")).status_code == 201
        await callers[first["id"]].until(lambda: callers[first["id"]].closed)
        assert (await ended(client, first["id"]))["endedReason"] == "manually-canceled"

        # The telephone: its webhook and its socket reach any worker, the call is whole.
        rung = await place_call(server.url, line())
        assert rung.turns

        # One is killed: its calls are lost and reported, the others go on, and another takes its place.
        await until(lambda: _sums_to(server, 5))
        victim = pids_of(server)[0]
        living, doomed = calls[1:], (await live_of(server))[number_of(victim)]
        os.kill(victim, signal.SIGKILL)
        await until(lambda: _closed(callers, living, int(doomed)))
        lost = [call for call in living if callers[call["id"]].closed]
        left = [call for call in living if not callers[call["id"]].closed]
        assert lost and left
        for call in left:
            assert (await say(server, call, "Still here.")).json() == {"success": True}
            await callers[call["id"]].until_told("transcript", role="assistant", transcript="Still here.")
        for call in lost:
            record = await ended(client, call["id"])
            assert record["endedReason"] == DIED
            assert (await say(server, call, "Nobody.")).status_code == 404

        async def all_reported() -> bool:
            return {call["id"] for call in lost} <= (await reported(receiver)).keys()

        await until(all_reported)
        assert {(await reported(receiver))[call["id"]] for call in lost} == {DIED}
        await until(lambda: _serving(server, 2))
        assert victim not in pids_of(server) and len(pids_of(server)) == 2
        again = await ask(client, assistant=assistant_of(receiver))
        async with on_socket(again["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)

        server.signal(signal.SIGTERM)
        status, _ = await server.ended(PATIENCE_S)
        assert status == 0


async def test_a_list_of_calls_is_erased_whichever_workers_hold_them(tmp_path: Path) -> None:
    async with (
        receiving(Receiver()) as receiver,
        workers(tmp_path) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        AsyncExitStack() as sockets,
    ):
        await until(lambda: _all_are_open(server))
        ids, callers = [], {}
        for _ in range(5):
            call = await ask(client, assistant=assistant_of(receiver))
            ids.append(call["id"])
            callers[call["id"]] = await sockets.enter_async_context(on_socket(call["transport"]["websocketCallUrl"]))
        await asyncio.gather(*map(greeted, callers.values()))
        await until(lambda: _sums_to(server, 5))
        assert min((await live_of(server)).values()) >= 1
        kept = ids.pop()
        asked = {"ids": [ids[3], "nobody's", ids[0], ids[1], ids[2], ids[0]]}
        gone = await fresh(server, "DELETE", "/call", json=asked)
        assert gone.status_code == 200, gone.text
        assert [call["id"] for call in gone.json()] == [ids[3], ids[0], ids[1], ids[2]]
        for id in ids:
            await callers[id].until(lambda id=id: callers[id].closed)  # type: ignore[misc]  # each its own
            assert (await fresh(server, "GET", f"/call/{id}")).status_code == 404
        assert not callers[kept].closed
        assert [call["id"] for call in (await fresh(server, "GET", "/call")).json()] == [kept]
        refused = await fresh(server, "DELETE", "/call", json={"ids": "all"})
        assert (refused.status_code, refused.json()["statusCode"]) == (400, 400)
        assert (await fresh(server, "DELETE", "/call", json={"ids": ["nobody's"]})).json() == []


async def test_a_list_says_of_live_calls_what_their_workers_say(tmp_path: Path) -> None:
    async with (
        receiving(Receiver()) as receiver,
        workers(tmp_path) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        AsyncExitStack() as sockets,
    ):
        await until(lambda: _all_are_open(server))
        quiet = {**assistant_of(receiver), "monitorPlan": {"listenEnabled": False}}
        over = await ask(client, assistant=assistant_of(receiver))
        assert (await fresh(server, "POST", f"/call/{over['id']}/end")).status_code == 201
        calls = {call["id"]: call for call in [await ask(client, assistant=quiet) for _ in range(5)]}
        for call in calls.values():
            await greeted(await sockets.enter_async_context(on_socket(call["transport"]["websocketCallUrl"])))
        await until(lambda: _sums_to(server, 5))
        assert min((await live_of(server)).values()) >= 1, "each worker has some of them"

        async def all_are_live() -> bool:
            told = [(await fresh(server, "GET", f"/call/{id}")).json() for id in calls]
            return all(each["status"] == "in-progress" and "artifact" in each for each in told)

        await until(all_are_live)
        one_by_one = {id: (await fresh(server, "GET", f"/call/{id}")).json() for id in calls}
        for _ in range(4):  # each on a connection of its own, at whichever worker
            listed = (await fresh(server, "GET", "/call")).json()
            assert [row["id"] for row in listed] == [*reversed(calls), over["id"]]
            for row in listed[:-1]:
                told = one_by_one[row["id"]]
                for name in ("status", "transport", "assistant", "startedAt", "type"):
                    assert row[name] == told[name]
                assert row["artifact"]["messages"][:2] == told["artifact"]["messages"][:2]
                assert row["artifact"]["transcript"].startswith(f"AI: {GREETING}")
                assert set(row["monitor"]) == {"controlUrl"} and row["costs"], "only its worker knows"
        paged = (await fresh(server, "GET", "/v2/call", params={"limit": 3, "status": "in-progress"})).json()
        assert [row["id"] for row in paged["results"]] == list(reversed(calls))[:3]
        assert all(row["costs"] for row in paged["results"]) and paged["metadata"]["totalItems"] == 5

        async def lists_that_were_asked_for() -> int:
            logged = (await fresh(server, "GET", "/logs", params={"type": "API", "limit": 1000})).json()["results"]
            urls = [entry["requestUrl"] for entry in logged if entry["requestHttpMethod"] == "GET"]
            return urls.count("/call") + urls.count("/v2/call")

        async def all_are_logged() -> bool:
            return await lists_that_were_asked_for() >= 5

        await until(all_are_logged)
        assert await lists_that_were_asked_for() == 5, "what workers ask of each other is nobody's request"


async def test_what_a_key_asks_of_all_workers_is_counted_together(tmp_path: Path) -> None:
    async with workers(tmp_path, ANTIPHON_API__REQUESTS_PER_MINUTE="12") as server:
        asked = [(await fresh(server, "GET", "/assistant")).status_code for _ in range(12)]
        assert asked.count(200) in (2, 3), "two at once, and one each five seconds; not two of each worker"


async def _closed(callers: dict[str, SocketCaller], calls: list[dict[str, Any]], count: int) -> bool:
    return sum(callers[call["id"]].closed is not None for call in calls) == count


async def _sums_to(server: ServerProcess, count: int) -> bool:
    return sum((await live_of(server)).values()) == count


async def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    async with workers(tmp_path) as server:
        pids = pids_of(server)
        server.signal(signal.SIGKILL)
        await server.process.wait()

        async def gone() -> bool:
            return not any(map(running, pids))

        await until(gone)
