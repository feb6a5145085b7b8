"""Several workers on one port, with a real Redis, a real PostgreSQL and an application that is told everything:

    python bench/workers.py --calls 200 --workers 4 [--seconds 20] [--json FILE]

How the calls spread, what memory one costs, whether each can be controlled and listened to over connections that reach any worker, and what
becomes of those whose worker is killed. Ends with status 1 where one of these is not as it must be. Needs what ``make test`` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.databases import postgres_url
from tests.redis_server import fresh_prefix, redis_url
from tests.webhooks.receiver import Receiver, receiving

from antiphon.bench import proc
from antiphon.bench.fleet import Fleet
from antiphon.bench.measure import http_client
from antiphon.bench.server import ASSISTANT, BenchFailed, Server, Target
from antiphon.bench.speech import recorded_turns
from antiphon.bench.workload import Window, Workload, window_for

SPEECH = Path(__file__).resolve().parents[1] / "tests" / "data" / "speech"
MOST_KIB = 160
"""Of own memory a call."""
WARM_UP_CALLS_A_WORKER = 10
PATIENCE_S = 60.0
ANSWER_S = 20.0
AT_ONCE = 4
"""Calls that are asked something."""
MOST_CONTROLLED, MOST_LISTENED_TO = 80, 20
DIED = "call.in-progress.error-vapifault-worker-died"
_LIVE = re.compile(r'antiphon_live_calls\{worker="(\d+)"\} (\S+)')


class Desk:
    """The server, asked over a connection of its own each time: the system chooses the worker."""

    def __init__(self, server: Server) -> None:
        self.url = server.metrics_url.removesuffix("/metrics")
        self.pid = server.pid

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=ANSWER_S) as client:
            return await client.request(method, path, **options)

    async def live(self) -> dict[int, float]:
        """Calls by process."""
        counts = {number: float(count) for number, count in _LIVE.findall((await self.ask("GET", "/metrics")).text)}
        return {pid: counts[number] for pid, number in self.workers().items() if number in counts}

    def workers(self) -> dict[int, str]:
        """Process ids, and the numbers they go by."""
        found: dict[int, str] = {}
        for pid in proc.children(self.pid):
            with suppress(OSError, ValueError):  # it ends, or has only just begun
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found[pid] = str(orjson.loads(words[words.index(b"--worker") + 1])["number"])
        return found

    def own_kib(self) -> dict[int, int]:
        return {pid: proc.memory(pid).own_kib for pid in self.workers()}

    async def calls(self, **filters: Any) -> list[dict[str, Any]]:
        answer = await self.ask("GET", "/call", params={"limit": 1000, **filters})
        if answer.status_code != 200:
            raise BenchFailed(f"GET /call is answered {answer.status_code}: {answer.text[:200]}")
        listed: list[dict[str, Any]] = answer.json()
        return listed

    async def is_over(self, call: dict[str, Any]) -> bool:
        return bool((await self.ask("GET", f"/call/{call['id']}")).json()["status"] == "ended")

    async def say(self, call: dict[str, Any]) -> bool:
        told = {"type": "say", "content": "One moment."}
        return (await self.ask("POST", call["monitor"]["controlUrl"], json=told)).status_code == 200

    async def listen(self, call: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S), connect(call["monitor"]["listenUrl"]) as listener:
                return orjson.loads(await listener.recv())["type"] == "start" and bool(await listener.recv())
        except (TimeoutError, OSError, WebSocketException):
            return False


async def measured(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    workload = Workload(recorded_turns(SPEECH))
    settings = {
        "ANTIPHON_WORKERS": str(args.workers),
        "ANTIPHON_REDIS_URL": redis_url(),
        "ANTIPHON_REDIS_PREFIX": fresh_prefix(),
        "ANTIPHON_DATABASE_URL": postgres_url(),
        "ANTIPHON_OPEN_API": "true",
        "ANTIPHON_OVERLOAD__BUSY_SHARE": "1",  # memory is asked for: callers and workers share what cores there are
        "ANTIPHON_OVERLOAD__LATE_MS": "1000",
    }
    async with receiving(Receiver()) as receiver, http_client() as client:
        target = Target("workers", settings=settings, assistant={**ASSISTANT, "server": {"url": receiver.url}})
        async with target.running(None, scratch) as server:
            desk = Desk(server)
            await _until(lambda: _all_serve(desk, args.workers))
            await _hold(workload, server, client, WARM_UP_CALLS_A_WORKER * args.workers, 10.0)
            base = desk.own_kib()
            window = window_for(args.calls, args.seconds)
            fleet = Fleet(workload, server.line, args.calls)
            fleet.start(window, client)
            try:
                await asyncio.sleep(window.ramp_s + args.seconds)
                live, steady = await desk.live(), desk.own_kib()
                figures: dict[str, Any] = {
                    "live": list(live.values()),
                    "own_kib_per_call": sum(steady[pid] - base[pid] for pid in steady) / max(sum(live.values()), 1),
                    "own_kib_before": list(base.values()),
                    "own_kib_with_calls": list(steady.values()),
                    "load_average": os.getloadavg()[0],
                }
                print(json.dumps(figures), file=sys.stderr, flush=True)
                figures |= await _reached(desk)
                print(json.dumps(figures), file=sys.stderr, flush=True)
                figures |= await _one_killed(desk, receiver)
            finally:
                await fleet.hang_up()
            figures["told"] = dict(Counter(message["type"] for message in receiver.messages))
            figures["refused"] = sum(record.refused for record in fleet.records)
            figures["problems"] = dict(Counter(record.problem for record in fleet.records if record.problem))
            return figures


async def _reached(desk: Desk) -> dict[str, Any]:
    """Whether calls are: one that is over by the time it is asked is no failure."""
    figures: dict[str, Any] = {}
    places = asyncio.Semaphore(AT_ONCE)

    async def one(call: dict[str, Any], reach: Callable[[dict[str, Any]], Awaitable[bool]]) -> str:
        async with places:
            try:
                if "monitor" in call and await reach(call):
                    return "reached"
                over = await _until(lambda: desk.is_over(call), ANSWER_S)  # its record may be some seconds behind
            except httpx.HTTPError as error:
                return type(error).__name__
            return "over" if over else "not reached"

    for name, reach, most in (
        ("controlled", desk.say, MOST_CONTROLLED),
        ("listened_to", desk.listen, MOST_LISTENED_TO),
    ):
        calls = (await desk.calls(status="in-progress"))[:most]
        figures[name] = dict(Counter(await asyncio.gather(*(one(call, reach) for call in calls))))
    return figures


async def _one_killed(desk: Desk, receiver: Receiver) -> dict[str, Any]:
    live = await desk.live()
    victim = max(live, key=lambda pid: live[pid])
    os.kill(victim, signal.SIGKILL)
    workers = len(live)

    async def told() -> bool:
        ended = {call["id"] for call in await desk.calls() if call.get("endedReason") == DIED}
        reported = {each["call"]["id"] for each in receiver.messages if each["type"] == "end-of-call-report"}
        return bool(ended) and ended <= reported and len(await desk.live()) == workers

    in_time = await _until(told)
    ended = [call for call in await desk.calls() if call.get("endedReason") == DIED]
    return {"killed_with": live[victim], "ended_by_death": len(ended), "all_reported_and_replaced": in_time}


async def _hold(workload: Workload, server: Server, client: httpx.AsyncClient, calls: int, seconds: float) -> None:
    fleet = Fleet(workload, server.line, calls)
    fleet.start(Window(4.0, 0.0, 0.0), client)
    await asyncio.sleep(4.0 + seconds)
    await fleet.hang_up()
    await asyncio.sleep(5.0)  # the work after them


async def _all_serve(desk: Desk, workers: int) -> bool:
    return len(await desk.live()) == workers


async def _until(true: Callable[[], Awaitable[bool]], within_s: float = PATIENCE_S) -> bool:
    try:
        async with asyncio.timeout(within_s):
            while not await true():  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # what other processes do tells nobody
    except TimeoutError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with TemporaryDirectory(prefix="antiphon-workers-") as folder:
        figures = asyncio.run(measured(args, Path(folder)))
    print(json.dumps(figures, indent=2))
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    reached = [set(figures[name]) - {"over"} == {"reached"} for name in ("controlled", "listened_to")]
    right = figures["own_kib_per_call"] <= MOST_KIB and figures["all_reported_and_replaced"] and all(reached)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
