from __future__ import annotations

import pytest

from antiphon.carriers import registry
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.clock import ManualClock
from antiphon.errors import ConfigurationError
from antiphon.transports.base import CallSink, CallStarted, CallTransport
from antiphon.transports.socket import MediaRoutes
from antiphon.transports.watch import SocketWatch


class NoCalls:
    def require_room(self) -> None: ...

    def admit(self) -> None:
        raise AssertionError("nobody calls")

    def accept(self, started: CallStarted, transport: CallTransport) -> CallSink:
        raise AssertionError("nobody calls")


async def test_twilio_by_name() -> None:
    settings = TwilioSettings("https://voice.example.com", auth_token="not-a-real-token")
    carrier = registry.build("twilio", settings, NoCalls(), SocketWatch(ManualClock()))
    routes = MediaRoutes()
    carrier.add_media_routes(routes)
    assert routes.find("/twilio/media") is not None
    assert {route.path for route in carrier.routes} >= {
        "/twilio/voice",
        "/twilio/call-status",
        "/twilio/answered-by",
    }
    await carrier.close()


def test_an_unknown_one_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="twilio"):
        registry.build("carrier-pigeon")
