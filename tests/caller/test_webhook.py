"""Ringing a server: signature, TwiML and refusals, over a real socket."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from twilio.request_validator import RequestValidator

from antiphon.caller import webhook as module
from antiphon.caller.webhook import (
    CallFailed,
    Identity,
    Stream,
    ask_webhook,
    checked_stream,
    handshake_headers,
    new_stream_ids,
    read_twiml,
)

TOKEN = "the-account-s-token"
IDS = new_stream_ids("AC" + "1" * 32)
CONNECT = b"""<?xml version="1.0" encoding="UTF-8"?>
<Response><!-- hello --><Say>Welcome</Say><Pause/><Connect><Stream url="wss://agent.example/media">
<Parameter name="token" value="a&amp;b"/></Stream></Connect><Hangup/></Response>"""


async def test_the_webhook_is_posted_and_signed_as_twilio_does(http_server: Any, client: httpx.AsyncClient) -> None:
    requests = []

    def answer(request: Any) -> tuple[int, bytes]:
        requests.append(request)
        return 200, CONNECT

    async with http_server(answer) as origin:
        identity = Identity("+15551110000", "+15552220000", IDS.account_sid, TOKEN)
        stream = await ask_webhook(client, f"{origin}/voice?tenant=7", identity, IDS)
    assert stream == Stream("wss://agent.example/media", {"token": "a&b"})
    request = requests[0]
    assert (request.method, request.path) == ("POST", "/voice?tenant=7")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form["CallSid"] == IDS.call_sid
    assert (request.form["From"], request.form["To"]) == ("+15551110000", "+15552220000")
    assert request.form["CallStatus"] == "ringing"
    signature = request.headers["x-twilio-signature"]
    assert RequestValidator(TOKEN).validate(f"{origin}/voice?tenant=7", request.form, signature)


async def test_without_a_token_nothing_is_signed(http_server: Any, client: httpx.AsyncClient) -> None:
    requests = []

    def answer(request: Any) -> tuple[int, bytes]:
        requests.append(request)
        return 200, CONNECT

    async with http_server(answer) as origin:
        await ask_webhook(client, f"{origin}/voice", Identity(), IDS)
    assert "x-twilio-signature" not in requests[0].headers
    assert handshake_headers("wss://agent.example/media", "") == {}


def test_the_handshake_is_signed_over_the_url_alone() -> None:
    url = "wss://agent.example/media"
    signature = handshake_headers(url, TOKEN)["x-twilio-signature"]
    assert RequestValidator(TOKEN).validate(url, {}, signature)
    assert not RequestValidator(TOKEN).validate("https://agent.example/media", {}, signature)


async def test_a_redirect_is_followed_a_few_times(http_server: Any, client: httpx.AsyncClient) -> None:
    def answer(request: Any) -> tuple[int, bytes]:
        if request.path == "/loop":
            return 200, b"<Response><Redirect>loop</Redirect></Response>"
        if request.path == "/bad":
            return 200, b"<Response><Redirect>http://[</Redirect></Response>"
        return (200, CONNECT) if request.path == "/b" else (200, b"<Response><Redirect>/b</Redirect></Response>")

    async with http_server(answer) as origin:
        assert (await ask_webhook(client, f"{origin}/a", Identity(), IDS)).url == "wss://agent.example/media"
        with pytest.raises(CallFailed, match="redirected the call more than 3 times"):
            await ask_webhook(client, f"{origin}/loop", Identity(), IDS)
        with pytest.raises(CallFailed, match="to what is not a URL"):
            await ask_webhook(client, f"{origin}/bad", Identity(), IDS)


@pytest.mark.parametrize(
    ("status", "token", "text"),
    [
        (403, TOKEN, r"HTTP 403 \(is the auth token the server's\?\)"),
        (403, "", r"HTTP 403 \(no auth token was given to sign with\)"),
        (500, TOKEN, "HTTP 500"),
    ],
)
async def test_a_refusal_is_told(
    http_server: Any, client: httpx.AsyncClient, status: int, token: str, text: str
) -> None:
    async with http_server(lambda request: (status, b"")) as origin:
        with pytest.raises(CallFailed, match=text):
            await ask_webhook(client, origin, Identity(auth_token=token), IDS)


async def test_an_endless_answer_is_not_read_to_its_end(
    http_server: Any, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TWIML_BYTES", 10)
    async with http_server(lambda request: (200, CONNECT)) as origin:
        with pytest.raises(CallFailed, match="longer than 10 bytes"):
            await ask_webhook(client, origin, Identity(), IDS)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:1/voice", "cannot be reached"),
        ("http://127.0.0.1:99999999/", "not a URL: Port out of range"),
        ("http://[", "not a URL: Invalid IPv6 URL"),
        ("http:///voice", "must begin with http:// or https:// and a host"),
        ("ftp://127.0.0.1/", "must begin with http:// or https:// and a host"),
    ],
)
async def test_a_url_that_leads_nowhere_is_told(client: httpx.AsyncClient, url: str, text: str) -> None:
    with pytest.raises(CallFailed, match=text):
        await ask_webhook(client, url, Identity(), IDS)


@pytest.mark.parametrize(
    ("twiml", "text"),
    [
        (b"", "not XML"),
        (b"<Response>", "not XML"),
        (b"<html/>", "must be <Response>"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>', "document type"),
        (b"<Response/>", "took no media and hung up$"),
        (b"<Response><Say>We are closed.</Say><Hangup/><Connect/></Response>", 'saying: "We are closed."'),
        (b"<Response><Say/></Response>", "took no media and hung up$"),
        (b'<Response><Reject reason="busy"/></Response>', "rejected the call: busy"),
        (b"<Response><Reject/></Response>", "rejected the call: rejected"),
        (b'<Response><Start><Stream url="wss://a/b"/></Start></Response>', "<Start> is not a two-way stream"),
        (b"<Response><Connect/></Response>", "no <Stream>"),
        (
            b'<Response><Connect><Stream url="https://a/b"/></Connect></Response>',
            "<Stream> cannot be opened: the URL must begin with wss://",
        ),
        (b'<Response><Connect><Stream url="wss://["/></Connect></Response>', "<Stream> cannot be opened: not a URL"),
        (
            b"<Response><Connect><Stream/></Connect></Response>",
            "<Stream> cannot be opened: the URL must begin with wss://",
        ),
    ],
)
def test_twiml_without_a_two_way_stream_is_told(twiml: bytes, text: str) -> None:
    with pytest.raises(CallFailed, match=text):
        read_twiml(twiml)


def test_what_twilio_would_not_do_is_warned_of() -> None:
    stream = checked_stream("ws://agent.example/media?call=1", {"token": "x" * 500})
    assert stream.url == "ws://agent.example/media"
    assert [warning.split(",")[0] for warning in stream.warnings] == [
        "the stream URL has a query string",
        "the stream URL is not wss://",
        "the stream parameter 'token' is longer than Twilio's 500 characters",
    ]
    assert checked_stream("ws://127.0.0.1:8000/media", {"token": "x"}).warnings == ()


def test_ids_are_twilio_s_and_never_the_same() -> None:
    first, second = new_stream_ids("AC1"), new_stream_ids("AC1")
    assert first.call_sid != second.call_sid
    checks: list[tuple[str, Callable[[str], bool]]] = [
        (first.call_sid, lambda sid: sid.startswith("CA")),
        (first.stream_sid, lambda sid: sid.startswith("MZ")),
    ]
    assert all(check(sid) and len(sid) == 34 for sid, check in checks)
    assert "token" not in repr(Identity(auth_token=TOKEN))
