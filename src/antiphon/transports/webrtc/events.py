"""The event channel: aiortc's SCTP and data channels, with bounds on what a client may make us keep, and on what we keep for it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import Chunk, RTCSctpCapabilities, SackChunk

from antiphon.transports.base import LostReason
from antiphon.transports.webrtc.base import EventTooLarge
from antiphon.transports.webrtc.sdp import DataOffer
from antiphon.transports.webrtc.secure import SecureLink
from antiphon.transports.webrtc.settings import WebRtcSettings

LABEL = "oai-events"
"""What clients of the Realtime API call the channel."""
_MAX_CHANNELS = 8
_MAX_STREAMS = 64
_MAX_SCATTERED = 4096
"""Chunks that arrived ahead of a missing one: as many as the window holds of usual size, four times over."""
_WINDOW_SLACK_BYTES = 256 * 1024


class _Association(RTCSctpTransport):
    """aiortc's, which trusts the peer to keep the rules. Here a peer that breaks them ends its leg (and has the keys, so it is the
    caller)."""

    def __init__(self, link: SecureLink, on_violation: Callable[[str], None]) -> None:
        super().__init__(link)
        self._on_violation = on_violation
        self.received = 0
        """Packets of the peer's."""

    async def _handle_data(self, data: bytes) -> None:
        self.received += 1
        try:
            await super()._handle_data(data)
        except Exception as error:  # its reader is written for peers that keep to the protocol
            self._on_violation(type(error).__name__)
            return
        if (
            len(self._sack_misordered) > _MAX_SCATTERED
            or len(self._inbound_streams) > _MAX_STREAMS
            or self._advertised_rwnd < -_WINDOW_SLACK_BYTES
        ):
            self._on_violation("more than the window")

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        # Each gap names a range, and the reader walks through all of them.
        if sum(max(0, last - first) for first, last in chunk.gaps) > _MAX_SCATTERED:
            raise ValueError("acknowledges more than was ever sent")
        await super()._receive_sack_chunk(chunk)

    async def _send_chunk(self, chunk: Chunk) -> None:
        # Called by tasks and timers that nobody looks after. A connection that is gone is noticed elsewhere.
        try:
            await super()._send_chunk(chunk)
        except ConnectionError:
            return

    @property
    def idle(self) -> bool:
        """Whether all that was sent has been taken by the peer."""
        return not (self._data_channel_queue or self._outbound_queue or self._sent_queue)


class EventChannel:
    """One leg's. The client opens the channel; until then events wait here."""

    def __init__(
        self,
        link: SecureLink,
        offer: DataOffer,
        settings: WebRtcSettings,
        on_open: Callable[[str], None],
        on_message: Callable[[str], None],
        on_gone: Callable[[LostReason], None],
    ) -> None:
        """``on_gone(reason)``: ``hangup``, ``violation``, or ``stalled`` for a client that does not read. None of the three may raise."""
        self.max_event_bytes = offer.max_message_bytes
        self.anomalies: Counter[str] = Counter()
        """What was odd: ``foreign_channel``, ``binary_message``, ``sctp_violation``."""
        self._offer = offer
        self._settings = settings
        self._on_open = on_open
        self._on_message = on_message
        self._on_gone = on_gone
        self._association = _Association(link, self._violated)
        self._association.on("datachannel", self._opened)
        self._channel: RTCDataChannel | None = None
        self._early: deque[str] = deque()
        self._early_bytes = 0
        self._channels = 0

    @property
    def port(self) -> int:
        return self._association.port

    async def start(self) -> None:
        """Begin the association: the keys are agreed."""
        await self._association.start(RTCSctpCapabilities(maxMessageSize=self.max_event_bytes), self._offer.port)

    def send(self, text: str) -> None:
        """Raises EventTooLarge."""
        size = len(text.encode())
        if size > self.max_event_bytes:
            raise EventTooLarge(size, self.max_event_bytes)
        if self.unsent_bytes() + size > self._settings.max_unsent_event_bytes:
            self._on_gone("stalled")
        elif self._channel is not None:
            if self._channel.readyState == "open":
                self._channel.send(text)
        elif len(self._early) < self._settings.max_early_events:
            self._early.append(text)
            self._early_bytes += size
        else:
            self._on_gone("stalled")

    def unsent_bytes(self) -> int:
        """Bytes that SCTP has not taken, because the peer's window or the network's is full."""
        return self._early_bytes if self._channel is None else self._channel.bufferedAmount

    @property
    def received(self) -> int:
        """Packets from the client, so far."""
        return self._association.received

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way any more."""
        return self._association.idle

    async def stop(self) -> None:
        """Abort the association. Closing the channel alone would be gentler, but ``@openai/agents`` takes no notice of that: its session
        would seem alive until ICE gives up, ten seconds later."""
        self._association.remove_all_listeners()
        await self._association.stop()

    def _opened(self, channel: RTCDataChannel) -> None:
        self._channels += 1
        if self._channels > _MAX_CHANNELS:
            self._violated("too many channels")
            return
        if channel.label != LABEL or self._channel is not None:
            self.anomalies["foreign_channel"] += 1
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._received)
        channel.on("close", self._closed)
        early, self._early = self._early, deque()
        self._early_bytes = 0
        for text in early:
            channel.send(text)
        self._on_open(channel.label)

    def _received(self, message: Any) -> None:
        if isinstance(message, str):
            self._on_message(message)
        else:
            self.anomalies["binary_message"] += 1

    def _closed(self) -> None:
        """By the client: it has closed the channel or aborted the association, and cannot be talked to any more."""
        self._on_gone("hangup")

    def _violated(self, kind: str) -> None:
        self.anomalies["sctp_violation"] += 1
        self._on_gone("violation")
