"""One beat for all legs: every 20 ms, the frames that are due are encoded together in one thread and sent.

One hand-over to the thread and back for all legs costs what stock aiortc pays for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from antiphon.clock import Clock
from antiphon.transports.webrtc.opus import FRAME_MS
from antiphon.transports.webrtc.outbound import Frame

_MAX_CATCH_UP = 3
"""Frames made up for at once after the loop was late. More would be a burst; what is older than that, time has gone over."""


class Paced(Protocol):
    """What the beat drives."""

    def beat(self, now_ms: int) -> None:
        """Every 20 ms or so: look after what waits for time to pass."""
        ...

    def next_frame(self, beat: int) -> Frame | None:
        """What is due at this beat."""
        ...

    def encode(self, frame: Frame) -> bytes:
        """In the encoder's thread."""
        ...

    def transmit(self, frame: Frame, opus: bytes) -> None:
        """On the event loop again."""
        ...

    def fail_ours(self, error: Exception) -> None:
        """Something of the above raised ``error``. Never raises."""
        ...


Job = tuple[Paced, Frame]


def _encode_all(jobs: Sequence[Job]) -> list[bytes | Exception]:
    """In the encoder's thread. One leg's failure is that leg's."""
    made: list[bytes | Exception] = []
    for leg, frame in jobs:
        try:
            made.append(leg.encode(frame))
        except Exception as error:
            made.append(error)
    return made


class Pacer:
    """Runs while there are legs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._legs: set[Paced] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opus")
        self._task: asyncio.Task[None] | None = None
        self._beat = clock.now_ms() // FRAME_MS
        self.skipped = 0
        """Beats that were not made up for."""

    def __len__(self) -> int:
        return len(self._legs)

    def add(self, leg: Paced) -> None:
        self._legs.add(leg)
        if self._task is None:
            self._beat = self._clock.now_ms() // FRAME_MS
            self._task = asyncio.get_running_loop().create_task(self._run(), name="webrtc-pacer")

    def discard(self, leg: Paced) -> None:
        """Safe to call twice."""
        self._legs.discard(leg)

    async def close(self) -> None:
        """Stop the beat and free the thread."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._thread.shutdown(wait=False)

    def due(self, now_ms: int) -> list[Job]:
        """The frames due between the last call and ``now_ms``."""
        beat = now_ms // FRAME_MS
        behind = beat - self._beat
        self.skipped += max(0, behind - _MAX_CATCH_UP)
        beats = range(beat - min(behind, _MAX_CATCH_UP) + 1, beat + 1)
        self._beat = beat
        jobs: list[Job] = []
        for leg in tuple(self._legs):
            try:
                leg.beat(now_ms)
                jobs += [(leg, frame) for frame in map(leg.next_frame, beats) if frame is not None]
            except Exception as error:
                leg.fail_ours(error)
        return jobs

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._legs:
            jobs = self.due(self._clock.now_ms())
            if jobs:
                self._transmit(jobs, await loop.run_in_executor(self._thread, _encode_all, jobs))
            now_ms = self._clock.now_ms()
            await asyncio.sleep(max(0, (self._beat + 1) * FRAME_MS - now_ms) / 1000)
        self._task = None

    def _transmit(self, jobs: Sequence[Job], made: Sequence[bytes | Exception]) -> None:
        for (leg, frame), opus in zip(jobs, made, strict=True):
            if isinstance(opus, Exception):
                leg.fail_ours(opus)
                continue
            try:
                leg.transmit(frame, opus)
            except Exception as error:
                leg.fail_ours(error)
