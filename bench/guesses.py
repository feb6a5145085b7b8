"""How soon an answer is heard with the vendors' wires attached, where the model is asked before the turn is over, and what that costs.

    python bench/guesses.py [--calls 10] [--seconds 40]

An assistant of Deepgram, OpenAI and ElevenLabs as ``antiphon init`` writes one, with nothing set of when turns end, against the stand-ins
of ``antiphon bench --vendors``. Prints, over all turns: the time from the caller's acoustic end to the answer's first sound (measured at
the telephone), the time from the closing of the turn to it (the closing is the server's own account, in its event log), and how many
guesses were paid for, and for nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import uvloop
import yaml

from antiphon.bench.fleet import Fleet
from antiphon.bench.machine import divide_cores, pin
from antiphon.bench.measure import http_client, warm_up
from antiphon.bench.server import WIRED_ASSISTANT, Target
from antiphon.bench.speech import recorded_turns
from antiphon.bench.vendors.elevenlabs import DOCUMENTED
from antiphon.bench.vendors.process import stand_ins
from antiphon.bench.workload import Workload, window_for
from antiphon.caller.measure import measure_turns
from antiphon.caller.record import CallRecord

SPEECH = Path(__file__).resolve().parents[1] / "tests" / "data" / "speech"
SCRIPT = yaml.safe_load((files("antiphon.caller") / "scripts" / "wired.yaml").read_text(encoding="utf-8"))
"""The conversation of ``antiphon demo --wired``: what the recogniser writes, with marks and capitals as vendors do, and the answers."""
ASSISTANT = {name: value for name, value in WIRED_ASSISTANT.items() if name != "policy"}


@dataclass
class Log:
    """What a call's event log tells."""

    closed_ms: list[float] = field(default_factory=list)
    """UTC, of all turns."""
    asked: int = 0
    guesses: int = 0
    adopted: int = 0


def read_logs(folder: Path) -> dict[str, Log]:
    """By the carrier's call id."""
    logs: dict[str, Log] = {}
    for path in folder.glob("*.jsonl"):
        with path.open("rb") as lines:
            header = orjson.loads(lines.readline())
            log = logs[header["carrier"]["provider_call_id"]] = Log()
            for line in lines:
                for at_ms, name, values in _actions(line):
                    if name == "TurnClosed":
                        log.closed_ms.append(at_ms + header["wall_ms"] - header["started_ms"])
                    elif name == "StartReply":
                        log.asked += 1
                        log.guesses += bool(values.get("speculative"))
                    elif name == "ReplyAdopted":
                        log.adopted += 1
    return logs


def _actions(line: bytes) -> Iterator[tuple[float, str, dict[str, Any]]]:
    entry = orjson.loads(line)
    if isinstance(entry, list) and len(entry) == 3:
        for action in entry[2]:
            yield float(entry[0]), action[0], action[1] if len(action) > 1 and isinstance(action[1], dict) else {}


async def measure(calls: int, seconds: float, scratch: Path) -> tuple[list[CallRecord], dict[str, Log]]:
    cores = divide_cores()
    workload = Workload(recorded_turns(SPEECH), 0)
    pin(0, cores.callers)
    window = window_for(calls, seconds)
    said = [line["say"] for line in SCRIPT["lines"]]
    script = {"spellings": [DOCUMENTED], "transcripts": said, "answers": SCRIPT["answers"]}
    async with stand_ins(script, cores.callers) as where:
        target = Target("antiphon", settings=where, assistant=ASSISTANT)
        async with target.running(cores.server, scratch) as server, http_client() as client:
            await warm_up(workload, server, client)
            fleet = Fleet(workload, server.line, calls)
            fleet.start(window, client)
            await asyncio.sleep(window.ramp_s + window.steady_s + window.tail_s)
            await fleet.hang_up()
            await asyncio.sleep(2)
            assert server.event_logs is not None
            return fleet.records, read_logs(server.event_logs)


def tell(name: str, values_ms: Sequence[float]) -> None:
    ordered = sorted(values_ms)
    at = [ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 95)]
    print(f"{name}: p50 {at[0]:.0f} ms, p95 {at[1]:.0f} ms, {len(ordered)} turns")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=40)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="antiphon-guesses-") as scratch:
        records, logs = await measure(arguments.calls, arguments.seconds, Path(scratch))
    heard: list[float] = []
    closed: list[float] = []
    for record in records:
        log = logs.get(record.call_sid, Log())
        for turn in measure_turns(record.spoken, record.utterances, record.cuts_ms):
            if turn.response_ms is None:
                continue
            heard.append(turn.response_ms)
            heard_wall_ms = record.started_wall_ms + turn.spoken.ended_ms + turn.response_ms
            before = [at_ms for at_ms in log.closed_ms if at_ms < heard_wall_ms]
            if before:
                closed.append(heard_wall_ms - before[-1])
    tell("end of speech → answer heard", heard)
    tell("turn closed → answer heard", closed)
    asked, guesses, adopted = (
        sum(getattr(log, name) for log in logs.values()) for name in ("asked", "guesses", "adopted")
    )
    print(f"{asked} requests to the model, {guesses} of them guesses, {adopted} of these right")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
