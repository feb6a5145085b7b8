"""Which worker answers what."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.cluster.forwarding import HERE, Owner
from antiphon.transports.socket import UpgradeRequest
from antiphon.workers.paths import call_of, owner_of


def scope(method: str, path: str, **headers: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": named}


@pytest.mark.parametrize(
    ("method", "path", "owner"),
    [
        ("POST", "/call", Owner("new")),
        ("POST", "//call/web", Owner("new")),
        ("GET", "/call", Owner("rows")),
        ("GET", "/v2/call", Owner("rows")),
        ("GET", "/console/api/rest/call", Owner("rows")),
        ("DELETE", "/call", Owner("each")),
        ("DELETE", "/console/api/rest/call", Owner("each")),
        ("DELETE", "/call/c1", Owner("call", "c1")),
        ("GET", "/call/c1", Owner("call", "c1")),
        ("POST", "/call/c1/end", Owner("call", "c1")),
        ("POST", "/call/c1/token/control", Owner("call", "c1")),
        ("POST", "/v1/realtime/calls", Owner("new")),
        ("POST", "/v1/realtime", Owner("new")),
        ("POST", "/v1/realtime/client_secrets", HERE),
        ("POST", "/openai/v1/realtime/calls/rtc_1/hangup", Owner("call", "rtc_1")),
        ("GET", "/console/api/live/c1/events", Owner("call", "c1")),
        ("GET", "/console/api/live", Owner("all")),
        ("POST", "/console/api/rest/call", Owner("new")),
        ("GET", "/console/api/rest/assistant", HERE),
        ("GET", "/console/api/me", Owner("first")),
        ("GET", "/talk", Owner("first")),
        ("POST", "/twilio/voice/front-desk", Owner("form", "CallSid")),
        ("POST", "/twilio/voice?call_id=c1", Owner("call", "c1")),
        ("POST", "/twilio/call-status", Owner("form", "CallSid")),
        ("GET", "/metrics", Owner("all")),
        ("GET", "/readyz", Owner("free")),
        ("GET", "/assistant/a1", HERE),
        ("GET", "/", HERE),
    ],
)
def test_requests(method: str, path: str, owner: Owner) -> None:
    assert owner_of(scope(method, path)) == owner


def test_a_request_that_is_sent_again_goes_where_it_went() -> None:
    assert owner_of(scope("POST", "/call", idempotency_key="k1")) == Owner("new", "k1")


@pytest.mark.parametrize(
    ("path", "query", "call"),
    [
        ("/call/c1/token/transport", "", "c1"),
        ("/call/c1/token/listen", "", "c1"),
        ("/call/c1/media", "token=t", "c1"),
        ("/twilio/media/c1", "", "c1"),
        ("/twilio/media", "", ""),
        ("/v1/realtime", "call_id=rtc_1", "rtc_1"),
        ("/v1/realtime", "model=gpt-realtime", ""),
    ],
)
def test_sockets(path: str, query: str, call: str) -> None:
    assert call_of(UpgradeRequest(path, query, {})) == call
