"""Carriers by name: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.routing import Route

from antiphon.carriers.base import CallControl
from antiphon.carriers.twilio.carrier import TwilioCarrier
from antiphon.errors import ConfigurationError
from antiphon.transports.socket import MediaRoutes


class Carrier(Protocol):
    """A telephone company, ready to serve."""

    @property
    def routes(self) -> list[Route]:
        """Its webhooks."""
        ...

    @property
    def control(self) -> CallControl:
        """Its REST side."""
        ...

    @property
    def anomalies(self) -> Mapping[str, int]:
        """What was wrong with messages on its media sockets so far: how often, by a short stable label."""
        ...

    def start(self) -> None:
        """Open what it keeps, before the first call. What cannot be had is told, and does not stop the start."""
        ...

    def add_media_routes(self, routes: MediaRoutes) -> None:
        """Register its media sockets."""
        ...

    async def close(self) -> None:
        """Free everything within a few seconds."""
        ...


CARRIERS: Mapping[str, Callable[..., Carrier]] = {
    "twilio": TwilioCarrier,  # (TwilioSettings, CallAcceptor, SocketWatch, on_call_status, on_answered)
}


def build(name: str, *arguments: Any, **options: Any) -> Carrier:
    """A carrier by its registry name. Raises ConfigurationError where there is none of it."""
    factory = CARRIERS.get(name)
    if factory is None:
        raise ConfigurationError("carrier", f"must be one of {', '.join(sorted(CARRIERS))}")
    return factory(*arguments, **options)
