"""Twilio, put together: what the composition root builds and the rest of the server uses."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import Route

from antiphon.carriers.base import OnCallAnswered
from antiphon.carriers.twilio import webhook
from antiphon.carriers.twilio.control import TwilioControl
from antiphon.carriers.twilio.gate import MediaGate
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.token import StreamTokens
from antiphon.carriers.twilio.webhook import OnCallStatus
from antiphon.transports.base import CallAcceptor
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch


class TwilioCarrier:
    """Webhooks, media sockets and call control of one Twilio account, sharing one secret."""

    def __init__(
        self,
        settings: TwilioSettings,
        acceptor: CallAcceptor,
        watch: SocketWatch,
        on_call_status: OnCallStatus = lambda changed: None,
        on_answered: OnCallAnswered = lambda answered: None,
    ) -> None:
        tokens = StreamTokens(settings.secret("stream-token"), settings.token_ttl_ms)
        self.routes: list[Route] = webhook.routes(settings, acceptor, tokens, watch.clock, on_call_status, on_answered)
        self.gate = MediaGate(settings, acceptor, tokens, watch)
        self.control = TwilioControl(settings, watch.clock)
        self._media_path = settings.media_path

    @property
    def anomalies(self) -> Mapping[str, int]:
        """What was wrong with messages on media sockets so far, by label."""
        return self.gate.anomalies.counts

    def add_media_routes(self, routes: MediaRoutes) -> None:
        """Let media sockets in."""
        routes.add(self._media_path, self.gate.on_upgrade)

    async def close(self) -> None:
        """Free the HTTP client. Calls are ended by their sessions."""
        await self.control.close()
