"""What became of a trial: whether the agent spoke into it, and how long it took to answer. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from antiphon.bench.turns.corpus import SHORTEST_PAUSE_MS, Trial
from antiphon.caller.hearing import Utterance

_Z = 1.96
_TOLERANCE_MS = 20
"""A frame: what begins so little before the true end is an answer."""
_HOLE_MS = 60
"""A silence this short is no hole: a server that makes itself softer clears what it has sent, and sends it again."""
_RESUMED_MS = 2500
"""A hole counts as the trial's where it begins no later than this after the sound."""
_MOST_LEFT = 0.5
"""An agent that says less than this of what it had still to say has been ended: what else it says is another reply."""


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
    """Where the agent was speaking: from the sound's onset until it was silent; None where it went on, if more softly."""
    hole_ms: float | None = None
    """The longest silence the sound made in what the agent then went on to say."""
    ended: bool = False
    """Where the agent was speaking: it did not go on with that afterwards."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What an agent says that nobody speaks over."""

    ms: float = math.inf
    pauses: tuple[tuple[float, float], ...] = ()
    """Where it is silent by itself, from and to, counted from its first sound."""

    def pause_left_ms(self, at_ms: float) -> float:
        """How long it would be silent from here on by itself."""
        return next((to_ms - at_ms for from_ms, to_ms in self.pauses if from_ms - _HOLE_MS <= at_ms < to_ms), 0.0)


def undisturbed(utterances: Sequence[Utterance]) -> Undisturbed:
    """Out of a call in which nobody spoke."""
    if not utterances:
        return Undisturbed(0.0)
    first_ms = utterances[0].heard_from_ms
    return Undisturbed(
        sum(each.heard_to_ms - each.heard_from_ms for each in utterances),
        tuple((left.heard_to_ms - first_ms, right.heard_from_ms - first_ms) for left, right in pairwise(utterances)),
    )


def outcome(
    trial: Trial, began_ms: float, utterances: Sequence[Utterance], alone: Undisturbed | None = None
) -> Outcome:
    """``began_ms`` is when the trial's sound began, on the clock of the agent's utterances; ``alone`` what the agent says when nobody
    speaks over it."""
    heard = [
        (each.received_ms - began_ms, each.heard_from_ms - began_ms, each.heard_to_ms - began_ms, each.cut)
        for each in utterances
    ]
    if trial.over:
        return _over(trial, heard, alone or Undisturbed())
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


_Stretch = tuple[float, float, float, bool]
"""When a sound was received, when it was heard from and to, and whether it was cut off."""


def _stretches(heard: Sequence[_Stretch], alone: Undisturbed) -> tuple[list[_Stretch], list[float]]:
    """What a person hears as one sound, and the silences between them that the agent would not have made by itself. A server that makes
    itself softer clears what it has sent, and sends it again: where that meets a pause of its own, there is none more for it."""
    whole: list[_Stretch] = []
    holes: list[float] = []
    lost_ms = 0.0
    for received, begins, ends, cut in heard:
        if whole:
            gap_ms = begins - whole[-1][2]
            said_ms = whole[-1][2] - whole[0][1] - lost_ms
            hole_ms = gap_ms - alone.pause_left_ms(said_ms)
            if hole_ms < _HOLE_MS:
                whole[-1] = (whole[-1][0], whole[-1][1], ends, cut)
                lost_ms += max(hole_ms, 0.0)
                continue
            holes.append(hole_ms)
            lost_ms += hole_ms
        whole.append((received, begins, ends, cut))
    return whole, holes


def _over(trial: Trial, utterances: Sequence[_Stretch], alone: Undisturbed) -> Outcome:
    onset_ms = trial.start_ms
    heard, gaps = _stretches(utterances, alone)
    # The recording begins at 0: a breath before the labelled onset is of the sound, too.
    at = next((at for at, (_, begins, ends, _) in enumerate(heard) if begins < onset_ms and ends > 0), None)
    if at is None:
        return Outcome(trial.name, trial.group, problem="the agent was not speaking")
    silent_ms = heard[at][2]
    before_ms = sum(ends - begins for _, begins, ends, _ in heard[: at + 1])
    after_ms = sum(ends - begins for _, begins, ends, _ in heard[at + 1 :])
    left_ms = alone.ms - before_ms
    if silent_ms > trial.end_ms + _RESUMED_MS or (not after_ms and left_ms < _HOLE_MS):
        return Outcome(trial.name, trial.group)  # it took no notice
    ended = after_ms < _MOST_LEFT * left_ms
    # Not whether a sound was cut: what is cleared may be a pause of its own.
    holes = [
        gap_ms for left, gap_ms in zip(heard[at:], gaps[at:], strict=False) if left[2] <= trial.end_ms + _RESUMED_MS
    ]
    hole_ms = None if ended else max(holes, default=None)
    return Outcome(trial.name, trial.group, stopped_ms=max(silent_ms - onset_ms, 0.0), hole_ms=hole_ms, ended=ended)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, 1 + _Z * _Z / of
    middle = (share + _Z * _Z / (2 * of)) / spread
    half = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of)) / spread
    return max(0.0, middle - half), min(1.0, middle + half)
