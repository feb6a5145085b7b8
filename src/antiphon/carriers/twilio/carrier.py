"""Twilio, put together: what the composition root builds and the rest of the server uses."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import Route

from antiphon.carriers.base import OnCallAnswered, PrepareCall
from antiphon.carriers.streams.token import SpendNonce, StreamTokens
from antiphon.carriers.twilio import webhook
from antiphon.carriers.twilio.authorizer import StreamAuthorizer
from antiphon.carriers.twilio.control import TwilioControl
from antiphon.carriers.twilio.ended import EndedCalls
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.carriers.twilio.webhook import CheckAssistant, OnCallStatus
from antiphon.losses import Losses
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
        check_assistant: CheckAssistant = lambda name: None,
        losses: Losses | None = None,
        prepare: PrepareCall | None = None,
        spend_nonce: SpendNonce | None = None,
    ) -> None:
        """``prepare`` decides who takes a call; None: the assistant of its URL, or the one of the settings. ``spend_nonce``: where there
        are other processes, spends stream tokens for all of them."""
        tokens = StreamTokens(settings.secret("stream-token"), settings.token_ttl_ms)
        self._losses = losses or Losses(watch.clock.now_ms)
        self._ended_calls = EndedCalls(settings.ended_calls_path, settings.replay_window_days, self._ended_call_unkept)
        self.authorizer = StreamAuthorizer(settings, acceptor, tokens, watch, self._ended_calls, spend_nonce)
        self.routes: list[Route] = webhook.routes(
            settings, acceptor, tokens, watch.clock, on_call_status, on_answered, self._ended_calls, self.authorizer.farewell_to,
            check_assistant, self._losses, prepare,
        )  # fmt: skip
        self.control = TwilioControl(settings, watch.clock)
        self._media_path = settings.media_path

    @property
    def anomalies(self) -> Mapping[str, int]:
        """What was wrong with messages on media sockets so far, by label."""
        return self.authorizer.anomalies.counts

    def start(self) -> None:
        """Before the first call."""
        self._ended_calls.start()

    def add_media_routes(self, routes: MediaRoutes) -> None:
        """Let media sockets in."""
        routes.add(self._media_path, self.authorizer.on_upgrade)

    def _ended_call_unkept(self, problem: str) -> None:
        self._losses.count("ended_calls_unkept")
        self._losses.tell("ended_calls_unkept", problem=problem)

    async def close(self) -> None:
        """Free the HTTP client and the table of ended calls. Calls are ended by their sessions."""
        self._ended_calls.close()
        await self.control.close()
