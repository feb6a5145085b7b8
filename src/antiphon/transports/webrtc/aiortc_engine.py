"""The embedded engine: aiortc's ICE (aioice), DTLS and SCTP, PyAV's Opus, our own RTP and playout.

Of aiortc itself only the transports below the media are used. Its RTP receiver keeps a thread for each call, waits for five packets
before it plays one, and each lost packet adds to that delay for good (up to 320 ms; aiortc's issue 543); its sender encodes stereo at
96 kbit/s and hands each frame over to another thread by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from antiphon.errors import CapacityError, ProviderUnavailable
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.base import LegListener, WebRtcLeg
from antiphon.transports.webrtc.sdp import parse_offer
from antiphon.transports.webrtc.settings import WebRtcSettings

if TYPE_CHECKING:
    from antiphon.transports.webrtc.leg import Leg
    from antiphon.transports.webrtc.pacer import Pacer

log = structlog.get_logger(__name__)


class AiortcEngine:
    """A ``WebRtcEngine``. Everything heavy (aiortc, PyAV: 0.4 s, 40 MB) is imported by ``start``, or for the first leg
    where nobody started it."""

    def __init__(self, settings: WebRtcSettings, watch: SocketWatch) -> None:
        """``watch`` looks after the legs, as after media sockets, and has the clock."""
        self.anomalies: Counter[str] = Counter()
        """What was odd on legs that are gone."""
        self._settings = settings
        self._watch = watch
        self._legs: set[Leg] = set()
        self._answering = 0
        self._make: type[Leg] | None = None
        self._pacer: Pacer | None = None
        self._loading = asyncio.Lock()
        self._closed = False

    @property
    def legs(self) -> int:
        return len(self._legs) + self._answering

    async def start(self) -> None:
        async with self._loading:
            if self._make is None:
                self._make, pacer = await asyncio.to_thread(_load)
                self._pacer = pacer(self._watch.clock)

    async def answer(self, offer_sdp: str, listener: LegListener) -> tuple[str, WebRtcLeg]:
        offer = parse_offer(offer_sdp)
        if self._closed:
            raise CapacityError("draining")
        if self.legs >= self._settings.max_legs:
            raise CapacityError("full")
        self._answering += 1
        try:
            await self.start()
        finally:
            self._answering -= 1
        if self._closed:  # meanwhile: nobody would end this leg
            raise CapacityError("draining")
        assert self._make is not None and self._pacer is not None
        leg = self._make(offer, self._settings, self._watch.clock, listener, self._gone)
        self._legs.add(leg)
        self._watch.add(leg)
        self._pacer.add(leg)
        try:
            return await leg.answer(), leg
        except BaseException:
            # No port was free, or whoever asked has gone away: nobody will ever hear of this leg.
            leg.close()
            raise

    async def close(self) -> None:
        self._closed = True
        for leg in tuple(self._legs):
            leg.close()
        await asyncio.gather(*(leg.closed() for leg in tuple(self._legs)))
        if self._pacer is not None:
            await self._pacer.close()

    def _gone(self, leg: Leg) -> None:
        self._legs.discard(leg)
        self._watch.discard(leg)
        if self._pacer is not None:
            self._pacer.discard(leg)
        self.anomalies.update(leg.anomalies)


def _load() -> tuple[type[Leg], type[Pacer]]:
    """Import what is heavy. Raises ProviderUnavailable."""
    try:
        from antiphon.transports.webrtc.leg import Leg
        from antiphon.transports.webrtc.opus import library_path
        from antiphon.transports.webrtc.pacer import Pacer
    except ImportError as error:
        raise ProviderUnavailable("webrtc", f"needs aiortc: install antiphon[webrtc] ({error.name})") from None
    library_path()
    # They log addresses, candidates and whole session descriptions. What matters of a leg we log ourselves.
    for name in ("aioice", "aiortc", "libav"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Leg, Pacer
