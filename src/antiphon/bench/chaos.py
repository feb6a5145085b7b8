"""Calls to a server of ours whose vendors are in trouble, and what came of them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from antiphon.bench.machine import divide_cores
from antiphon.bench.measure import http_client
from antiphon.bench.server import Server, Target
from antiphon.bench.vendors.delays import DELAYS, WELL
from antiphon.bench.vendors.letters import MS, read, spelled
from antiphon.bench.vendors.serving import Script, StandIns, environment
from antiphon.bench.vendors.trouble import Trouble, TroubleEveryTime, Vendor
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import CallPlan
from antiphon.caller.clips import LineNoise, make_clip
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.measure import measure_turns
from antiphon.caller.record import CallRecord
from antiphon.caller.script import Line
from antiphon.caller.switchboard import place_calls
from antiphon.caller.webhook import Identity
from antiphon.providers.scripted_hum import hum
from antiphon.vocabulary import AudioFormat, Encoding

ANSWERS = (
    "we have bread today. it is warm and fresh.",
    "one loaf costs nine crowns. cash is best here.",
    "our shop closes at six. come before then.",
    "many thanks for calling. good night.",
    "stay on the line. somebody will come soon.",
)
"""Without the words of the apologies, which may come as often as they have to."""
TRANSCRIPT = "what do you have."
ASSISTANT = {
    "name": "Chaos",
    "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en"},
    "model": {
        "provider": "openai",
        "model": "gpt-5.4-mini",
        "messages": [{"role": "system", "content": "Answer briefly."}],
        "options": {"first_byte_timeout_ms": 1500, "stall_timeout_ms": 1500},
        "fallbackModels": [WELL],
    },
    "voice": {
        "provider": "elevenlabs",
        "voiceId": "troubled",
        "options": {"audio_timeout_ms": 1000},
        "fallbackPlan": {"voices": [{"provider": "elevenlabs", "voiceId": WELL}]},
    },
    "policy": {"endpointing": {"speculative_reply": False}},
    "analysisPlan": {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}},
}
"""Nothing is guessed: what goes wrong with a guess that is dropped would be nobody's failure. Nothing is asked when a call is over: that
would be on no timeline."""
_TRIED_AGAIN: frozenset[Trouble] = frozenset({"killed", "throttled"})
"""A model that breaks off or throttles before its first word is asked again at once, which is a failure of no turn."""
PATIENCE = Patience(agent_done_ms=2200, greeting_ms=300, reply_ms=15_000)
"""An answer may stop for as long as a voice is waited for, and go on."""
_STAGGER_MS = 150.0
_UNLIMITED = {"ANTIPHON_OVERLOAD__BUSY_SHARE": "1.0", "ANTIPHON_OVERLOAD__LATE_MS": "1000"}
"""What is asked is what happens to calls, not how many are let in."""
_LIMIT_MS = 180_000
_CALM_S = 30.0
"""By then whatever a call has begun is over: its records are written, its vendors are told goodbye."""


@dataclass
class Chaos:
    """What came of it."""

    made: Counter[tuple[Vendor, Trouble]]
    turns: int = 0
    silent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """On timelines, by vendor."""
    lost: list[str] = field(default_factory=list)
    """Calls that could not be made or broke."""
    twice: list[str] = field(default_factory=list)
    """What was heard in calls that heard a word more often than the answers have it."""
    left: dict[str, int] = field(default_factory=dict)
    """What was still there when all calls had been over for ``_CALM_S``: the server's calls and tasks (above those it had before), work at
    the vendors."""

    @property
    def untold(self) -> dict[Vendor, int]:
        """Troubles that are on no timeline, by vendor. A few of OpenAI's may be: a request whose caller goes on is dropped before it
        fails."""
        wanted: Counter[Vendor] = Counter()
        for (vendor, trouble), count in self.made.items():
            wanted[vendor] += 0 if vendor == "openai" and trouble in _TRIED_AGAIN else count
        return {vendor: missing for vendor, count in wanted.items() if (missing := count - self.failures[vendor]) > 0}

    @property
    def well(self) -> bool:
        untold = self.untold.keys() - {"openai"}
        return bool(self.turns) and not (self.silent or self.lost or self.twice or untold or self.left)


async def run_chaos(scratch: Path, calls: int, turns: int) -> Chaos:
    """``calls`` calls at once, each of ``turns`` turns. Raises BenchFailed."""
    plan = TroubleEveryTime(every=2)
    script = Script((TRANSCRIPT,), ANSWERS, spelled, MS)
    async with StandIns(script, DELAYS, plan) as vendors:
        settings = {**environment(vendors.ports), "ANTIPHON_OPEN_API": "true", **_UNLIMITED}
        target = Target("chaos", settings=settings, assistant=ASSISTANT)
        async with target.running(divide_cores().server, scratch) as server, http_client() as client:
            tasks_before = (await _told(server, client))["tasks"]
            records = await _place(server, client, calls, turns)
            found = Chaos(plan.made)
            for record in records:
                await _judge(found, record, server, client)
            found.left = await _left(vendors, server, client, tasks_before)
            return found


async def _told(server: Server, client: httpx.AsyncClient) -> dict[str, int]:
    told = (await client.get(server.health_url)).json()
    return {name: int(told[name]) for name in ("calls", "tasks")}


async def _left(vendors: StandIns, server: Server, client: httpx.AsyncClient, tasks_before: int) -> dict[str, int]:
    """Nothing, as soon as there is nothing."""
    deadline_s = asyncio.get_running_loop().time() + _CALM_S
    while True:
        told = await _told(server, client)
        # Each connection that is kept has a task that pings.
        tasks = told["tasks"] - tasks_before - vendors.kept_connections
        there: dict[str, int] = {"calls": told["calls"], "tasks": tasks}
        there |= {str(vendor): count for vendor, count in vendors.at_work.items()}
        left = {name: count for name, count in there.items() if count > 0}
        if not left or asyncio.get_running_loop().time() > deadline_s:
            return left
        await asyncio.sleep(0.25)


async def _place(server: Server, client: httpx.AsyncClient, calls: int, turns: int) -> list[CallRecord]:
    noise = LineNoise(-55.0)
    pcm = np.frombuffer(hum(AudioFormat(Encoding.PCM16, 8000)), dtype=np.int16)[2000:12_000]
    line = Cued(Line("say", "hum"), make_clip(pcm, noise))
    plan = CallPlan(
        lines=(line,) * turns,
        webhook_url=server.line.webhook_url,
        identity=Identity(auth_token=server.line.auth_token),
        noise=noise,
        patience=PATIENCE,
        limit_ms=_LIMIT_MS,
        keep_audio=True,
    )
    return await place_calls(plan, CallerBeat(), client, calls=calls, stagger_ms=_STAGGER_MS)


async def _judge(found: Chaos, record: CallRecord, server: Server, client: httpx.AsyncClient) -> None:
    if record.problem:
        found.lost.append(record.problem)
        return
    turns = measure_turns(record.spoken, record.utterances, record.cuts_ms)
    found.turns += len(turns)
    found.silent += sum(turn.unanswered for turn in turns)
    assert record.recording is not None
    heard = await asyncio.to_thread(read, record.recording.heard)
    if _said_twice(heard):
        found.twice.append(heard)
    url = f"{server.line.webhook_url.removesuffix('/twilio/voice')}/calls/{record.call_sid}/timeline"
    rows = (await client.get(url)).json()
    found.failures.update(failure["provider"] for row in rows for failure in row["failures"])


def _said_twice(heard: str) -> bool:
    """Whether a word of the answers was heard more often than it was to be said. Each answer comes once a call."""
    words = Counter(re.findall(r"[a-z]+", heard))
    allowed = Counter(word for answer in ANSWERS for word in re.findall(r"[a-z]+", answer))
    return any(words[word] > allowed[word] for word in allowed)
