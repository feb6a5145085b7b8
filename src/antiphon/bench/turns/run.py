"""Calls that hold one trial each, some of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx

from antiphon.bench.turns.corpus import Trial
from antiphon.bench.turns.outcome import Outcome, Undisturbed, outcome, undisturbed
from antiphon.caller.beat import CallerBeat
from antiphon.caller.caller import Caller, CallPlan
from antiphon.caller.clips import Clip, LineNoise, encode_frames, mulaw_bytes
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.hearing import FAINT_DBFS
from antiphon.caller.script import After, AgentDone, BargeIn, Line
from antiphon.caller.wire import FRAME_BYTES
from antiphon.errors import ConfigurationError

LEAD_MS = 700
"""Line before the caller speaks, where the agent does not."""
OVER_MS = 2000
"""So long the agent has been speaking when it is spoken over. What it says then must be much longer, and what it answers much shorter."""
ANSWER_WITHIN_MS = 7000
_LIMIT_MS = 90_000
_NOISE_DBFS = -55.0
_SHORTEST_PAUSE_MS = 40
_LISTENER = Patience(reply_ms=ANSWER_WITHIN_MS, greeting_ms=OVER_MS * 4, agent_done_ms=4000)
"""Of somebody who waits whether an agent that has stopped goes on."""
_HEARS_OUT = Cued(Line("wait", "", AgentDone(), expects_reply=False))


@dataclass(frozen=True, slots=True)
class Target:
    """A server, as in ``CallPlan``."""

    plan: CallPlan
    concurrency: int = 8


async def measure(target: Target, trials: Sequence[Trial], done: Callable[[], None] = lambda: None) -> list[Outcome]:
    """Every trial once, ``concurrency`` calls at a time. A call that broke is an outcome with a problem."""
    beat, places = CallerBeat(), asyncio.Semaphore(target.concurrency)
    async with httpx.AsyncClient() as client:
        alone = await _alone(target.plan, beat, client) if trials and trials[0].over else Undisturbed()

        async def one(number: int, trial: Trial) -> Outcome:
            async with places:
                found = await _call(target.plan, beat, client, number, trial, alone)
                done()
                return found

        return list(await asyncio.gather(*(one(number, trial) for number, trial in enumerate(trials, 1))))


async def _alone(plan: CallPlan, beat: CallerBeat, client: httpx.AsyncClient) -> Undisturbed:
    """What the agent says when nobody speaks over it. Raises ConfigurationError."""
    plan = replace(
        plan, lines=(_HEARS_OUT,), noise=LineNoise(_NOISE_DBFS), patience=_LISTENER, limit_ms=_LIMIT_MS, audible_dbfs=FAINT_DBFS,
        pause_ms=_SHORTEST_PAUSE_MS,
    )  # fmt: skip
    record = await Caller(plan, beat, number=0).call(client)
    alone = undisturbed(record.utterances)
    if alone.ms < 2 * OVER_MS:
        found = record.problem or f"it spoke for {alone.ms:.0f} ms"
        raise ConfigurationError(
            "url", f"to be spoken over, an agent must begin with more than {2 * OVER_MS} ms: {found}"
        )
    return alone


async def _call(
    plan: CallPlan, beat: CallerBeat, client: httpx.AsyncClient, number: int, trial: Trial, alone: Undisturbed
) -> Outcome:
    noise = LineNoise(trial.noise_dbfs, seed=number)
    clip = _clip(trial, noise)
    cue = BargeIn(OVER_MS) if trial.over else After(LEAD_MS)
    line = Cued(Line("wav", trial.name, cue, expects_reply=not trial.over), clip)
    patience = _LISTENER if trial.over else Patience(reply_ms=ANSWER_WITHIN_MS)
    lines = (line, _HEARS_OUT) if trial.over else (line,)
    # Each from a number of its own: that is how the server's event log of a trial is found.
    identity = replace(plan.identity, caller=f"+1555{number:07}")
    plan = replace(plan, identity=identity, lines=lines, noise=noise, patience=patience, limit_ms=_LIMIT_MS)
    audible_dbfs = FAINT_DBFS if trial.over else plan.audible_dbfs
    record = await Caller(replace(plan, audible_dbfs=audible_dbfs), beat, number=number).call(client)
    if record.problem or not record.spoken:
        return Outcome(trial.name, trial.group, problem=record.problem or "nothing was said")
    # The dialogue counts from the clip's onset; the trial from its first sample.
    return outcome(trial, record.spoken[0].started_ms - clip.onset_ms, record.utterances, alone)


def _clip(trial: Trial, noise: LineNoise) -> Clip:
    """The boundaries are the corpus's own: what is loud is not always what was said."""
    whole = trial.pcm[: len(trial.pcm) // FRAME_BYTES * FRAME_BYTES]
    mulaw = mulaw_bytes(noise.under(whole))
    return Clip(mulaw, encode_frames(mulaw), trial.start_ms, min(trial.end_ms, len(mulaw) / 8))
