"""Errors in OpenAI's shape, bounded bodies, and which pages may ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from antiphon.errors import CapacityError
from antiphon.surfaces.http.application import application
from antiphon.surfaces.realtime import http
from antiphon.surfaces.realtime.http import PREFIX, HttpError, RealtimeCors, post, read_object
from antiphon.surfaces.realtime.protocol.errors import missing
from antiphon.transports import http_body
from antiphon.transports.http_body import read_body


def client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://voice.example")


def app_with(origins: list[str] | None = None) -> Starlette:
    """Routes that read, raise, or echo."""
    raised = {
        "http": HttpError(409, "Already answered.", "call_answered", param="call_id"),
        "client": missing("session.type"),
        "full": CapacityError("full"),
        "draining": CapacityError("draining"),
        "starlette": HTTPException(415, "Not that."),
        "bug": KeyError("a secret word"),
    }

    async def fail(request: Request) -> Response:
        raise raised[request.path_params["kind"]]

    async def echo(request: Request) -> Response:
        return JSONResponse(await read_object(request))

    async def length(request: Request) -> Response:
        return JSONResponse(len(await read_body(request, 1000)))

    async def elsewhere(request: Request) -> Response:
        return PlainTextResponse("private")

    routes = [
        *post("/raise/{kind}", fail),
        *post("/object", echo),
        *post("/body", length),
        Route("/elsewhere", elsewhere),
    ]
    return application(routes, [Middleware(RealtimeCors, origins=origins or ["*"])])


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("http", 409, {"message": "Already answered.", "type": "invalid_request_error", "param": "call_id", "code": "call_answered"}),
        ("client", 400, {"message": "Missing required parameter: 'session.type'.", "type": "invalid_request_error",
                         "param": "session.type", "code": "missing_required_parameter"}),
        ("full", 503, {"message": "The server is full and takes no new session.", "type": "server_error",
                       "param": None, "code": "server_full"}),
        ("draining", 503, {"message": "The server is shutting down and takes no new session.", "type": "server_error",
                           "param": None, "code": "server_draining"}),
        ("starlette", 415, {"message": "Not that.", "type": "invalid_request_error", "param": None, "code": None}),
    ],
)  # fmt: skip
async def test_what_a_handler_raises_is_answered_in_openai_s_shape(
    kind: str, status: int, error: dict[str, Any]
) -> None:
    async with client(app_with()) as asking:
        answer = await asking.post(f"{PREFIX}/raise/{kind}")
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert answer.headers["content-type"] == "application/json"


async def test_a_bug_of_ours_is_logged_and_tells_nothing() -> None:
    async with client(app_with()) as asking:
        with structlog.testing.capture_logs() as logs:
            answer = await asking.post(f"{PREFIX}/raise/bug")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert "secret word" not in answer.text
    assert [(entry["event"], entry["error_type"]) for entry in logs] == [("realtime_request_failed", "KeyError")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"", 200, None), (b" \n", 200, None), (b'{"a": 1}', 200, None), (b"{", 400, "invalid_json"), (b"NaN", 400, "invalid_json"),
     (b"[]", 400, "invalid_type"), (b"null", 400, "invalid_type"), (b"[" * 100_000, 400, "invalid_json"),
     (b'{"a": "\xff"}', 400, "invalid_json"), (b'{"a": "' + b"x" * http.MAX_BODY_BYTES + b'"}', 413, "request_too_large")],
)  # fmt: skip
async def test_bodies_are_json_objects_of_bounded_size(body: bytes, status: int, code: str | None) -> None:
    async with client(app_with()) as asking:
        answer = await asking.post(f"{PREFIX}/object", content=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error", {}).get("code") == code


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "BODY_TIMEOUT_S", 0.01)
    never = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"x"
        await never.wait()

    # httpx's own transport reads the whole body first, so the application is asked directly.
    sent: list[Any] = []
    body = stalling()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(body), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"{PREFIX}/body", "raw_path": b"", "query_string": b"", "headers": [],
             "root_path": "", "scheme": "http", "server": ("x", 80), "client": ("x", 1), "http_version": "1.1"}  # fmt: skip
    await app_with()(scope, receive, send)
    assert sent[0]["status"] == 408
    await body.aclose()


# ------------------------------------------------------------------------------------------------ pages


def preflight(origin: str, headers: str = "authorization,content-type,x-openai-agents-sdk") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }


async def test_a_browser_may_ask_and_read_the_call_s_location() -> None:
    async with client(app_with()) as asking:
        allowed = await asking.options(f"{PREFIX}/object", headers=preflight("https://shop.example"))
        answer = await asking.post(f"{PREFIX}/object", headers={"Origin": "https://shop.example"})
        error = await asking.post(f"{PREFIX}/raise/full", headers={"Origin": "https://shop.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    for header in ("authorization", "content-type", "x-openai-agents-sdk"):
        assert header in allowed.headers["access-control-allow-headers"].lower()
    for readable in (answer, error):
        assert readable.headers["access-control-allow-origin"] == "*"
        assert "Location" in readable.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_only_pages_of_the_named_origins_may_ask() -> None:
    async with client(app_with(["https://shop.example"])) as asking:
        allowed = await asking.options(f"{PREFIX}/object", headers=preflight("https://shop.example"))
        refused = await asking.options(f"{PREFIX}/object", headers=preflight("https://evil.example"))
        unread = await asking.post(f"{PREFIX}/object", headers={"Origin": "https://evil.example"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert refused.status_code == 400
    for answer in (refused, unread):
        assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in unread.headers["vary"]


async def test_no_other_path_is_opened_to_pages() -> None:
    async with client(app_with()) as asking:
        for path in ("/elsewhere", f"{PREFIX}-not"):
            answer = await asking.get(path, headers={"Origin": "https://shop.example"})
            assert "access-control-allow-origin" not in answer.headers
        assert (await asking.options("/elsewhere", headers=preflight("https://shop.example"))).status_code == 405
