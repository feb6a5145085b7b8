"""The contract between a WebRTC engine and the surface that answers browsers, so that another engine can take aiortc's place.

A surface hands an offer to ``WebRtcEngine.answer`` and gets the answer and a leg. The leg is the session's ``CallTransport``; beside
audio it carries text events on one data channel, which the client opens.
"""

from __future__ import annotations

from typing import Protocol

from antiphon.errors import ProtocolError
from antiphon.transports.base import CallSink, CallTransport, LostReason
from antiphon.vocabulary import AudioFormat


class InvalidOffer(ProtocolError):
    """The offer cannot be answered. ``problem`` says what is missing, in words of ours: nothing of the offer is repeated."""

    code = "invalid_offer"

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class EventTooLarge(ProtocolError):
    """The far side takes no message of this size (its ``a=max-message-size``): send a shorter one. Nothing was sent."""

    code = "event_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{size_bytes} bytes, at most {limit_bytes} are taken")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class LegListener(Protocol):
    """What a leg tells its owner, on the event loop. An exception of the listener's ends this leg and nothing else."""

    def connected(self) -> None:
        """Keys are agreed: audio may flow. Once."""
        ...

    def channel_opened(self, label: str) -> None:
        """The client has opened the event channel: what was sent before is on its way. Once."""
        ...

    def message(self, text: str) -> None:
        """One text message from the event channel, at most 1 MiB."""
        ...

    def closed(self, reason: LostReason) -> None:
        """The leg is gone, not by ``close``. At most once, after the sink was told. ``reason`` is one of ``hangup`` (the client closed
        it), ``reset`` (the connection broke), ``stalled`` (it never connected, nothing arrived for too long, or events are not read),
        ``violation`` (it broke a protocol)."""
        ...


class WebRtcLeg(CallTransport, Protocol):
    """One browser. ``marks`` is false, ``paced`` true. After ``close`` every method does nothing."""

    format_in: AudioFormat
    """Of what the sink gets."""
    format_out: AudioFormat
    """Of what ``send_audio`` takes."""
    max_event_bytes: int
    """The largest event the far side takes, in UTF-8 bytes."""

    def listen(self, sink: CallSink) -> None:
        """From now on ``sink`` gets the audio, the keys and the end. Audio that came before is dropped and counted: none can have come
        when this is called right after ``answer``, because no keys are agreed yet."""
        ...

    def send_event(self, text: str) -> None:
        """One text message, in order and reliably; kept (bounded) until the client has opened the channel. A peer that does not read is
        found out: beyond the bound the leg ends as ``stalled``. Raises EventTooLarge."""
        ...

    def unsent_event_bytes(self) -> int:
        """Bytes of events that the network has not taken yet."""
        ...


class WebRtcEngine(Protocol):
    """One per process."""

    @property
    def legs(self) -> int:
        """How many legs there are, those that are being answered included."""
        ...

    async def start(self) -> None:
        """Load what takes long, so that neither the first caller waits for it nor those whose calls are live. Not needed.
        Raises ProviderUnavailable."""
        ...

    async def answer(self, offer_sdp: str, listener: LegListener) -> tuple[str, WebRtcLeg]:
        """The answer and the leg, which connects by itself. The offer may carry no ICE candidates; the answer carries all of ours.

        Raises InvalidOffer, CapacityError (full), ProviderUnavailable (the engine is not installed).
        """
        ...

    async def close(self) -> None:
        """End every leg and free everything, within a few seconds. Safe to call twice."""
        ...
