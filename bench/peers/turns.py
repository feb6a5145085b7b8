"""Pauses cut and delays of ours, Pipecat and LiveKit with the same recordings of people: ``antiphon bench turns``, one server after
the other.

    python bench/peers/turns.py CORPUS [--concurrency 8]

Before: bench/peers/pipecat/setup.sh and bench/peers/livekit/setup.sh. Everybody's recogniser knows the same words for whatever was said,
as soon as a voice-activity model or silence says that speech has paused, and writes no marks (ours is a stand-in for Deepgram, which takes
100 ms more); model and voice take no time. So what is
compared is how a turn's end is told by its sound: Smart Turn with ours and with Pipecat, silence alone with LiveKit (whose own model
comes from a model hub) and, beside it, with ours. Writes docs/benchmarks/turns/*.json, the tables of docs/turn-taking-quality.md, and the
picture.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import uvloop

from antiphon.bench.server import Target as ServerTarget
from antiphon.bench.turns import report
from antiphon.bench.turns.corpus import Trial, trials
from antiphon.bench.turns.run import Target, measure
from antiphon.bench.vendors.process import stand_ins
from antiphon.caller.caller import CallPlan
from antiphon.caller.webhook import Identity

PEERS = Path(__file__).parent
OUT = PEERS.parents[1] / "docs" / "benchmarks" / "turns"
WORDS = "could you book me a table"
WARM_S = 5
"""Processes of engines go on starting when a server is ready."""
STYLES = ("read", "spontaneous")
"""Of numbers, whose words nobody hears here, nothing is to be learnt."""
ASSISTANT: Mapping[str, Any] = {
    "name": "Turns",
    "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en"},
    "model": {"provider": "scripted", "options": {"replies": ["This is what I have to say."], "first_token_ms": 0}},
    "voice": {"provider": "scripted", "options": {"first_chunk_ms": 0}},
}


@dataclass(frozen=True)
class Server:
    label: str
    command: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


SERVERS = {
    "antiphon-smart-turn": Server("antiphon, Smart Turn", settings={"ANTIPHON_TURN_DETECTOR": "smart-turn"}),
    "antiphon-words": Server("antiphon, no model", settings={"ANTIPHON_TURN_DETECTOR": "off"}),
    "pipecat": Server(
        "Pipecat 1.14.0, Smart Turn",
        f"{PEERS}/pipecat/.venv-pipecat/bin/python -W ignore {PEERS}/pipecat/bot.py --port {{port}} --mode turns",
    ),
    "livekit": Server(
        "LiveKit Agents 1.8.9, silence",
        f"{PEERS}/livekit/.venv-livekit/bin/python -W ignore {PEERS}/livekit/bot_turns.py --port {{port}}",
    ),
}


async def run(server: Server, chosen: Sequence[Trial], concurrency: int, scratch: Path) -> dict[str, Any]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    async with AsyncExitStack() as open_:
        where = await open_.enter_async_context(stand_ins({"transcripts": [WORDS]})) if not server.command else {}
        target = ServerTarget(
            server.label, server.command, "/ws", settings={**where, **server.settings}, assistant=ASSISTANT
        )
        live = await open_.enter_async_context(target.running(None, scratch))
        await asyncio.sleep(WARM_S)
        line = live.line
        plan = CallPlan(
            (), webhook_url=line.webhook_url, media_url=line.media_url, identity=Identity(auth_token=line.auth_token)
        )
        outcomes = await measure(Target(plan, concurrency), chosen)
    return {
        "suite": "pause", "label": server.label, "started": started,
        "about": "The same words for whatever was said, without marks.",
        "groups": report.figures(outcomes), "trials": [asdict(each) for each in outcomes],
    }  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--only", choices=list(SERVERS))
    arguments = parser.parse_args()
    chosen = [each for each in trials(arguments.corpus, "pause", 0) if each.group in STYLES]
    chosen = chosen[: arguments.limit or None]
    OUT.mkdir(exist_ok=True)
    for name, server in SERVERS.items():
        if arguments.only in (None, name):
            with TemporaryDirectory(prefix="antiphon-turns-") as scratch:
                found = await run(server, chosen, arguments.concurrency, Path(scratch))
            print(f"{server.label}\n{report.table(found['groups'], over=False)}", flush=True)
            (OUT / f"{name}.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    subprocess.run([sys.executable, "bench/turn_quality.py"], cwd=OUT.parents[2], check=True)
