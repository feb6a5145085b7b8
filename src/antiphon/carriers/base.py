"""The contract of a telephone carrier: what it offers besides media."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """A call to place."""

    call_id: str
    """Our public id, minted before dialling: the idempotency key of this dial."""
    to: str
    from_: str
    assistant: str
    ring_timeout_s: int = 60


class CallControl(Protocol):
    """The carrier's REST side. Every method has a timeout, runs off the media path, and raises ProviderError."""

    async def start(self, call: OutboundCall) -> str:
        """Dial. Returns the carrier's call id. Never dials twice for one ``call_id``."""
        ...

    async def transfer(self, provider_call_id: str, destination: str) -> None:
        """Hand the caller to a number or SIP URI; the media stream ends by this."""
        ...

    async def hang_up(self, provider_call_id: str) -> None:
        """End the call. A call that has already ended is a success."""
        ...

    async def close(self) -> None:
        """Free the HTTP client."""
        ...
