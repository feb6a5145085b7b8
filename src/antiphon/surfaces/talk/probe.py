"""What a visitor's connection check asks of the server: whether sound reaches it over UDP, and whether its relay lets it in.

A probe is a WebRTC connection that carries no call: no session, no engine. It ends by itself.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from antiphon.clock import Clock
from antiphon.errors import CapacityError
from antiphon.transports.base import LostReason
from antiphon.transports.webrtc.base import WebRtcEngine, WebRtcLeg
from antiphon.transports.webrtc.relay import RelayState, check_relay
from antiphon.transports.webrtc.settings import TurnServer

MAX_PROBES = 4
"""At once: each takes a leg from those who want to talk."""
PROBE_S = 10.0
"""A connection is found within this time, or there is none."""
_RELAY_KEPT_MS = 30_000
"""Whoever presses the button again and again does not make us press the relay's."""


class Probing(Protocol):
    """What the routes need of a probe."""

    async def answer(self, offer_sdp: str) -> str:
        """The answer; the connection comes and goes by itself. Raises InvalidOffer, CapacityError, ProviderUnavailable."""
        ...

    async def relay(self) -> RelayState:
        """How the server stands with its TURN server."""
        ...


class ConnectionProbe:
    """One per process."""

    def __init__(self, engine: WebRtcEngine, turn: TurnServer | None, clock: Clock) -> None:
        self._engine = engine
        self._turn = turn
        self._clock = clock
        self._probes: set[_Probe] = set()
        self._answering = 0
        self._relay: tuple[RelayState, int] | None = None
        self._asking = asyncio.Lock()

    async def answer(self, offer_sdp: str) -> str:
        if len(self._probes) + self._answering >= MAX_PROBES:
            raise CapacityError("full")
        probe = _Probe(self._probes)
        self._answering += 1
        try:
            answer, leg = await self._engine.answer(offer_sdp, probe)
        finally:
            self._answering -= 1
        probe.begin(leg)
        return answer

    async def relay(self) -> RelayState:
        if self._turn is None:
            return "none"
        async with self._asking:
            now_ms = self._clock.now_ms()
            if self._relay is None or now_ms - self._relay[1] >= _RELAY_KEPT_MS:
                self._relay = (await check_relay(self._turn), now_ms)
            return self._relay[0]


class _Probe:
    """A ``LegListener`` that only waits for the end."""

    def __init__(self, live: set[_Probe]) -> None:
        self._live = live
        self._leg: WebRtcLeg | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, leg: WebRtcLeg) -> None:
        self._leg = leg
        self._live.add(self)
        self._timer = asyncio.get_running_loop().call_later(PROBE_S, self._end)

    def connected(self) -> None:
        """The browser sees that by itself, and closes."""

    def channel_opened(self, label: str) -> None:
        """As ``connected``."""

    def message(self, text: str) -> None:
        """There is nothing to say."""

    def closed(self, reason: LostReason) -> None:
        self._forget()

    def _end(self) -> None:
        if self._leg is not None:
            self._leg.close()
        self._forget()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._live.discard(self)
