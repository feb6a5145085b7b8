"""Rows 1 to 5: what the server makes of Twilio's HTTP requests and of the media socket's handshake."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from multidict import MultiDict
from structlog.testing import capture_logs
from tests.conformance.twilio.phone import AUTH_TOKEN
from tests.conformance.twilio.server import Server, serve_here
from tests.stopwatch import Stopwatch
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

PUBLIC = "https://voice.example.com"
FORM = {
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
    "CallSid": "CA" + "1" * 32,
    "CallStatus": "ringing",
    "Direction": "inbound",
    "From": "+15550100001",
    "To": "+15550100002",
}
Pairs = list[tuple[str, str]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server behind a proxy: Twilio knows it by its public URL. None of these tests starts a call: they share it."""
    async with serve_here(tmp_path_factory.mktemp("proxied"), public_url=PUBLIC) as running:
        yield running


def sign(url: str, pairs: Pairs | None = None, token: str = AUTH_TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, MultiDict(pairs or [])))


async def post(
    server: Server, pairs: Pairs, signature: str, path: str = "/twilio/voice", **headers: str
) -> httpx.Response:
    form = {"content-type": "application/x-www-form-urlencoded"}
    signed = {"x-twilio-signature": signature} if signature else {}
    return await server.http.post(server.url + path, content=urlencode(pairs), headers={**form, **signed, **headers})


async def test_row_01_signed_webhook(proxied: Server) -> None:
    pairs = list(FORM.items())
    watch = Stopwatch()
    answer = await post(proxied, pairs, sign(f"{PUBLIC}/twilio/voice", pairs))
    assert watch.own_s < 1
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    response = ElementTree.fromstring(answer.text)
    assert [verb.tag for verb in response] == ["Connect", "Hangup"]
    (stream,) = response[0]
    assert stream.tag == "Stream"
    assert stream.attrib["url"] == "wss://voice.example.com/twilio/media"
    parameters = {each.attrib["name"]: each.attrib["value"] for each in stream}
    assert parameters["token"]
    assert all(len(name) + len(value) < 500 for name, value in parameters.items())


class TestRow02:
    """Signatures of forms."""

    @pytest.mark.parametrize("signature", ["", "wrong", "ü", "another account's", "a changed field's"])
    async def test_row_02_refused_before_any_work(self, proxied: Server, signature: str) -> None:
        pairs = list(FORM.items())
        url = f"{PUBLIC}/twilio/voice"
        other = [*pairs[:-1], ("To", "+15550100099")]
        made = {"another account's": sign(url, pairs, "another"), "a changed field's": sign(url, other)}
        headers = {"x-twilio-signature": made.get(signature, signature).encode("utf-8")} if signature else {}
        counted = ("auth_failures", (("status", "403"), ("surface", "twilio")))
        before = proxied.app.losses.counts().get(counted, 0)
        with capture_logs() as lines:
            answer = await proxied.http.post(f"{proxied.url}/twilio/voice", data=FORM, headers=headers)
        assert answer.status_code == 403
        assert len(lines) <= 1, "the same again is counted, and told together a little later"
        assert proxied.app.losses.counts()[counted] == before + 1
        assert not any(value in str(lines) for value in FORM.values())
        assert "token" not in answer.text

    async def test_row_02_blank_repeated_and_unknown_parameters_are_signed_too(self, proxied: Server) -> None:
        pairs = [*FORM.items(), ("CallerName", ""), ("Extra", "b"), ("Extra", "a"), ("Extra", "b"), ("NewThing", "é")]
        answer = await post(proxied, pairs, sign(f"{PUBLIC}/twilio/voice", pairs))
        assert answer.status_code == 200


class TestRow03:
    """A JSON body is covered by ``bodySHA256`` in the URL, or not at all."""

    @pytest.mark.parametrize(
        ("claimed", "sent", "signed_as_form", "status"),
        [
            (b'{"a":1}', b'{"a":1}', False, 204),
            (b'{"a":1}', b'{"a":2}', False, 403),
            (b"", b'{"a":1}', False, 403),
            (b'{"a":1}', b'{"a":1}', True, 403),
            (b"\xff\x00", b"\xff\x00", False, 204),
        ],
        ids=["good", "tampered", "no hash", "a form's signature", "bytes"],
    )
    async def test_row_03_json_webhook(
        self, proxied: Server, claimed: bytes, sent: bytes, signed_as_form: bool, status: int
    ) -> None:
        query = f"?bodySHA256={hashlib.sha256(claimed).hexdigest()}" if claimed else ""
        path = f"/twilio/stream-status{query}"
        signature = sign(PUBLIC + path, [("a", "1")] if signed_as_form else None)
        headers = {"content-type": "application/json", "x-twilio-signature": signature}
        answer = await proxied.http.post(proxied.url + path, content=sent, headers=headers)
        assert answer.status_code == status


class TestRow04:
    """Which URL was signed: the one configured, as Twilio writes it."""

    @pytest.mark.parametrize(
        ("signed", "sent", "status"),
        [
            (f"{PUBLIC}:443/twilio/voice", "/twilio/voice", 200),
            (f"{PUBLIC}/twilio/voice?b=2&a=1", "/twilio/voice?b=2&a=1", 200),
            (f"{PUBLIC}/twilio/voice?a=1&b=2", "/twilio/voice?b=2&a=1", 403),
            (f"{PUBLIC}/twilio/voice/", "/twilio/voice", 403),
            ("https://VOICE.example.com/twilio/voice", "/twilio/voice", 403),
            ("https://evil.example.com/twilio/voice", "/twilio/voice", 403),
            (f"{PUBLIC}/twilio/voice", "/twilio/voice", 200),
        ],
    )
    async def test_row_04_public_url_variants(self, proxied: Server, signed: str, sent: str, status: int) -> None:
        pairs = list(FORM.items())
        spoofed = {"host": "evil.example.com", "x-forwarded-host": "evil.example.com", "x-forwarded-proto": "http"}
        answer = await post(proxied, pairs, sign(signed, pairs), sent, **spoofed)
        assert answer.status_code == status
        assert "evil" not in answer.text

    async def test_row_04_a_fragment_steers_retries_and_is_not_signed(self, proxied: Server) -> None:
        pairs = list(FORM.items())
        answer = await post(proxied, pairs, sign(f"{PUBLIC}/twilio/voice", pairs), "/twilio/voice#rc=2")
        assert answer.status_code == 200


class TestRow05:
    """The media socket's handshake is signed over the ``wss`` URL of our TwiML."""

    @pytest.mark.parametrize("url", ["wss://voice.example.com/twilio/media", "wss://voice.example.com/twilio/media/"])
    async def test_row_05_good_with_either_slash(self, proxied: Server, url: str) -> None:
        headers = {"x-twilio-signature": sign(url)}
        async with connect(_media_url(proxied), additional_headers=headers) as socket:
            assert socket.response is not None
            assert socket.response.status_code == 101

    @pytest.mark.parametrize(
        "signature", ["", "nonsense", sign("https://voice.example.com/twilio/media"), sign("wss://other/twilio/media")]
    )
    async def test_row_05_others_are_refused_before_101(self, proxied: Server, signature: str) -> None:
        headers = {"x-twilio-signature": signature} if signature else {}
        with pytest.raises(InvalidStatus) as refused:
            async with connect(_media_url(proxied), additional_headers=headers):
                pytest.fail("the socket opened")
        assert refused.value.response.status_code == 403
        assert len(proxied.app.watch) == 0


def _media_url(server: Server) -> str:
    return "ws" + server.url.removeprefix("http") + "/twilio/media"
