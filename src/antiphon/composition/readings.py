"""What metrics and operators read of one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from antiphon import __version__
from antiphon.carriers.registry import Carrier
from antiphon.files import free_bytes
from antiphon.media.beat import BEAT_MS
from antiphon.media.plane import MediaPlane
from antiphon.session.admission import Load
from antiphon.session.effort import ThreadEffort
from antiphon.session.manager import SessionManager
from antiphon.transports.connections import Connections
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.base import WebRtcEngine

_BEATS_A_SECOND = 1000 // BEAT_MS


class LoadGauge:
    """How busy the event loop's thread is, and how late the beat."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane
        self._effort: ThreadEffort | None = None

    def load(self) -> Load:
        """Asked on the event loop's thread, whose effort it is."""
        now_ns = time.monotonic_ns()
        if self._effort is None:
            self._effort = ThreadEffort(now_ns)
        lateness_ms = self._plane.beat.lateness_ms
        second = sorted(islice(reversed(lateness_ms), _BEATS_A_SECOND))
        late_ms = second[_BEATS_A_SECOND * 9 // 10] if len(second) == _BEATS_A_SECOND else 0.0
        return Load(self._effort.share(now_ns), late_ms)


class Readings:
    """Numbers of the rooms, under the names that metrics give them."""

    def __init__(
        self,
        manager: SessionManager,
        plane: MediaPlane,
        watch: SocketWatch,
        connections: Connections,
        webrtc: WebRtcEngine,
        telephone: Carrier | None,
        data_dir: Path,
        open_workers: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._plane = plane
        self._watch = watch
        self._connections = connections
        self._webrtc = webrtc
        self._telephone = telephone
        self._data_dir = data_dir
        self._open_workers = open_workers

    def status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "calls": self._manager.live,
            "draining": self._manager.draining,
            "beats": self._plane.beat.beats,
            "tasks": len(asyncio.all_tasks()),
        }

    def gauges(self) -> Mapping[str, float]:
        late = sorted(self._plane.beat.lateness_ms)
        return {
            "live_calls": self._manager.live,
            "media_sockets": len(self._watch),
            "event_loop_busy_share": self._manager.admission.busy,
            "overloaded": float(self._manager.admission.closed),
            "webrtc_legs": self._webrtc.legs,
            "http_connections": len(self._connections),
            "large_message_bytes": self._connections.memory.taken_bytes,
            "beat_lateness_p99_seconds": late[int(len(late) * 0.99)] / 1000 if late else 0.0,
            "data_disk_free_bytes": self._free_bytes(),
            "open_workers": self._open_workers(),
        }

    def counters(self) -> Mapping[str, float]:
        plane = self._plane
        hearing, mouth = plane.hearing_counters, plane.mouth_counters
        return {
            "beats": plane.beat.beats,
            "late_beats_skipped": plane.beat.skipped,
            "beat_failures": plane.beat.failures + plane.cut_out,
            "audio_gaps": hearing.gaps,
            "audio_concealed_seconds": hearing.concealed_ms / 1000,
            "audio_time_jumps": hearing.jumps,
            "early_audio_dropped_seconds": hearing.early_dropped_ms / 1000,
            "audio_backlog_dropped_seconds": hearing.backlog_dropped_ms / 1000,
            "echo_windows": hearing.echo_windows,
            "dead_reply_audio_dropped_seconds": mouth.dropped_dead_ms / 1000,
            "overlong_reply_audio_dropped_seconds": mouth.dropped_overflow_ms / 1000,
            "marks_missing": mouth.late_marks,
            "media_anomalies": sum(self._telephone.anomalies.values()) if self._telephone else 0,
            "recording_blocks_lost": plane.recordings.lost_blocks,
            "recordings_failed": plane.recordings.failed_files,
            **self._connections.counts,
        }

    def _free_bytes(self) -> float:
        try:
            return free_bytes(self._data_dir)
        except OSError:
            return 0.0  # a disk that cannot be asked is one to look after, and zero is what alerts stand on
