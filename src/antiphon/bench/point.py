"""One point of a curve: everything measured with one number of calls.

Pure: from call records, counters before and after, and the span of the measurement to the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from antiphon.bench.fleet import Span
from antiphon.bench.holds import hold_after
from antiphon.bench.proc import MachineTime, Memory
from antiphon.bench.workload import FLOOR_MS
from antiphon.caller.lateness import Lateness
from antiphon.caller.measure import Turn, measure_turns
from antiphon.caller.record import CallRecord
from antiphon.caller.summary import Spread, spread_of, spread_of_lateness

CLIENT_LATE_MS = 15.0
"""Our own frames later than this at the 99th percentile: what is measured is us."""
FRAME_LATE_MS = 20.0
"""The server's frames (or, where it tells, its own beat) later than this at the 99th percentile: it does not hold so many calls."""
BARGE_IN_WITHIN_MS = 2000.0

Run = TypeVar("Run")


@dataclass(frozen=True, slots=True)
class Counters:
    """CPU seconds spent so far, by whom."""

    server_s: float
    children_s: float
    callers_s: float
    machine: MachineTime


@dataclass(frozen=True, slots=True)
class Sensed:
    """What was read from outside the calls."""

    before: Counters
    after: Counters
    idle_cpu_ms_per_s: float
    base: Memory
    steady: Memory
    ended: Memory
    """A moment after the last call ended."""
    live_calls: int
    reference_ms: float
    beat_lateness_p99_ms: float | None
    """The server's own account of its beat."""
    loadavg: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Speech:
    """How the agent did, in the turns that ended within the span."""

    turns: int
    unanswered: int
    early: int
    over_floor: Spread
    """From the caller's acoustic end to the arrival of the answer's first sound, less the floor."""
    barge_ins: int
    missed: int
    """Barge-ins after which the agent was still speaking when the caller had finished."""
    onset_to_hold: Spread
    """From the acoustic onset to the server's decision, where it tells."""
    hold_to_clear: Spread
    onset_to_clear: Spread
    onset_to_silent: Spread


@dataclass(frozen=True, slots=True)
class Point:
    """The figures. Times in milliseconds, memory in KiB."""

    calls: int
    seconds: float
    call_seconds: float
    """Seconds of call within the span, all calls together."""
    cpu_ms_per_call_s: float
    children_cpu_ms_per_call_s: float
    idle_cpu_ms_per_s: float
    """Of the server before any call, after its warm-up."""
    server_cores: float
    reference_ms: float
    cpu_per_reference: float
    """``cpu_ms_per_call_s`` in thousandths of the reference work: to be compared between machines."""
    base: Memory
    steady: Memory
    ended: Memory
    own_kib_per_call: float
    pss_kib_per_call: float
    speech: Speech
    frame_lateness: Spread
    """How long the telephone had nothing to play before a message that continues a sound came."""
    frame_spacing: Spread
    """How late messages came against the length of the one before. A server that sends ahead and in big messages is uneven
    without ever being late."""
    beat_lateness_p99_ms: float | None
    live_calls: float
    """Calls in progress, on average."""
    refused: int
    """Times a caller was told, within the span, that there is no room. Not the server's failure, but not a call held either."""
    broken: int
    """Calls that could not be made, were lost, or ended too early."""
    problems: dict[str, int]
    send_lateness: Spread
    callers_cores: float
    other_cores: float
    """Load of everybody else on the machine."""
    steal_cores: float
    loadavg: tuple[float, float, float]
    doubts: tuple[str, ...] = field(default=())
    """Why the point does not count; empty where it does."""

    @property
    def valid(self) -> bool:
        return not self.doubts

    @property
    def holds(self) -> bool:
        """Whether the server holds so many calls: every turn answered, no frame late, no call lost or refused."""
        late_ms = max(self.frame_lateness.p99_ms or 0.0, self.beat_lateness_p99_ms or 0.0)
        lost = self.speech.unanswered or self.broken or self.refused
        return bool(self.speech.turns) and not lost and late_ms < FRAME_LATE_MS


def typical_of(runs: Sequence[Point]) -> Point:
    """As ``median_run``, for points."""
    return median_run(runs, lambda run: run.cpu_ms_per_call_s, lambda run: run.valid)


def median_run(runs: Sequence[Run], cost: Callable[[Run], float], counts: Callable[[Run], bool]) -> Run:
    """Of several runs with one number of calls the one whose cost is the median, the cheaper of the middle two where they are even. A point
    is always one run: figures of several are never mixed. Runs that do not count are chosen only where there is no other."""
    counting = [run for run in runs if counts(run)] or runs
    return sorted(counting, key=cost)[(len(counting) - 1) // 2]


def make_point(
    calls: int,
    span: Span,
    records: Sequence[CallRecord],
    sensed: Sensed,
    send_lateness: Lateness,
    holds: Mapping[str, Sequence[float]],
    floor_ms: int = FLOOR_MS,
) -> Point:
    """The figures of one measurement. ``holds`` as ``holds.read_holds``; ``floor_ms``: what no server can do without."""
    call_seconds = sum(
        span.overlap_s(each.started_wall_ms, each.started_wall_ms + each.duration_ms) for each in records
    )
    counted = [each for each in records if _belongs(each, span)]
    failed = [each for each in counted if each.problem and not each.refused]
    frames, spacing = Lateness(), Lateness()
    for record in counted:
        frames.merge(record.playout_lateness)
        spacing.merge(record.frame_lateness)
    before, after = sensed.before, sensed.after
    server_s, children_s = after.server_s - before.server_s, after.children_s - before.children_s
    callers_s = after.callers_s - before.callers_s
    others_s = after.machine.busy_s - before.machine.busy_s - server_s - children_s - callers_s
    cpu_ms = 1000 * server_s / call_seconds if call_seconds else 0.0
    live = max(1, sensed.live_calls)
    point = Point(
        calls=calls,
        seconds=span.seconds,
        call_seconds=call_seconds,
        cpu_ms_per_call_s=cpu_ms,
        children_cpu_ms_per_call_s=1000 * children_s / call_seconds if call_seconds else 0.0,
        idle_cpu_ms_per_s=sensed.idle_cpu_ms_per_s,
        server_cores=server_s / span.seconds,
        reference_ms=sensed.reference_ms,
        cpu_per_reference=1000 * cpu_ms / sensed.reference_ms,
        base=sensed.base,
        steady=sensed.steady,
        ended=sensed.ended,
        own_kib_per_call=(sensed.steady.own_kib - sensed.base.own_kib) / live,
        pss_kib_per_call=(sensed.steady.pss_kib - sensed.base.pss_kib) / live,
        speech=measure_speech(counted, span, holds, floor_ms),
        frame_lateness=spread_of_lateness(frames),
        frame_spacing=spread_of_lateness(spacing),
        beat_lateness_p99_ms=sensed.beat_lateness_p99_ms,
        live_calls=call_seconds / span.seconds,
        refused=sum(each.refused for each in counted),
        broken=len(failed),
        problems=dict(Counter(each.problem for each in failed)),
        send_lateness=spread_of_lateness(send_lateness),
        callers_cores=callers_s / span.seconds,
        other_cores=others_s / span.seconds,
        steal_cores=(after.machine.steal_s - before.machine.steal_s) / span.seconds,
        loadavg=sensed.loadavg,
    )
    return replace(point, doubts=_doubts(point))


def measure_speech(
    records: Sequence[CallRecord], span: Span, holds: Mapping[str, Sequence[float]], floor_ms: int = FLOOR_MS
) -> Speech:
    """What was said in ``span``."""
    turns: list[Turn] = []
    hold_ms: list[float] = []
    clear_ms: list[float] = []
    for record in records:
        for turn in measure_turns(record.spoken, record.utterances, record.cuts_ms):
            if not span.holds(record.started_wall_ms + turn.spoken.ended_ms):
                continue
            turns.append(turn)
            onset_ms = record.started_wall_ms + turn.spoken.started_ms
            held_ms = hold_after(holds.get(record.call_sid, ()), onset_ms, onset_ms + BARGE_IN_WITHIN_MS)
            if turn.barge_in is not None and held_ms is not None:
                hold_ms.append(held_ms - onset_ms)
                if turn.barge_in.clear_ms is not None:
                    clear_ms.append(turn.barge_in.clear_ms - hold_ms[-1])
    barge_ins = [turn.barge_in for turn in turns if turn.barge_in is not None]
    return Speech(
        turns=len(turns),
        unanswered=sum(turn.unanswered for turn in turns),
        early=sum(turn.early for turn in turns),
        over_floor=spread_of([turn.response_ms - floor_ms for turn in turns if turn.response_ms is not None]),
        barge_ins=len(barge_ins),
        missed=sum(each.missed for each in barge_ins),
        onset_to_hold=spread_of(hold_ms),
        hold_to_clear=spread_of(clear_ms),
        onset_to_clear=spread_of([each.clear_ms for each in barge_ins if each.clear_ms is not None]),
        onset_to_silent=spread_of([each.silent_ms for each in barge_ins if each.silent_ms is not None]),
    )


def _belongs(record: CallRecord, span: Span) -> bool:
    """Whether a call lasted into the span, or failed within it."""
    if not record.duration_ms:
        return span.holds(record.started_wall_ms)
    return span.overlap_s(record.started_wall_ms, record.started_wall_ms + record.duration_ms) > 0


def _doubts(point: Point) -> tuple[str, ...]:
    doubts = []
    late_ms = point.send_lateness.p99_ms
    if late_ms is None or late_ms > CLIENT_LATE_MS:
        doubts.append(f"our own frames left {late_ms or 0:.0f} ms late (p99): the callers' core was too busy")
    if not point.speech.turns:
        doubts.append("no turn ended within the span")
    return tuple(doubts)
