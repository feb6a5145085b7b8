"""Requests that are really made: over TLS, with proofs, deadlines and bounds, and only where they may go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from starlette.responses import RedirectResponse, Response
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.clock import ManualClock
from antiphon.errors import RequestFailed
from antiphon.tools.http import Outgoing
from antiphon.webhooks.client import Bounds, WebhookClient
from antiphon.webhooks.egress import Egress
from antiphon.webhooks.signing import Bearer, Hmac, OAuth2, Signed, standard_webhooks, verify_hmac

LOCAL = Egress(allow_loopback=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as listening:
        yield listening


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    made = WebhookClient(LOCAL, ManualClock(), Bounds(per_host=2, answer_bytes=1000))
    yield made
    await made.close()


async def failed(client: WebhookClient, request: Outgoing, authentication: Any = None) -> str:
    with pytest.raises(RequestFailed) as failure:
        await client.send(request, authentication)
    return failure.value.reason


async def test_a_request_arrives_as_it_was_made(receiver: Receiver, client: WebhookClient) -> None:
    answer = await client.send(Outgoing(f"{receiver.url}/hook?a=1", b'{"a":1}', headers={"X-Own": "1"}, id="msg_1"))
    assert (answer.status, answer.body, answer.ok) == (200, b"{}", True)
    (came,) = receiver.received
    assert (came.method, came.path, came.body) == ("POST", "/hook?a=1", b'{"a":1}')
    assert came.headers["content-type"] == "application/json"
    assert came.headers["x-own"] == "1"
    assert came.headers["user-agent"] == "antiphon"
    assert (await client.send(Outgoing(receiver.url, method="GET"))).ok


async def test_tls_is_verified_against_the_name() -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    certificate = authority.issue_cert("hooks.example.test")

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    egress = Egress(allow_loopback=True, resolve=here)
    clients = [WebhookClient(egress, ManualClock(), tls=tls) for tls in (trusting, None)]
    async with receiving(Receiver(), certificate=certificate.configure_cert) as receiver:
        port = receiver.url.rpartition(":")[2]
        assert (await clients[0].send(Outgoing(f"https://hooks.example.test:{port}/", b"{}"))).ok
        assert await failed(clients[0], Outgoing(f"https://other.example.test:{port}/", b"{}")) == "connection"
        assert await failed(clients[1], Outgoing(f"https://hooks.example.test:{port}/", b"{}")) == "connection"
    for each in clients:
        await each.close()
    assert len(receiver.received) == 1


async def test_a_name_that_stands_for_this_machine_is_not_called(receiver: Receiver) -> None:
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client = WebhookClient(Egress(resolve=rebinding), ManualClock())
    port = receiver.url.rpartition(":")[2]
    assert await failed(client, Outgoing(f"http://innocent.example.test:{port}/", b"{}")) == "refused"
    assert await failed(client, Outgoing(receiver.url, b"{}")) == "refused"
    assert asked == ["innocent.example.test"], "the address that is called is the one that was checked"
    assert receiver.received == []
    await client.close()


async def test_redirects_are_checked_and_take_no_secrets_elsewhere(receiver: Receiver, client: WebhookClient) -> None:
    async with receiving(Receiver()) as other:
        goals = {
            "/other": f"{other.url}/there",
            "/here": "/end",
            "/metadata": "http://169.254.169.254/",
            "/loop": "/loop",
        }

        async def redirect(came: Received) -> Any:
            goal = goals.get(came.path)
            return RedirectResponse(goal, 307) if goal else {}

        receiver.answer = redirect
        secret = {"X-Vapi-Secret": "s", "content-type": "application/json"}
        assert (await client.send(Outgoing(f"{receiver.url}/other", b"{}", headers=secret), Bearer("t"))).ok
        (came,) = other.received
        assert (came.method, came.body) == ("POST", b"{}")
        assert not {"x-vapi-secret", "authorization"} & set(came.headers)
        assert (await client.send(Outgoing(f"{receiver.url}/here", b"{}", headers=secret), Bearer("t"))).ok
        assert receiver.received[-1].headers["authorization"] == "Bearer t"
        assert await failed(client, Outgoing(f"{receiver.url}/metadata", b"{}")) == "refused"
        assert await failed(client, Outgoing(f"{receiver.url}/loop", b"{}")) == "redirect"


@pytest.mark.parametrize("url", ["http://[", "http://[x]/", "http://a.test:99999/"])
async def test_what_is_no_url_is_refused_wherever_it_stands(
    receiver: Receiver, client: WebhookClient, url: str
) -> None:
    async def redirect(came: Received) -> Any:
        return Response(b"", 307, {"location": quote(url, safe=":/[]")})

    receiver.answer = redirect
    assert await failed(client, Outgoing(url, b"{}")) == "refused"
    assert await failed(client, Outgoing(receiver.url, b"{}")) in ("refused", "redirect")


async def test_a_redirect_that_would_become_a_get_is_an_answer(receiver: Receiver, client: WebhookClient) -> None:
    async def moved(came: Received) -> Any:
        return RedirectResponse("/x", 302)

    receiver.answer = moved
    assert (await client.send(Outgoing(receiver.url, b"{}"))).status == 302


async def test_deadlines_and_bounds(receiver: Receiver, client: WebhookClient) -> None:
    release = asyncio.Event()

    async def hang(came: Received) -> Any:
        if came.path == "/large":
            return Response(b"x" * 1001)
        await release.wait()
        return {}

    receiver.answer = hang
    assert await failed(client, Outgoing(f"{receiver.url}/large", b"{}")) == "too_large"
    assert await failed(client, Outgoing(receiver.url, b"{}", timeout_s=0.1)) == "timeout"
    held = Outgoing(f"{receiver.url}/held", b"{}", timeout_s=60)
    hanging = [asyncio.create_task(client.send(held)) for _ in range(2)]
    async with asyncio.timeout(60):
        while sum(came.path == "/held" for came in receiver.received) < 2:  # noqa: ASYNC110 (the one before may not have come)
            await asyncio.sleep(0.01)
    came = len(receiver.received)
    assert await failed(client, Outgoing(receiver.url, b"{}", timeout_s=0.1)) == "timeout", "both places are taken"
    assert len(receiver.received) == came, "who waits for a place has asked nothing yet"
    release.set()
    assert [answer.ok for answer in await asyncio.gather(*hanging)] == [True, True]
    assert (await client.send(Outgoing(receiver.url, b"{}"))).ok, "its place is free again"


async def test_what_cannot_be_reached_or_sent(receiver: Receiver, client: WebhookClient) -> None:
    assert await failed(client, Outgoing("http://127.0.0.1:1/", b"{}")) == "connection"
    assert await failed(client, Outgoing("http://no-such-name.invalid/", b"{}")) == "connection"
    assert await failed(client, Outgoing(receiver.url, b"{}", headers={"X": "a\r\nb: c"})) == "protocol"
    assert await failed(client, Outgoing(receiver.url, b"{}", headers={"X y": "a"})) == "protocol"
    assert receiver.received == []


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 2"])
async def test_a_connection_that_is_closed_as_it_is_used_again_is_replaced(
    client: WebhookClient, beginning: bytes
) -> None:
    """Servers close what was idle for five seconds: whoever asked in this moment had no answer, and a call no tool. A connection of its
    own that breaks off is not tried again."""
    requests: list[tuple[int, bytes]] = []
    connections = 0
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        mine = connections = connections + 1
        first = True
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                requests.append((mine, await reader.readexactly(2)))
                if not first or b"/broken" in head:
                    writer.write(beginning)
                    break
                writer.write(ANSWER)
                first = False
        writer.close()
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        for body in (b"{}", b"[]"):
            assert (await client.send(Outgoing(url, body))).body == b"{}"
        assert requests == [(1, b"{}"), (1, b"[]"), (2, b"[]")]
        requests.clear()
        other = WebhookClient(LOCAL, ManualClock())
        assert await failed(other, Outgoing(f"{url}/broken", b"{}")) == "connection"
        assert requests == [(3, b"{}")]
        await other.close()
        closed.clear()
    finally:
        await client.close()
        await closed.wait()
        server.close()


async def test_signed_requests_verify(receiver: Receiver, client: WebhookClient) -> None:
    for plan in (Hmac("k", payload_format="{method}{url}{body}"), standard_webhooks("aGk=")):
        await client.send(Outgoing(f"{receiver.url}/h", b'{"a":1}', id="msg_1"), plan)
        came = receiver.received[-1]
        now_s = ManualClock().wall_ms() // 1000
        verify_hmac(plan, Signed(came.body, came.method, f"{receiver.url}/h"), came.headers, now_s)


async def test_an_oauth2_token_is_fetched_once_kept_and_replaced(receiver: Receiver) -> None:
    clock = ManualClock()
    client = WebhookClient(LOCAL, clock)
    tokens = 0

    async def answer(came: Received) -> Any:
        nonlocal tokens
        if came.path == "/token":
            tokens += 1
            return {"access_token": f"t{tokens}", "expires_in": 100}
        return Response(status_code=401) if came.headers["authorization"] == "Bearer t2" else {}

    receiver.answer = answer
    plan = OAuth2(f"{receiver.url}/token", "id", "p&w", "calls")
    asked = [client.send(Outgoing(receiver.url, b"{}"), plan) for _ in range(5)]
    assert all(answer.ok for answer in await asyncio.gather(*asked))
    assert tokens == 1
    form = next(came for came in receiver.received if came.path == "/token")
    assert form.body == b"grant_type=client_credentials&client_id=id&client_secret=p%26w&scope=calls"
    clock.advance(71_000)  # half a minute before its end
    assert (await client.send(Outgoing(receiver.url, b"{}"), plan)).ok, "t2 was revoked: asked again with t3"
    assert tokens == 3

    async def refuse(came: Received) -> Any:
        return Response(status_code=403)

    receiver.answer = refuse
    clock.advance(200_000)
    assert await failed(client, Outgoing(receiver.url, b"{}"), plan) == "authentication"
    await client.close()
