"""Keeps a call's record up to date while it lives, without ever waiting for the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.calls.history import CallHistory
from antiphon.calls.leads import LEAD, PLANS, lead_of, plan_of
from antiphon.calls.planned import PlannedCall
from antiphon.calls.record_writer import RecordWriter
from antiphon.clock import Clock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

ReasonInWords = Callable[[EndReason, str], str]
"""Why a call of this type ended, as its record says it: the API's words, which are the surface's to know."""
MAX_FAILURES = 100


class CallRecorder:
    """A ``SessionObserver`` of one planned call."""

    def __init__(
        self,
        planned: PlannedCall,
        writer: RecordWriter,
        clock: Clock,
        words_for: ReasonInWords,
        on_ended: Callable[[str], None],
        *,
        keeps_words: bool = True,
    ) -> None:
        """``keeps_words``: whether what was said may be written down.

        ``on_ended`` is told the call's id once its end is on the way to the database."""
        self._planned = planned
        self._record = planned.record
        self._messages = planned.assistant.messages
        self._writer = writer
        self._clock = clock
        self._words_for = words_for
        self._on_ended = on_ended
        self._keeps_words = keeps_words
        self._wall_offset_ms = clock.wall_ms() - clock.now_ms()
        self._history: CallHistory | None = None
        self._usage: dict[str, dict[str, int]] = {}
        self._failures: list[dict[str, str]] = []
        self._first = planned.assistant
        self._plans: list[dict[str, bool]] = []

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        wall_ms = now_ms + self._wall_offset_ms
        if self._history is None:
            self._history = CallHistory(self._messages, wall_ms)
        columns: dict[str, Any] = {"status": "in-progress", "started_wall_ms": wall_ms}
        if call.provider_call_id:
            columns["provider_call_id"] = call.provider_call_id
        self._writer.change(call.call_id, wall_ms, **columns)

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if self._history is not None:
            self._history.happened(now_ms + self._wall_offset_ms, event, actions)
        for action in actions:
            if type(action) is do.ChangeAssistant:
                self._planned.follow()
                self._lead_changed(call_id, now_ms + self._wall_offset_ms)

    def _lead_changed(self, call_id: str, wall_ms: int) -> None:
        """Written at once: a process that dies must not leave what the next one is to do after the call."""
        if not self._plans:
            self._plans.append(plan_of(self._first.spec))
        self._plans.append(plan_of(self._planned.assistant.spec))
        if (lead := self._planned.lead) is not None:
            body = {LEAD: lead_of(lead, keeps_words=self._keeps_words), PLANS: list(self._plans)}
            self._writer.change(call_id, wall_ms, body)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        sums = self._usage.setdefault(provider, {})
        for name in Usage.__dataclass_fields__:
            if isinstance(amount := getattr(usage, name), int) and amount:
                sums[name] = sums.get(name, 0) + amount

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        if len(self._failures) < MAX_FAILURES:
            self._failures.append({"provider": provider, "code": code})

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        wall_ms = now_ms + self._wall_offset_ms
        words = self._words_for(reason, self._record.type)
        self._writer.change(
            call_id, wall_ms, {**self._kept(), "endReason": str(reason)}, status="ended", ended_wall_ms=wall_ms, ended_reason=words
        )  # fmt: skip
        self._on_ended(call_id)

    def _kept(self) -> Mapping[str, Any]:
        said = self.said()
        return said if self._keeps_words else {**said, "history": []}

    def said(self) -> Mapping[str, Any]:
        """What the record's body says of the call so far: ``history`` (see ``history``), ``usage`` (provider: amounts, by the names of
        ``Usage``), ``failures``, and ``leads`` (the assistants that led it, where there was more than one)."""
        said: dict[str, Any] = {
            "history": list(self._history.entries) if self._history is not None else [],
            "usage": self._usage,
            "failures": self._failures,
        }
        if self._history is not None and self._history.truncated:
            said["historyTruncated"] = True
        if self._history is not None and self._history.leads:
            said["leads"] = list(self._history.leads)
        return said
