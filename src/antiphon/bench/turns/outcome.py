"""What became of a trial: whether the agent spoke into it, and how long it took to answer. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.bench.turns.corpus import SHORTEST_PAUSE_MS, Trial
from antiphon.caller.hearing import Utterance

_Z = 1.96
_TOLERANCE_MS = 20
"""A frame: what begins so little before the true end is an answer."""
_RESUMED_MS = 2500
"""An agent that is back within this has held its tongue, and has not been interrupted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Times in ms from the beginning of the trial's sound."""

    trial: str
    group: str
    pauses: int = 0
    """Pauses of 200 ms and more until the agent spoke."""
    cut_ms: float | None = None
    """When the agent began to speak before the caller's true end."""
    delay_ms: float | None = None
    """From the true end to the agent's first sound, where it did not cut in."""
    missed: bool = False
    stopped_ms: float | None = None
    """Where the agent was speaking: from the sound's onset until it was silent; None where it went on."""
    ended: bool = False
    """Where the agent was speaking: it did not go on afterwards."""
    problem: str = ""


def outcome(trial: Trial, began_ms: float, utterances: Sequence[Utterance]) -> Outcome:
    """``began_ms`` is when the trial's sound began, on the clock of the agent's utterances."""
    heard = [
        (each.received_ms - began_ms, each.heard_from_ms - began_ms, each.heard_to_ms - began_ms, each.cut)
        for each in utterances
    ]
    if trial.over:
        return _over(trial, heard)
    end_ms = trial.end_ms
    cuts = [at for at, _, until, _ in heard if trial.start_ms < at < end_ms - _TOLERANCE_MS and until > trial.start_ms]
    answers = [at for at, _, _, _ in heard if at >= end_ms - _TOLERANCE_MS]
    cut_ms = min(cuts, default=None)
    gaps = [
        (left, right)
        for (_, left), (right, _) in zip(trial.segments, trial.segments[1:], strict=False)
        if right - left >= SHORTEST_PAUSE_MS
    ]
    lived_through = [gap for gap in gaps if cut_ms is None or gap[0] <= cut_ms]
    delay_ms = min(answers) - end_ms if answers and cut_ms is None else None
    return Outcome(trial.name, trial.group, len(lived_through), cut_ms, delay_ms, missed=cut_ms is None and not answers)


def _over(trial: Trial, heard: Sequence[tuple[float, float, float, bool]]) -> Outcome:
    onset_ms = trial.start_ms
    current = next((each for each in heard if each[1] < onset_ms < each[2] + _TOLERANCE_MS), None)
    if current is None:
        return Outcome(trial.name, trial.group, problem="the agent was not speaking")
    stopped_ms = current[2] - onset_ms if current[3] else None
    back = any(onset_ms < each[1] <= trial.end_ms + _RESUMED_MS for each in heard if each is not current)
    return Outcome(trial.name, trial.group, stopped_ms=stopped_ms, ended=stopped_ms is not None and not back)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, 1 + _Z * _Z / of
    middle = (share + _Z * _Z / (2 * of)) / spread
    half = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of)) / spread
    return max(0.0, middle - half), min(1.0, middle + half)
