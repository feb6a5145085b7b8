"""The contract between a transport (a carrier's media socket, a browser leg) and the session behind it.

Both directions are plain method calls on the event loop, without awaiting: a transport hands what arrived to its
``CallSink``; the session speaks through the ``CallTransport``. Neither side may call after it has closed or been closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from antiphon.vocabulary import AudioFormat

Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call's media is here. Carriers build it from their own start message; nothing of it is trusted text."""

    provider: str
    """Registry name of the carrier or surface, e.g. ``twilio``."""
    call_id: str
    """Our public id."""
    assistant: str
    """Name or id of the assistant that takes the call."""
    provider_call_id: str = ""
    stream_id: str = ""
    caller: str = ""
    called: str = ""
    direction: Direction = "inbound"
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Custom parameters given when the call was set up."""
    format_in: AudioFormat = field(kw_only=True)
    format_out: AudioFormat = field(kw_only=True)


class CallTransport(Protocol):
    """What the session may do to the far side. Never blocks; after ``close`` every method does nothing."""

    marks: bool
    """Whether the far side reports playback by marks. Where not, a clock estimates it."""
    paced: bool
    """Whether the session must pace audio in real time (a phone or browser leg). Where the client owns playback, false."""

    def send_audio(self, audio: bytes) -> None:
        """Audio in ``format_out``, any whole number of samples."""
        ...

    def send_mark(self, name: str) -> None:
        """Ask to be told (``CallSink.mark``) when all audio sent before has been played, or flushed by ``clear``."""
        ...

    def clear(self) -> None:
        """Drop all audio sent and not yet played."""
        ...

    def unsent_bytes(self) -> int:
        """Bytes waiting in our process because the peer reads slowly."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the media connection. On a phone call the carrier goes on with the next TwiML verb."""
        ...


class CallSink(Protocol):
    """What a transport tells the session. Returns nothing and never raises for bad content: transports check content."""

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        """Audio in ``format_in``, any whole number of samples, in order.

        ``media_ms`` is the stream position of its first sample where the wire tells (else None): gaps show there.
        """
        ...

    def mark(self, name: str) -> None:
        """The far side has played (or flushed) everything sent before this mark."""
        ...

    def dtmf(self, digit: str) -> None:
        """One key: 0-9, *, #, A-D."""
        ...

    def closed(self, reason: str) -> None:
        """The connection is gone. ``reason`` is one of ``stop`` (the carrier said so), ``hangup`` (closed by the peer), ``reset``
        (lost), ``stalled`` (nothing arrived for too long), ``violation`` (closed by us for breaking the protocol)."""
        ...


class CallAcceptor(Protocol):
    """Given to carriers by the composition root: turns a started call into a live session."""

    def admit(self) -> None:
        """Whether a new call should be taken now: asked when it rings. Raises CapacityError (full, draining, or it would harm live
        calls)."""
        ...

    def require_room(self) -> None:
        """Whether a call that was let in can still be held: asked when its media comes. Raises CapacityError (full; or draining, and
        nobody is expected). A moment of overload is no reason any more: this caller has been told to come in."""
        ...

    def accept(self, started: CallStarted, transport: CallTransport) -> CallSink:
        """Start the session. Raises CapacityError, ConfigurationError (no such assistant)."""
        ...
