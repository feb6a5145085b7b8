"""Whether a server gives everything back: a thousand short calls in waves, and what is left of them after each.

A call says a turn, hears the answer, interrupts it, and hangs up two and a half to four seconds after it began, wherever the
conversation is by then: in the middle of a word, of a thought, of an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass

import httpx

from antiphon.bench import proc
from antiphon.bench.fleet import Line
from antiphon.bench.measure import Bench, http_client, warm_up
from antiphon.bench.server import BenchFailed, Server
from antiphon.bench.workload import SHORT_CALL_PATIENCE, Workload
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.hearing import Utterance
from antiphon.caller.measure import Spoken
from antiphon.caller.record import CallRecord
from antiphon.caller.webhook import Identity

RAMP_S = 2.5
"""All calls of a wave begin within it: so the shortest has not ended when the last begins."""
BUSY_AT_S = 2.4
"""After a wave began: nearly all of its calls are live."""
REDIAL_S = 1.0
ATTEMPTS = 10
"""A caller who is refused rings again so often, so that the number of calls is the same in every wave."""
REST_WITHIN_S = 15.0
"""Idle connections are closed by the server after five seconds."""
GROWTH = 0.05
"""So much more memory of its own after the last wave than after the second is growth. The first waves fill what is bounded
(timelines of ended calls, slots of the media plane, the heap's arenas); after them runs of one server differ by 1 to 3 %, and a leak of
10 KiB a call would be 10 %."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a server holds. None where it does not tell."""

    rss_kib: int
    own_kib: int
    threads: int
    files: int
    tasks: int | None
    calls: int | None


@dataclass(frozen=True, slots=True)
class Wave:
    """So many calls at once, and what was held while nearly all of them were live, and after they had ended."""

    taken: int
    refusals: int
    """Rings that were refused; the callers rang again."""
    problems: dict[str, int]
    answered: int
    """Calls in which the agent was heard."""
    interrupted: int
    """Calls in which the agent was silenced."""
    busy: Holdings
    rest: Holdings


@dataclass(frozen=True, slots=True)
class Soak:
    """A whole run."""

    calls_a_wave: int
    base: Holdings
    waves: tuple[Wave, ...]

    @property
    def growth(self) -> float:
        """Own memory after the last wave against that after the second, as a share; 0 with fewer than three waves."""
        if len(self.waves) < 3:
            return 0.0
        return self.waves[-1].rest.own_kib / self.waves[1].rest.own_kib - 1

    def failures(self) -> list[str]:
        """What did not come back, in words."""
        base, last = self.base, self.waves[-1].rest
        found = [
            f"{name}: {was} before, {left} after"
            for name, was, left in (
                ("threads", base.threads, last.threads),
                ("open files", base.files, last.files),
                ("tasks", base.tasks, last.tasks),
                ("live calls", base.calls, last.calls),
            )
            if left != was
        ]
        if self.growth > GROWTH:
            found.append(f"memory grew by {self.growth:.1%} from the second wave to the last")
        for number, wave in enumerate(self.waves, start=1):
            found += [f"wave {number}: {problem} ({count} times)" for problem, count in wave.problems.items()]
            if not wave.answered:
                found.append(f"wave {number}: the agent was never heard")
        return found

    def as_document(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self) | {"growth": self.growth, "failures": self.failures()}


async def measure_soak(bench: Bench, calls: int, at_once: int) -> Soak:
    """One server and ``calls`` calls in waves of ``at_once``. Raises BenchFailed."""
    async with bench.target.running(bench.cores.server, bench.scratch) as server:
        async with http_client() as client:
            await warm_up(bench.workload, server, client)
        base = await _at_rest(server, None)
        waves: list[Wave] = []
        first = 1
        while first <= calls:
            number = min(at_once, calls - first + 1)
            busy, records = await _wave(bench.workload, server, first, number)
            waves.append(_summed(records, busy, await _at_rest(server, base)))
            first += number
        return Soak(at_once, base, tuple(waves))


async def _wave(workload: Workload, server: Server, first: int, calls: int) -> tuple[Holdings, list[CallRecord]]:
    beat = CallerBeat()
    async with http_client() as client, asyncio.TaskGroup() as group:
        callers = [
            group.create_task(_one_call(workload, server.line, beat, number, client))
            for number in range(first, first + calls)
        ]
        await asyncio.sleep(BUSY_AT_S)
        busy = await _holdings(server)
    return busy, [record for caller in callers for record in caller.result()]


async def _one_call(
    workload: Workload, line: Line, beat: CallerBeat, number: int, client: httpx.AsyncClient
) -> list[CallRecord]:
    """One call that was taken, after the rings that were refused."""
    await asyncio.sleep(workload.begins_s(number, RAMP_S + 1.0))
    plan = CallPlan(
        lines=workload.short_lines(number),
        webhook_url=line.webhook_url,
        media_url=line.media_url,
        identity=Identity(auth_token=line.auth_token),
        patience=SHORT_CALL_PATIENCE,
        noise=workload.noise,
    )
    records: list[CallRecord] = []
    while len(records) < ATTEMPTS:
        leaving = _Leaving(workload.short_call_s(number))
        leaving.caller = caller = Caller(plan, beat, number=number, observer=leaving)
        records.append(await caller.call(client))
        leaving.stay()
        if not records[-1].refused:
            break
        await asyncio.sleep(REDIAL_S)
    return records


class _Leaving:
    """Hangs up some time after the stream has begun."""

    caller: Caller

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._timer: asyncio.TimerHandle | None = None

    def begins(self, call_sid: str) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._after_s, self.caller.hang_up)

    def stay(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def caller_speaks(self, spoken: Spoken) -> None: ...
    def agent_spoke(self, utterance: Utterance, audio: bytes) -> None: ...


def _summed(records: list[CallRecord], busy: Holdings, rest: Holdings) -> Wave:
    taken = [record for record in records if not record.refused]
    return Wave(
        taken=len(taken),
        refusals=len(records) - len(taken),
        problems=dict(Counter(record.problem for record in taken if record.problem)),
        answered=sum(bool(record.utterances) for record in taken),
        interrupted=sum(bool(record.cuts_ms) for record in taken),
        busy=busy,
        rest=rest,
    )


async def _at_rest(server: Server, base: Holdings | None) -> Holdings:
    """What is held when nothing changes any more: as before, or what is left after ``REST_WITHIN_S``."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + REST_WITHIN_S
    held = await _holdings(server)
    while loop.time() < until_s:
        await asyncio.sleep(0.5)
        before, held = held, await _holdings(server)
        if base is None and before == held:
            break
        if base is not None and all(
            getattr(held, name) == getattr(base, name) for name in ("threads", "files", "tasks", "calls")
        ):
            break
    return held


async def _holdings(server: Server) -> Holdings:
    tasks = calls = None
    if server.health_url:
        # A client of its own, so that no connection is left open to be counted.
        async with http_client() as client:
            try:
                told = (await client.get(server.health_url, timeout=10.0)).json()
                tasks, calls = int(told["tasks"]), int(told["calls"])
            except (httpx.HTTPError, ValueError, KeyError) as error:
                raise BenchFailed(f"the server does not tell its health: {error!r}") from error
        await asyncio.sleep(0.05)  # it sees that the connection is closed
    try:
        memory = proc.memory(server.pid)
        return Holdings(
            memory.rss_kib, memory.own_kib, proc.threads(server.pid), proc.open_files(server.pid), tasks, calls
        )
    except proc.ProcessGone as error:
        raise BenchFailed(f"the server is gone: {error}") from error
