"""What a call was like, from the times at which things were said, received and heard.

Pure. All times are milliseconds since the stream began, at the caller's end. Definitions:

- A caller's line begins and ends at its *acoustic* onset and end, not where its file begins.
- The *answer* to a line is the agent's first utterance whose sound arrives after the line has ended. Its response time
  runs from there to the arrival, its heard time to the playing, of the first audible sound.
- What the agent was saying when the caller began is not an answer. Where the caller's words did not end it, what follows
  counts as an answer only after a ``clear`` or ``STALE_SILENCE_MS`` of quiet.
- An agent that begins while the caller is speaking and goes on past the end has answered *early*; no time is given.
- *Barge-in*: the caller begins while the agent is audible. To ``clear``: until the server's message came. To silence:
  until the agent was no longer heard. *Missed*: still audible when the caller has finished.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from antiphon.caller.hearing import Utterance
from antiphon.caller.script import LineKind

STALE_SILENCE_MS = 700
SETTLE_MS = 1000
"""A ``clear`` this long after a noise has ended is still taken for its effect."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something the caller did, and when."""

    kind: LineKind
    content: str
    started_ms: float
    ended_ms: float
    expects_reply: bool


@dataclass(frozen=True, slots=True)
class Answer:
    utterance: Utterance
    early: bool
    """It began before the caller had finished."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """What the agent did when spoken over. Times run from the caller's acoustic onset; None: it did not."""

    clear_ms: float | None
    silent_ms: float | None
    missed: bool


NoiseOutcome = Literal["undisturbed", "resumed", "stopped"]


@dataclass(frozen=True, slots=True)
class NoiseEffect:
    """What a noise over the agent's speech did to it."""

    outcome: NoiseOutcome
    gap_ms: float | None = None
    """Silence heard between the ``clear`` and the resumed speech."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The server's own account of a turn, in milliseconds after it noticed that the user had stopped."""

    closed_ms: float | None = None
    first_token_ms: float | None = None
    first_audio_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One line and what came of it."""

    number: int
    spoken: Spoken
    answered: bool
    early: bool = False
    response_ms: float | None = None
    """From the caller's acoustic end to the arrival of the answer's first audible sound; None where no answer is due."""
    heard_ms: float | None = None
    """From the caller's acoustic end to that sound being played."""
    overlap_ms: float = 0.0
    """Agent audible while the caller spoke."""
    barge_in: BargeIn | None = None
    noise: NoiseEffect | None = None
    stages: Stages | None = None

    @property
    def unanswered(self) -> bool:
        return self.spoken.expects_reply and not self.answered


def interrupted_by(spoken: Spoken, utterances: Sequence[Utterance]) -> Utterance | None:
    """What the agent was saying when ``spoken`` began."""
    for utterance in utterances:
        if utterance.heard_from_ms < spoken.started_ms < utterance.heard_to_ms:
            return utterance
    return None


def find_answer(
    spoken: Spoken, utterances: Sequence[Utterance], cuts_ms: Sequence[float], until_ms: float = math.inf
) -> Answer | None:
    """The answer to ``spoken`` among ``utterances`` that arrived before ``until_ms`` (the caller's next line)."""
    interrupted = interrupted_by(spoken, utterances)
    stale = interrupted is not None and interrupted.heard_to_ms > spoken.ended_ms
    early: Answer | None = None
    silent_since_ms = -math.inf
    for utterance in utterances:
        if utterance.received_ms >= until_ms:
            break
        if utterance.received_ms >= spoken.ended_ms:
            if early is not None:
                return early
            cleared = any(spoken.started_ms <= cut_ms <= utterance.received_ms for cut_ms in cuts_ms)
            quiet_ms = utterance.heard_from_ms - silent_since_ms
            if not stale or cleared or quiet_ms >= STALE_SILENCE_MS:
                return Answer(utterance, early=False)
        elif utterance.received_ms >= spoken.started_ms and utterance.heard_to_ms > spoken.ended_ms:
            early = Answer(utterance, early=True)
        silent_since_ms = utterance.heard_to_ms
    return early


def measure_turns(
    lines: Sequence[Spoken], utterances: Sequence[Utterance], cuts_ms: Sequence[float]
) -> tuple[Turn, ...]:
    """All lines of one call, in order."""
    ends = [*(line.started_ms for line in lines[1:]), math.inf]
    return tuple(
        _measure_turn(number, spoken, utterances, cuts_ms, until_ms)
        for number, (spoken, until_ms) in enumerate(zip(lines, ends, strict=False), start=1)
    )


def _measure_turn(
    number: int, spoken: Spoken, utterances: Sequence[Utterance], cuts_ms: Sequence[float], until_ms: float
) -> Turn:
    answer = find_answer(spoken, utterances, cuts_ms, until_ms)
    timed = answer is not None and not answer.early and spoken.expects_reply
    return Turn(
        number=number,
        spoken=spoken,
        answered=answer is not None,
        early=answer is not None and answer.early,
        response_ms=answer.utterance.received_ms - spoken.ended_ms if answer and timed else None,
        heard_ms=answer.utterance.heard_from_ms - spoken.ended_ms if answer and timed else None,
        overlap_ms=_overlap_ms(spoken, utterances),
        barge_in=_barge_in(spoken, utterances, cuts_ms) if spoken.kind in ("say", "wav") else None,
        noise=_noise_effect(spoken, utterances, cuts_ms) if spoken.kind == "noise" else None,
    )


def _overlap_ms(spoken: Spoken, utterances: Sequence[Utterance]) -> float:
    return sum(
        max(
            0.0,
            min(utterance.heard_to_ms, spoken.ended_ms) - max(utterance.heard_from_ms, spoken.started_ms),
        )
        for utterance in utterances
    )


def _barge_in(spoken: Spoken, utterances: Sequence[Utterance], cuts_ms: Sequence[float]) -> BargeIn | None:
    interrupted = interrupted_by(spoken, utterances)
    if interrupted is None:
        return None
    cut_ms = _first_cut(cuts_ms, spoken.started_ms, spoken.ended_ms + SETTLE_MS)
    missed = interrupted.heard_to_ms > spoken.ended_ms
    return BargeIn(
        clear_ms=cut_ms - spoken.started_ms if cut_ms is not None else None,
        silent_ms=None if missed else interrupted.heard_to_ms - spoken.started_ms,
        missed=missed,
    )


def _noise_effect(spoken: Spoken, utterances: Sequence[Utterance], cuts_ms: Sequence[float]) -> NoiseEffect | None:
    if interrupted_by(spoken, utterances) is None:
        return None
    cut_ms = _first_cut(cuts_ms, spoken.started_ms, spoken.ended_ms + SETTLE_MS)
    if cut_ms is None:
        return NoiseEffect("undisturbed")
    resumed = next((utterance for utterance in utterances if utterance.received_ms >= cut_ms), None)
    if resumed is None:
        return NoiseEffect("stopped")
    return NoiseEffect("resumed", resumed.heard_from_ms - cut_ms)


def _first_cut(cuts_ms: Sequence[float], from_ms: float, to_ms: float) -> float | None:
    return next((cut_ms for cut_ms in cuts_ms if from_ms <= cut_ms <= to_ms), None)
