"""Prometheus metrics: a ``SessionObserver`` for what calls do, and gauges read when scraped for what the process is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.losses import Count
from antiphon.session.timeline import CallTimeline, TurnTimes
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import AnsweredBy, EndReason, Usage

_SECONDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_HOLD_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0)


class CallMetrics:
    """Counts and times, summed over all calls. Labels are few and never hold anything a caller can choose."""

    def __init__(self, find_timeline: Callable[[str], CallTimeline | None]) -> None:
        self.registry = CollectorRegistry()
        self._find_timeline = find_timeline
        self._calls = self._counter("calls", "Calls taken.", "provider")
        self._ended = self._counter("calls_ended", "Calls ended, by reason.", "reason")
        self._answers = self._counter(
            "machine_detections", "Calls placed, by who answered and what was done about it.", "answered_by", "outcome"
        )
        turns = self._counter("turns", "Turns of callers, by fate.", "fate")
        barge_ins = self._counter("barge_ins", "Holds of the agent: true interruptions and false ones.", "kind")
        self._tools = self._counter("tool_calls", "Tools run.")
        self._replies = self._counter("replies", "Replies, by how they ended.", "status")
        self._vendor_errors = self._counter("provider_errors", "Failures of engines and vendors.", "provider", "code")
        self._characters = self._counter("characters", "Characters spoken.", "provider")
        self._tokens = self._counter("tokens", "Tokens of models.", "provider", "direction")
        self._hold = Histogram(
            "antiphon_false_barge_in_hold_seconds",
            "How long the agent was held for nothing.",
            buckets=_HOLD_SECONDS,
            registry=self.registry,
        )
        stage = Histogram(
            "antiphon_turn_stage_seconds",
            "Latency of a turn, by stage, from the caller's last sound.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        # What happens in every turn is not looked up by its label each time.
        self._stage = {name: stage.labels(name) for name, _ in _stage_times(TurnTimes(0))}
        self._turn_closed, self._turn_dropped = turns.labels("closed"), turns.labels("dropped")
        self._barge_in_true, self._barge_in_false = barge_ins.labels("true"), barge_ins.labels("false")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"antiphon_{name}", text, labels, registry=self.registry)

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._calls.labels(call.provider).inc()

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if isinstance(event, ev.PlaybackStarted):
            self._stages(call_id, event.reply)
        for action in actions:
            count = _OF_ACTIONS.get(type(action))
            if count is not None:
                count(self, action)

    def _barge_in_dismissed(self, action: do.InterruptionDismissed) -> None:
        self._barge_in_false.inc()
        self._hold.observe(action.held_ms / 1000)

    def _stages(self, call_id: str, reply: int) -> None:
        line = self._find_timeline(call_id)
        turn = line.of_reply(reply) if line is not None else None
        if turn is None or turn.speech_ended_ms is None:
            return
        for stage, at_ms in _stage_times(turn):
            if at_ms is not None:
                self._stage[stage].observe(max(at_ms - turn.speech_ended_ms, 0) / 1000)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        if usage.characters:
            self._characters.labels(provider).inc(usage.characters)
        for direction, tokens in (("in", usage.input_tokens), ("out", usage.output_tokens)):
            if tokens:
                self._tokens.labels(provider, direction).inc(tokens)

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        self._vendor_errors.labels(provider, code).inc()

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._ended.labels(str(reason)).inc()

    def answered(self, by: AnsweredBy, outcome: str) -> None:
        """It is known who answered a call. ``outcome`` is a short stable label."""
        self._answers.labels(str(by), outcome).inc()

    def recovered(self) -> None:
        """A call whose process died was found and closed at the start."""
        self._ended.labels(str(EndReason.SERVER_DIED)).inc()

    def watch(
        self,
        gauges: Callable[[], Mapping[str, float]],
        counters: Callable[[], Mapping[str, float]],
        losses: Callable[[], Mapping[Count, int]] = dict,
    ) -> None:
        """Values read at each scrape: ``gauges`` as they are now, ``counters`` that only grow, and the counters of ``losses``, which are
        there from the start so that an alert can tell none from unknown."""
        self.registry.register(_Reader(gauges, counters, losses))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


# By type, asked for every action of every call: most of them count nothing.
_OF_ACTIONS: Mapping[type, Callable[[CallMetrics, Any], None]] = {
    do.TurnClosed: lambda it, _: it._turn_closed.inc(),
    do.TurnDropped: lambda it, _: it._turn_dropped.inc(),
    do.InterruptionConfirmed: lambda it, _: it._barge_in_true.inc(),
    do.InterruptionDismissed: CallMetrics._barge_in_dismissed,
    do.ReplyClosed: lambda it, action: it._replies.labels(action.status).inc(),
    do.RunTool: lambda it, _: it._tools.inc(),
}


def _stage_times(turn: TurnTimes) -> Iterable[tuple[str, int | None]]:
    yield "turn_closed", turn.turn_closed_ms
    yield "first_token", turn.first_token_ms
    yield "first_audio", turn.first_audio_ms


# Counters of ``losses.Losses``: what they mean, and their labels.
_LOSSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "event_logs_broken": ("Event logs that do not hold the whole call.", ()),
    "dead_calls_unreadable": ("Logs found at the start that cannot be read or ended.", ()),
    "auth_failures": (
        "Requests and sockets refused for a wrong or missing key, token or signature.",
        ("surface", "status"),
    ),
    "observers_dropped": (
        "Observers that failed on a call and were told no more of it, by their class.",
        ("observer",),
    ),
    "redis_failures": ("Questions that Redis did not answer.", ()),
    "ended_calls_unkept": ("Ended calls that could not be written down, to refuse their replay.", ()),
    "log_entries_dropped": (
        "Entries of the log of requests that found no room while the database did not answer, or that it cannot keep.",
        (),
    ),
    "after_calls_lost": ("Calls whose work was not begun: the database cannot keep what it is about.", ()),
    "delivery_outcomes_lost": (
        "Deliveries of which the database cannot keep what became of them: they are made again.",
        ("type",),
    ),
    "job_steps_given_up": (
        "Steps of the work after calls that failed too often: the rest was done without them.",
        ("step",),
    ),
    "transcriptions_failed": ("Utterances that a recogniser got no words for, by its fault.", ("provider",)),
}


class _Reader(Collector):
    def __init__(
        self,
        gauges: Callable[[], Mapping[str, float]],
        counters: Callable[[], Mapping[str, float]],
        losses: Callable[[], Mapping[Count, int]],
    ) -> None:
        self._gauges = gauges
        self._counters = counters
        self._losses = losses

    def collect(self) -> Iterable[Metric]:
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"antiphon_{name}", name.replace("_", " "), value=value)
        for name, value in self._counters().items():
            yield CounterMetricFamily(f"antiphon_{name}", name.replace("_", " "), value=value)
        counts = self._losses()
        for name, (text, labels) in _LOSSES.items():
            family = CounterMetricFamily(f"antiphon_{name}", text, labels=labels)
            if not labels:
                family.add_metric((), counts.get((name, ()), 0))
            for (counter, values), value in counts.items():
                if counter == name and labels:
                    family.add_metric([dict(values)[label] for label in labels], value)
            yield family
