"""One call over WebRTC: between its leg, which carries sound and events, and the Realtime session behind it.

answered ──▶ connected ──▶ channel open: the conversation begins ──▶ over
"""

from __future__ import annotations

import asyncio

import orjson
import structlog

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.protocol.beta import to_beta
from antiphon.surfaces.realtime.protocol.fitting import fitted
from antiphon.transports.base import LostReason
from antiphon.transports.webrtc.base import WebRtcLeg
from antiphon.vocabulary import EndReason

CHANNEL_WAIT_S = 3.0
"""A client that announced an event channel usually opens it with the next packets. Whoever does not is talked to without."""
log = structlog.get_logger(__name__)


class BrowserCall:
    """A ``LegListener``, and the ``Controller`` behind the call's event channel: the session's primary one."""

    def __init__(self, session: RealtimeSession, *, beta: bool = False, key_id: str = "") -> None:
        """``session`` is not started yet. ``beta``: the client speaks the older dialect. ``key_id`` is the private key behind it."""
        self._session = session
        self._beta = beta
        self._key_id = key_id
        self._leg: WebRtcLeg | None = None
        self._channel_timer: asyncio.TimerHandle | None = None

    def begin(self, leg: WebRtcLeg) -> None:
        """This is the leg; called right after the answer, before anything has arrived. From now on the session can be joined, and what
        is said to the client waits in the leg until its channel is open."""
        self._leg = leg
        self._session.attach(self, primary=True, key_id=self._key_id)

    # What the leg tells (LegListener).

    def connected(self) -> None:
        if self._attached_leg.max_event_bytes:
            self._channel_timer = asyncio.get_running_loop().call_later(CHANNEL_WAIT_S, self._start)
        else:
            self._start()

    def channel_opened(self, label: str) -> None:
        """Not before this does the agent speak: the client could change neither its voice nor its words any more."""
        self._start()

    def message(self, text: str) -> None:
        self._session.receive(self, text.encode(), beta=self._beta)

    def closed(self, reason: LostReason) -> None:
        self._stop_waiting()
        self._session.detach(self)
        # The core has been told by the leg, as its sink; a session that has none yet is ended here.
        self._session.end(EndReason.TRANSPORT_LOST)

    # What the session says (Controller).

    def send(self, event: bytes) -> None:
        leg = self._attached_leg
        if not leg.max_event_bytes:
            return
        if self._beta:
            translated = to_beta(orjson.loads(event))
            if translated is None:
                return
            event = orjson.dumps(translated)
        fitting = fitted(event, leg.max_event_bytes)
        if fitting is None:
            log.warning("realtime_event_too_large", call_id=self._session.call_id, size_bytes=len(event))
        else:
            leg.send_event(fitting.decode())

    def hold(self, held: bool) -> None:
        """Events of the channel are short, and few wait in the leg: it goes on taking them."""

    def close(self, code: int, reason: str) -> None:
        self._stop_waiting()
        self._attached_leg.close(code, reason)

    # The conversation.

    @property
    def _attached_leg(self) -> WebRtcLeg:
        assert self._leg is not None, "nothing happens before begin()"
        return self._leg

    def _start(self) -> None:
        self._stop_waiting()
        session, leg = self._session, self._attached_leg
        if session.ended or session.core is not None:
            return
        try:
            leg.listen(session.start(_Playout(leg), leg.format_in, leg.format_out))
        except (CapacityError, ProviderError, ConfigurationError) as error:
            log.warning("realtime_session_refused", session_id=session.id, code=error.code)
            session.fail()

    def _stop_waiting(self) -> None:
        if self._channel_timer is not None:
            self._channel_timer.cancel()
            self._channel_timer = None


class _Playout:
    """The leg as the core's ``CallTransport``, but for its end: that comes when the session has said its last events."""

    marks = False
    paced = True

    def __init__(self, leg: WebRtcLeg) -> None:
        self._leg = leg
        self.send_audio = leg.send_audio
        self.send_mark = leg.send_mark
        self.clear = leg.clear
        self.unsent_bytes = leg.unsent_bytes

    def close(self, code: int = 1000, reason: str = "") -> None:
        """``BrowserCall.close`` follows in the same moment."""
        self._leg.clear()
