"""Many calls in a few figures.

Pure. The JSON form of a report is ``as_json``: names end in their unit, and what is not known is null.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from antiphon.caller.lateness import Lateness, percentile
from antiphon.caller.measure import Turn, measure_turns
from antiphon.caller.record import CallRecord


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call and what was measured on it."""

    record: CallRecord
    turns: tuple[Turn, ...]
    note: str = ""
    """Something the reader should know, e.g. why the server's own times are missing."""

    @property
    def unanswered(self) -> int:
        return sum(turn.unanswered for turn in self.turns)

    @property
    def failed(self) -> bool:
        return bool(self.record.problem) or self.unanswered > 0


def report_on(record: CallRecord) -> CallReport:
    """Measure one call from the outside."""
    return CallReport(record, measure_turns(record.spoken, record.utterances, record.cuts_ms))


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution: how many, and its percentiles in milliseconds (None where there are none)."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def spread_of(values: Sequence[float]) -> Spread:
    return Spread(
        len(values),
        percentile(values, 0.50),
        percentile(values, 0.95),
        percentile(values, 0.99),
        max(values, default=None),
    )


def spread_of_lateness(lateness: Lateness) -> Spread:
    return Spread(
        lateness.count,
        lateness.percentile(0.50),
        lateness.percentile(0.95),
        lateness.percentile(0.99),
        lateness.worst_ms if lateness.count else None,
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """All calls of a run."""

    calls: int
    broken: int
    """Calls that could not be made, or did not get through their script."""
    problems: dict[str, int]
    """Why, and how often."""
    turns: int
    unanswered: int
    early: int
    response: Spread
    """From the caller's acoustic end to the arrival of the answer's first audible sound."""
    heard: Spread
    barge_ins: int
    missed_barge_ins: int
    barge_clear: Spread
    barge_silent: Spread
    noise_outcomes: dict[str, int]
    overlap_ms: float
    underruns: int
    frame_lateness: Spread
    """Of the server's media messages, as they arrived."""
    send_lateness: Spread
    """Of the callers' own frames: what this machine added."""
    faults: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    reordered: int = 0


def summarise(reports: Sequence[CallReport], send_lateness: Lateness) -> Summary:
    """The figures of all calls together."""
    turns = [turn for report in reports for turn in report.turns]
    records = [report.record for report in reports]
    barge_ins = [turn.barge_in for turn in turns if turn.barge_in is not None]
    arrivals = Lateness()
    faults: Counter[str] = Counter()
    for record in records:
        arrivals.merge(record.frame_lateness)
        faults.update(record.faults)
    return Summary(
        calls=len(reports),
        broken=sum(bool(record.problem) for record in records),
        problems=dict(Counter(record.problem for record in records if record.problem)),
        turns=sum(turn.spoken.expects_reply for turn in turns),
        unanswered=sum(turn.unanswered for turn in turns),
        early=sum(turn.early for turn in turns),
        response=spread_of([turn.response_ms for turn in turns if turn.response_ms is not None]),
        heard=spread_of([turn.heard_ms for turn in turns if turn.heard_ms is not None]),
        barge_ins=len(barge_ins),
        missed_barge_ins=sum(each.missed for each in barge_ins),
        barge_clear=spread_of([each.clear_ms for each in barge_ins if each.clear_ms is not None]),
        barge_silent=spread_of([each.silent_ms for each in barge_ins if each.silent_ms is not None]),
        noise_outcomes=dict(Counter(turn.noise.outcome for turn in turns if turn.noise is not None)),
        overlap_ms=sum(turn.overlap_ms for turn in turns),
        underruns=sum(record.underruns for record in records),
        frame_lateness=spread_of_lateness(arrivals),
        send_lateness=spread_of_lateness(send_lateness),
        faults=dict(faults),
        lost=sum(record.lost for record in records),
        reordered=sum(record.reordered for record in records),
    )


def as_json(reports: Sequence[CallReport], summary: Summary) -> dict[str, Any]:
    """The whole report as plain JSON values."""
    return {"summary": asdict(summary), "calls": [_call_json(report) for report in reports]}


def _call_json(report: CallReport) -> dict[str, Any]:
    record = report.record
    return {
        "number": record.number,
        "call_sid": record.call_sid,
        "problem": record.problem or None,
        "unsaid": record.unsaid,
        "duration_ms": record.duration_ms,
        "turns": [asdict(turn) | {"unanswered": turn.unanswered} for turn in report.turns],
        "agent_utterances": [asdict(utterance) for utterance in record.utterances],
        "clears_ms": list(record.cuts_ms),
        "media_messages": record.media_messages,
        "cleared_ms": record.cleared_ms,
        "underruns": record.underruns,
        "underrun_ms": record.underrun_ms,
        "frame_lateness": asdict(spread_of_lateness(record.frame_lateness)),
        "faults": dict(record.faults),
        "warnings": list(record.warnings),
        "note": report.note or None,
    }
