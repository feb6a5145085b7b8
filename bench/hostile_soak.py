"""Whether anybody hurts anybody else: telephone calls beside one hostile client of each kind, and what the calls lost.

    python bench/hostile_soak.py --calls 20 --seconds 600 [--speech FOLDER] [--json FILE]

The clients are those of ``hostile_clients.py``. The calls have scripted engines, as in ``antiphon bench``, so that whatever they lose is
the server's doing. Ends with status 1 when a budget is broken, with 2 when the run says nothing: the callers' own frames left late, an
attacker never acted, or the control, some seconds without attackers before, broke a budget as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from antiphon.bench import proc, workload
from antiphon.bench.fleet import Fleet, Span, wall_ms
from antiphon.bench.machine import Cores, divide_cores, pin
from antiphon.bench.measure import http_client, warm_up
from antiphon.bench.point import CLIENT_LATE_MS, FRAME_LATE_MS, measure_speech
from antiphon.bench.server import BenchFailed, Server, Target
from antiphon.bench.speech import recorded_turns
from antiphon.bench.workload import Window, Workload
from antiphon.caller.lateness import Lateness
from antiphon.caller.record import CallRecord
from antiphon.surfaces.keys import ApiKeys

UDP_PORTS = (42_000, 42_099)
SETTINGS = {
    "ANTIPHON_WEBRTC__PORT_MIN": str(UDP_PORTS[0]),
    "ANTIPHON_WEBRTC__PORT_MAX": str(UDP_PORTS[1]),
    "ANTIPHON_WEBRTC__ADDRESSES": '["127.0.0.1"]',
    "ANTIPHON_LOG_LEVEL": "error",
}
KILL_EVERY_S = 5.0
"""How often the broken engine's process is killed."""
REST_S = 10.0
"""After the attackers have gone, before memory is read: idle connections and sessions that nobody holds are over by then."""
MAX_GROWTH_MIB = 64
"""Own memory after against before. What is bounded may stay full (event logs' and recordings' buffers, 500 timelines, the heap's arenas);
one attacker's message is 4 to 8 MiB, so that a leak of one kind shows within a minute."""
MAX_SKIPPED_SHARE = 0.001
"""Of all beats: one in a thousand is late by more than a beat on a shared machine with nobody hostile about."""
MAX_UNANSWERED_SHARE = 0.0

_TOTAL = re.compile(r"^(antiphon_\w+_total(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
_BEATS = "antiphon_beats_total"
_SKIPPED = "antiphon_late_beats_skipped_total"
_FAILED = "antiphon_beat_failures_total"
_LOSSES = ("lost", "fail", "skipped", "dropped", "broken", "refus", "cut")


@dataclass(frozen=True, slots=True)
class Soaked:
    """What the calls went through. Times in ms, memory in MiB."""

    calls: int
    seconds: float
    call_seconds: float
    turns: int
    unanswered: int
    broken: dict[str, int]
    """Calls that could not be made or broke, by cause."""
    refused: int
    frames: int
    late_frames_p99_ms: float
    latest_frame_ms: float
    gaps: int
    """Times the telephone had nothing to play within a sound."""
    gap_ms: float
    beats: int
    skipped_beats: int
    failed_beats: int
    own_mib_before: float
    own_mib_busiest: float
    own_mib_after: float
    send_late_p99_ms: float
    """Of our own frames: what the measuring machine adds."""
    engine_kills: int
    counted: dict[str, float]
    """The server's own counters of losses and refusals: what they grew by."""
    attacks: dict[str, dict[str, int]]

    def broken_budgets(self) -> list[str]:
        """What the calls lost that nobody may take from them."""
        found = [
            (self.failed_beats > 0, f"{self.failed_beats} beats failed"),
            (
                self.skipped_beats > MAX_SKIPPED_SHARE * self.beats,
                f"{self.skipped_beats} of {self.beats} beats were skipped",
            ),
            (
                self.late_frames_p99_ms >= FRAME_LATE_MS,
                f"frames were {self.late_frames_p99_ms:.1f} ms late (p99) at the caller",
            ),
            (
                self.unanswered > MAX_UNANSWERED_SHARE * self.turns,
                f"{self.unanswered} of {self.turns} turns were not answered",
            ),
            (not self.turns, "no turn was taken"),
            (bool(self.broken), f"calls broke: {self.broken}"),
            (self.refused > 0, f"{self.refused} calls were refused"),
            (
                self.own_mib_after - self.own_mib_before > MAX_GROWTH_MIB,
                f"memory grew from {self.own_mib_before:.0f} to {self.own_mib_after:.0f} MiB",
            ),
        ]
        return [words for is_so, words in found if is_so]

    def doubts(self) -> list[str]:
        """Why the run says nothing."""
        found = [f"{kind} never acted" for kind, deeds in self.attacks.items() if not deeds["acts"]]
        if self.send_late_p99_ms > CLIENT_LATE_MS:
            found.append(f"our own frames left {self.send_late_p99_ms:.0f} ms late (p99)")
        return found


async def soak(
    turns: Workload, calls: int, seconds: float, scratch: Path, cores: Cores, *, attacked: bool = True
) -> Soaked:
    """One server. Not ``attacked``: the control, what this machine takes from the calls without anybody hostile. Raises BenchFailed."""
    target = Target("hostile", settings=SETTINGS)
    async with target.running(cores.server, scratch) as server, http_client() as client:
        held = _prepare(server)
        await warm_up(turns, server, client)
        fleet = Fleet(turns, server.line, calls)
        window = Window(min(5.0, seconds / 2), seconds, (workload.REPLY_WITHIN_MS + 500) / 1000)
        fleet.start(window, client)
        await asyncio.sleep(window.ramp_s)
        fleet.reset_lateness()
        before, memory_before = await _counters(server, client), _own_mib(server)
        from_wall_ms = wall_ms()
        attacks, kills, busiest = {}, 0, memory_before
        if attacked:
            attacks, kills, busiest = await _attacked(server, held, seconds, cores)
        else:
            await asyncio.sleep(seconds)
        span = Span(from_wall_ms, wall_ms())
        send_late_ms = fleet.send_lateness.percentile(0.99) or 0.0
        after = await _counters(server, client)
        await asyncio.sleep(window.tail_s)
        await fleet.hang_up()
        await asyncio.sleep(REST_S)
        memory = (memory_before, busiest, _own_mib(server))
    return _judged(calls, span, fleet.records, (before, after), memory, send_late_ms, kills, attacks)


@dataclass(frozen=True, slots=True)
class Held:
    """What the attackers hold."""

    keys: ApiKeys
    key: str
    revoked_id: str
    revoked: str
    """A key that is revoked when its owner has begun."""


def _prepare(server: Server) -> Held:
    """An assistant whose engine will be killed, and two keys."""
    if server.event_logs is None:
        raise BenchFailed("only our own server is soaked")
    data = server.event_logs.parent
    assistants = data.parent / "assistants"
    bench = json.loads((assistants / "bench.json").read_text())
    bench |= {"name": "Broken", "transcriber": {"provider": "pocketsphinx"}}
    (assistants / "broken.json").write_text(json.dumps(bench))
    keys = ApiKeys(data / "keys.json")
    now_ms = int(wall_ms())
    _, key = keys.create("app", now_ms)
    record, revoked = keys.create("revoked", now_ms)
    return Held(keys, key, record.id, revoked)


async def _attacked(
    server: Server, held: Held, seconds: float, cores: Cores
) -> tuple[dict[str, dict[str, int]], int, float]:
    """Returns what the attackers did, how often the engine was killed, and the most memory the server had meanwhile, in MiB."""
    port = server.health_url.split(":")[2].split("/")[0]
    command = [
        sys.executable, str(Path(__file__).with_name("hostile_clients.py")), "--port", port, "--seconds", str(seconds),
        "--key", held.key, "--revoked", held.revoked, "--udp", *map(str, UDP_PORTS),
    ]  # fmt: skip
    attackers = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    pin(attackers.pid, cores.callers)
    told = asyncio.create_task(attackers.communicate())
    kills, busiest, kill_at_s = 0, 0.0, time.monotonic() + KILL_EVERY_S
    try:
        while not told.done():
            await asyncio.wait([told], timeout=0.5)
            busiest = max(busiest, _own_mib(server))
            if time.monotonic() >= kill_at_s:
                kill_at_s += KILL_EVERY_S
                kills += _kill_engines(server)
                held.keys.revoke(held.revoked_id)  # the first time; after that there is no such key
    finally:
        if attackers.returncode is None:
            attackers.kill()
    output, _ = await told
    if attackers.returncode:
        raise BenchFailed(f"the attackers ended with status {attackers.returncode}")
    return json.loads(output), kills, busiest


def _kill_engines(server: Server) -> int:
    killed = 0
    for child in proc.children(server.pid):
        try:
            os.kill(child, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            continue
    return killed


def _own_mib(server: Server) -> float:
    try:
        return proc.memory(server.pid).own_kib / 1024
    except proc.ProcessGone as error:
        raise BenchFailed(f"the server is gone: {error}") from error


async def _counters(server: Server, client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get(server.metrics_url, timeout=30.0)).text
    return {name: float(value) for name, value in _TOTAL.findall(text)}


def _judged(
    calls: int,
    span: Span,
    records: Sequence[CallRecord],
    counters: tuple[Mapping[str, float], Mapping[str, float]],
    memory_mib: tuple[float, float, float],
    send_late_ms: float,
    kills: int,
    attacks: dict[str, dict[str, int]],
) -> Soaked:
    before, after = counters
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if value > before.get(name, 0.0)}
    frames = Lateness()
    for record in records:
        frames.merge(record.playout_lateness)
    speech = measure_speech(records, span, {})
    return Soaked(
        calls=calls,
        seconds=span.seconds,
        call_seconds=sum(
            span.overlap_s(each.started_wall_ms, each.started_wall_ms + each.duration_ms) for each in records
        ),
        turns=speech.turns,
        unanswered=speech.unanswered,
        broken=dict(Counter(each.problem for each in records if each.problem and not each.refused)),
        refused=sum(each.refused for each in records),
        frames=frames.count,
        late_frames_p99_ms=frames.percentile(0.99) or 0.0,
        latest_frame_ms=frames.worst_ms,
        gaps=sum(each.underruns for each in records),
        gap_ms=sum(each.underrun_ms for each in records),
        beats=int(grown.get(_BEATS, 0)),
        skipped_beats=int(grown.get(_SKIPPED, 0)),
        failed_beats=int(grown.get(_FAILED, 0)),
        own_mib_before=memory_mib[0],
        own_mib_busiest=memory_mib[1],
        own_mib_after=memory_mib[2],
        send_late_p99_ms=send_late_ms,
        engine_kills=kills,
        counted={name: value for name, value in grown.items() if any(loss in name for loss in _LOSSES)},
        attacks=attacks,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--control", type=float, default=30.0, help="So many seconds without attackers before; 0: none")
    parser.add_argument("--speech", type=Path, default=Path(__file__).parent.parent / "tests" / "data" / "speech")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    turns = Workload(recorded_turns(given.speech))
    cores = divide_cores()
    pin(0, cores.callers)
    with TemporaryDirectory(prefix="antiphon-hostile-") as scratch:
        control = None
        if given.control:
            control = asyncio.run(soak(turns, given.calls, given.control, Path(scratch), cores, attacked=False))
        soaked = asyncio.run(soak(turns, given.calls, given.seconds, Path(scratch), cores))
    doubts = soaked.doubts()
    if control is not None and (harmed := control.broken_budgets()):
        doubts.append(f"without attackers, too: {'; '.join(harmed)}")
    document = {
        **asdict(soaked),
        "broken_budgets": soaked.broken_budgets(),
        "doubts": doubts,
        "control": control and asdict(control),
    }
    print(json.dumps(document, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(document, indent=1) + "\n")
    sys.exit(2 if doubts else 1 if soaked.broken_budgets() else 0)


if __name__ == "__main__":
    main()
