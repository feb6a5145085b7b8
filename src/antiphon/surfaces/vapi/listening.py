"""Sockets of those who listen to a live call: both sides as 16-bit stereo PCM, a fifth of a second at a time, announced by a ``start``
message. A listener who is slow misses something; the call never notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson

from antiphon.media.overhearing import Overhearing
from antiphon.transports.base import LostReason
from antiphon.transports.listener import MediaSocket, SocketLimits
from antiphon.transports.watch import SocketWatch

EVERY_S = 0.2
MAX_UNSENT_BYTES = 256 * 1024
"""Behind by so much, a listener is left out until it has caught up: four seconds of 16 kHz."""
LIMITS = SocketLimits(max_message_bytes=4096, max_unsent_bytes=2 * 1024 * 1024, write_stall_ms=20_000)
PING_AFTER_MS = 10_000
GONE_AFTER_MS = 30_000


class Listeners:
    """All listeners of this process, on one timer that runs while there is one."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._sockets: set[ListenSocket] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: ListenSocket) -> None:
        self._sockets.add(socket)
        if self._timer is None:
            self._arm()

    def discard(self, socket: ListenSocket) -> None:
        self._sockets.discard(socket)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_ms = self.now_ms()
        for socket in tuple(self._sockets):
            socket.hand_over(now_ms)
        if self._sockets:
            self._arm()


class ListenSocket(MediaSocket):
    """One listener."""

    LIMITS = LIMITS

    __slots__ = ("_heard", "_listeners", "_lives", "_overhear", "_pinged_at_ms")

    def __init__(
        self,
        watch: SocketWatch,
        listeners: Listeners,
        overhear: Callable[[], Overhearing | None],
        lives: Callable[[], bool],
    ) -> None:
        """``overhear`` begins to listen, once the socket is open; None where the call is over by then. ``lives``: whether it goes on."""
        super().__init__(watch)
        self._listeners = listeners
        self._overhear = overhear
        self._lives = lives
        self._heard: Overhearing | None = None
        self._pinged_at_ms = 0

    def opened(self) -> None:
        self._heard = self._overhear()
        if self._heard is None:
            self.close(1000, "the call is over")
            return
        start = {
            "type": "start",
            "encoding": "linear16",
            "container": "raw",
            "sampleRate": self._heard.rate_hz,
            "channels": 2,
        }
        self.send_text(orjson.dumps(start))
        self._listeners.add(self)

    def hand_over(self, now_ms: int) -> None:
        """What was said since the last time."""
        if self._heard is None:
            return
        audio = self._heard.take(now_ms)
        if self.unsent_bytes() <= MAX_UNSENT_BYTES:
            self.send_binary(audio)
        if not self._lives():
            self._listeners.discard(self)
            self.close(1000, "the call is over")

    def text(self, payload: bytes) -> None:
        """Who listens has nothing to say."""

    def binary(self, payload: bytes) -> None:
        """Who listens has nothing to say."""

    def tick(self, now_ms: int, silent_ms: int) -> None:
        if silent_ms >= GONE_AFTER_MS:
            self.stall()
        elif silent_ms >= PING_AFTER_MS and now_ms - self._pinged_at_ms >= PING_AFTER_MS:
            self._pinged_at_ms = now_ms
            self.ping()

    def lost(self, reason: LostReason) -> None:
        self._listeners.discard(self)

    def gone(self) -> None:
        self._listeners.discard(self)
        self._heard = None
