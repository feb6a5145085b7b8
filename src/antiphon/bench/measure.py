"""Takes the measurements: one point with a fresh server, the search for the knee, and memory over waves of calls."""

from __future__ import annotations

import asyncio
import gc
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from antiphon.bench import proc
from antiphon.bench.fleet import Fleet, Span, wall_ms
from antiphon.bench.holds import read_holds
from antiphon.bench.knee import next_calls
from antiphon.bench.machine import Cores, time_reference
from antiphon.bench.point import Counters, Point, Sensed, make_point, typical_of
from antiphon.bench.server import BenchFailed, Server, Target
from antiphon.bench.workload import Window, Workload, window_for

WARM_UP_S = 7.0
"""One call: what a server loads or compiles at its first call is not what a call costs."""
IDLE_S = 3.0
SETTLE_S = 2.0
"""After the last call ended, before memory is read."""
WAVE_S = 7.0
_BEAT = re.compile(r"^antiphon_beat_lateness_p99_seconds (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and how."""

    target: Target
    workload: Workload
    cores: Cores
    scratch: Path
    """For the servers' files, and nobody else's: whoever made it deletes it."""
    seconds: float
    times: int = 1
    """Each number of calls is measured so many times, and the median run is its point: what half a minute of the host makes of one run is
    up to a third of its cost."""
    quiet_within_s: float = 0.0
    """Wait so long before each point for the others on the machine to be quiet."""


Tell = Callable[[Point], None]


async def measure_points(bench: Bench, calls: list[int], tell: Tell) -> list[Point]:
    """The runs for each number of calls; ``tell`` hears of each as it is done. Each number has its turn before any has its second, so that
    the runs of one lie far apart. Raises BenchFailed."""
    runs = []
    for _ in range(bench.times):
        for number in calls:
            runs.append(await measure_point(bench, number))
            tell(runs[-1])
    return runs


async def find_knee(bench: Bench, runs: list[Point], most: int, tell: Tell) -> list[Point]:
    """Further runs until it is known how many calls the server holds (or that it holds ``most``). Raises BenchFailed."""
    found: list[Point] = []
    while True:
        points = typical_points([*runs, *found])
        number = next_calls([(point.calls, point.holds) for point in points], most)
        if number is None:
            return found
        tried = await measure_points(bench, [number], tell)
        found += tried
        if not typical_of(tried).valid:
            return found


def typical_points(runs: Sequence[Point]) -> list[Point]:
    """One point for each number of calls there are runs of, the fewest first."""
    numbers = sorted({run.calls for run in runs})
    return [typical_of([run for run in runs if run.calls == number]) for number in numbers]


async def measure_point(bench: Bench, calls: int) -> Point:
    """One fresh server and ``calls`` callers. Raises BenchFailed."""
    try:
        return await _measure_point(bench, calls)
    finally:
        gc.enable()


async def _measure_point(bench: Bench, calls: int) -> Point:
    await _quiet(bench.quiet_within_s)
    reference_ms = time_reference()
    window = window_for(calls, bench.seconds)
    async with bench.target.running(bench.cores.server, bench.scratch) as server, http_client() as client:
        await warm_up(bench.workload, server, client)
        idle_from_s = _cpu_s(server)
        await asyncio.sleep(IDLE_S)
        idle_cpu_ms_per_s = 1000 * (_cpu_s(server) - idle_from_s) / IDLE_S
        base = _memory(server)
        fleet = Fleet(bench.workload, server.line, calls)
        # The callers' own collector must not make them late: a minute's cycles fit into memory.
        gc.collect()
        gc.disable()
        fleet.start(window, client)
        await asyncio.sleep(window.ramp_s)
        fleet.reset_lateness()
        before, from_wall_ms = _counters(server), wall_ms()
        await asyncio.sleep(window.steady_s)
        after, span = _counters(server), Span(from_wall_ms, wall_ms())
        send_lateness = fleet.send_lateness
        fleet.reset_lateness()
        live, steady = fleet.live, _memory(server)
        loadavg = os.getloadavg()
        beat_late_ms = await _beat_lateness(server, client)
        await asyncio.sleep(window.tail_s)
        await fleet.hang_up()
        await asyncio.sleep(SETTLE_S)
        sensed = Sensed(
            before, after, idle_cpu_ms_per_s, base, steady, _memory(server), live, reference_ms, beat_late_ms, loadavg
        )
        holds = read_holds(server.event_logs) if server.event_logs is not None else {}
        return make_point(calls, span, fleet.records, sensed, send_lateness, holds, bench.target.floor_ms)


@dataclass(frozen=True, slots=True)
class Waves:
    """Own (anonymous) memory after each wave of calls, all of them over, in KiB."""

    calls: int
    before_kib: int
    after_kib: list[int]


async def measure_waves(bench: Bench, calls: int, waves: int) -> Waves:
    """One server, ``waves`` times ``calls`` calls of some seconds. Raises BenchFailed."""
    async with bench.target.running(bench.cores.server, bench.scratch) as server, http_client() as client:
        await warm_up(bench.workload, server, client)
        before_kib = _memory(server).own_kib
        after_kib = []
        for _ in range(waves):
            fleet = Fleet(bench.workload, server.line, calls)
            fleet.start(Window(1.5, 0.0, 0.0), client)
            await asyncio.sleep(WAVE_S)
            await fleet.hang_up()
            await asyncio.sleep(SETTLE_S)
            after_kib.append(_memory(server).own_kib)
        return Waves(calls, before_kib, after_kib)


async def warm_up(workload: Workload, server: Server, client: httpx.AsyncClient) -> None:
    fleet = Fleet(workload, server.line, 1)
    fleet.start(Window(1.0, 0.0, 0.0), client)
    await asyncio.sleep(WARM_UP_S)
    await fleet.hang_up()
    problems = {record.problem for record in fleet.records if record.problem}
    if problems:
        raise BenchFailed(f"the warm-up call failed: {problems.pop()}")
    if not any(record.utterances for record in fleet.records):
        raise BenchFailed(f"the server said nothing within {WARM_UP_S:g} s of the warm-up call")
    await asyncio.sleep(1.0)


async def _quiet(within_s: float) -> None:
    """Wait until nobody else uses more than a third of a core, or for ``within_s``."""
    waited_s, step_s = 0.0, 2.0
    while waited_s < within_s:
        before = proc.machine_time()
        await asyncio.sleep(step_s)
        if (proc.machine_time().busy_s - before.busy_s) / step_s < 0.3:
            return
        waited_s += step_s


@asynccontextmanager
async def http_client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=64, keepalive_expiry=2.0), timeout=None) as client:
        yield client


def _counters(server: Server) -> Counters:
    try:
        return Counters(
            server_s=proc.cpu_s(server.pid),
            children_s=proc.children_cpu_s(server.pid),
            callers_s=proc.cpu_s(os.getpid()),
            machine=proc.machine_time(),
        )
    except proc.ProcessGone as error:
        raise BenchFailed(f"the server is gone: {error}") from error


def _cpu_s(server: Server) -> float:
    return _counters(server).server_s


def _memory(server: Server) -> proc.Memory:
    try:
        return proc.memory(server.pid)
    except proc.ProcessGone as error:
        raise BenchFailed(f"the server is gone: {error}") from error


async def _beat_lateness(server: Server, client: httpx.AsyncClient) -> float | None:
    if not server.metrics_url:
        return None
    try:
        text = (await client.get(server.metrics_url, timeout=5.0)).text
    except httpx.HTTPError:
        return None
    found = _BEAT.search(text)
    return float(found[1]) * 1000 if found else None
