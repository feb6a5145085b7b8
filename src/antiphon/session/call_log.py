"""A call's event log that may fail: what the disk refuses costs the log, never the call, and is told once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.files import reason
from antiphon.losses import Losses
from antiphon.session.event_log import EventLogWriter, LogHeader
from antiphon.vocabulary import EndReason, Usage

_BROKEN_OFF = "it breaks off: a line could not be written, or the disk refused too many"


class CallLog:
    """Takes what an ``EventLogWriter`` takes, and keeps nothing before ``open`` and after ``close``."""

    def __init__(self, call_id: str, losses: Losses) -> None:
        self._call_id = call_id
        self._losses = losses
        self._writer: EventLogWriter | None = None
        self._is_broken = False

    def open(self, path: Path, header: LogHeader) -> None:
        try:
            self._writer = EventLogWriter(path, header)
        except OSError as error:
            self._broke(reason(error))
        self.flush()

    def append(self, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        if self._writer is not None:
            self._writer.append(now_ms, event, actions)

    def note_usage(self, now_ms: int, provider: str, usage: Usage) -> None:
        if self._writer is not None:
            self._writer.note_usage(now_ms, provider, usage)

    def note_failure(self, now_ms: int, provider: str, code: str) -> None:
        if self._writer is not None:
            self._writer.note_failure(now_ms, provider, code)

    def note_recording(self, now_ms: int, *, paused: bool) -> None:
        if self._writer is not None:
            self._writer.note_recording(now_ms, paused=paused)

    def flush(self) -> None:
        """Hand it to the operating system."""
        writer = self._writer
        if writer is None:
            return
        try:
            writer.flush()
        except OSError as error:  # kept for the next time
            self._losses.tell("event_log_waits", self._call_id, call_id=self._call_id, problem=reason(error))
        if writer.broken:
            self._broke(_BROKEN_OFF)

    def close(self, end: EndReason) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close(end)
        except OSError as error:
            self._broke(reason(error))
        else:
            if writer.broken:
                self._broke(_BROKEN_OFF)

    def _broke(self, problem: str) -> None:
        """It does not hold the whole call."""
        if not self._is_broken:
            self._is_broken = True
            self._losses.count("event_logs_broken")
            self._losses.tell("event_log_failed", self._call_id, call_id=self._call_id, problem=problem)
