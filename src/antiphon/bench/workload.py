"""What every server on the bench has to do: the same calls, at the same moments, for everybody.

Pure, and seeded: the same seed gives the same calls. Each call has five turns; turns 2 and 4 interrupt the answer before them one second
after it was first heard. Callers begin at random moments and ring again as soon as a call is over.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.caller.clips import Clip, LineNoise, Pcm, make_clip
from antiphon.caller.dialogue import Cued, Patience
from antiphon.caller.script import AgentDone, BargeIn, Line

TURNS = 5
BARGE_IN_TURNS = (2, 4)
BARGE_IN_MS = 1000
NOISE_DBFS = -55.0
REPLY_WITHIN_MS = 4000
"""A turn not answered by then is unanswered."""
PATIENCE = Patience(agent_done_ms=700, greeting_ms=500, reply_ms=REPLY_WITHIN_MS)
"""Nobody greets, so that nobody waits for it."""

SHORT_CALL_PATIENCE = Patience(agent_done_ms=700, greeting_ms=300, reply_ms=REPLY_WITHIN_MS)
SHORT_CALL_BARGE_IN_MS = 300

ENDPOINTING_MS = 200
FIRST_TOKEN_MS = 100
TOKEN_INTERVAL_MS = 10
FIRST_SENTENCE_MS = 60
"""From the first token until the model has written the answer's first sentence, here as in the peers' bots: nobody can voice it sooner."""
FIRST_CHUNK_MS = 50
FLOOR_MS = ENDPOINTING_MS + FIRST_TOKEN_MS + FIRST_SENTENCE_MS + FIRST_CHUNK_MS
"""What no server can do without: the silence it is told to wait for, and the engines' own delays."""

ANSWER = "Here is what you asked for. There is a little more to say. Then one more thing after that. And this is the very end."
MS_PER_CHARACTER = 36
"""About four seconds for the answer, as people speak."""
TRANSCRIPT = "what can you tell me about that"

_RAMP_CALLS_PER_S = 25.0
_SHORTEST_RAMP_S = 4.0
_PAUSE_S = (0.05, 0.35)
"""Between two calls of one caller."""
_SHORT_CALL_S = (2.5, 4.0)


@dataclass(frozen=True, slots=True)
class Window:
    """The times of one measurement, in seconds."""

    ramp_s: float
    """All calls begin within it. Not measured."""
    steady_s: float
    """All calls are live. Measured."""
    tail_s: float
    """The calls go on for so long, that the last turns measured can be answered."""

    @property
    def total_s(self) -> float:
        return self.ramp_s + self.steady_s + self.tail_s


def window_for(calls: int, seconds: float) -> Window:
    """Calls begin no faster than ``_RAMP_CALLS_PER_S``: what is measured is the load, not its onset."""
    ramp_s = max(_SHORTEST_RAMP_S, calls / _RAMP_CALLS_PER_S) + 1.0
    return Window(ramp_s, seconds, (REPLY_WITHIN_MS + 500) / 1000)


class Workload:
    """The callers' sounds and schedule."""

    def __init__(self, turns: Sequence[Pcm], seed: int = 0, noise_dbfs: float = NOISE_DBFS) -> None:
        """``turns`` is what callers say, 8 kHz mono. Raises ConfigurationError for sounds nobody could hear."""
        self.noise = LineNoise(noise_dbfs, seed)
        self.clips: tuple[Clip, ...] = tuple(make_clip(turn, self.noise) for turn in turns)
        self._seed = seed

    def begins_s(self, caller: int, ramp_s: float) -> float:
        """When a caller (from 1) rings for the first time."""
        return self._random("begins", caller).uniform(0.0, ramp_s - 1.0)

    def pause_s(self, caller: int, call: int) -> float:
        """How long a caller waits after its ``call``-th call (from 1)."""
        return self._random("pause", caller, call).uniform(*_PAUSE_S)

    def lines(self, caller: int, call: int) -> tuple[Cued, ...]:
        """What is said on a caller's ``call``-th call. The first one may begin in the middle, so that callers who came
        together do not stay in step."""
        chance = self._random("lines", caller, call)
        chosen = [chance.randrange(len(self.clips)) for _ in range(TURNS)]
        first = chance.randrange(TURNS) if call == 1 else 0
        lines: list[Cued] = []
        for turn in range(1 + first, TURNS + 1):
            interrupts = turn in BARGE_IN_TURNS and bool(lines)
            cue = BargeIn(BARGE_IN_MS) if interrupts else AgentDone()
            index = chosen[turn - 1]
            lines.append(Cued(Line("wav", f"turn {index}", cue), self.clips[index]))
        return tuple(lines)

    def short_lines(self, caller: int) -> tuple[Cued, ...]:
        """What is said on a short call: a turn, and one that interrupts the answer at once. The shortest clips, so that both fit."""
        shortest = sorted(range(len(self.clips)), key=lambda index: self.clips[index].duration_ms)
        chance = self._random("short", caller)
        first, second = (chance.choice(shortest[:3]) for _ in range(2))
        return (
            Cued(Line("wav", f"turn {first}", AgentDone()), self.clips[first]),
            Cued(Line("wav", f"turn {second}", BargeIn(SHORT_CALL_BARGE_IN_MS)), self.clips[second]),
        )

    def short_call_s(self, caller: int) -> float:
        """How long a short call lasts."""
        return self._random("lasts", caller).uniform(*_SHORT_CALL_S)

    def _random(self, *of: object) -> random.Random:
        return random.Random(f"{self._seed} {of}")
