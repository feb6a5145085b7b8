"""An HTTP client for packages with a protocol of their own: where it connects to, what it sends, what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.errors import RequestFailed
from antiphon.webhooks import checked_httpx
from antiphon.webhooks.checked_httpx import checked_client
from antiphon.webhooks.egress import Egress

httpx2 = pytest.importorskip("httpx2")


async def resolve(host: str, port: int) -> Sequence[str]:
    return {"shop.test": ["10.0.0.1", "127.0.0.1"], "inside.test": ["10.0.0.1"]}.get(host, [host])


def client(**headers: str) -> Any:
    return checked_client(Egress(allow_loopback=True, resolve=resolve), headers, 5, 5)


async def test_it_connects_to_the_checked_address_and_keeps_the_name() -> None:
    async with receiving(Receiver()) as receiver, client(authorization="Bearer t", host="other") as http:
        port = receiver.url.rpartition(":")[2]
        assert (await http.post(f"http://shop.test:{port}/a", content=b"{}")).status_code == 200
        (came,) = receiver.received
        assert (came.headers["host"], came.headers["authorization"]) == (f"shop.test:{port}", "Bearer t")
        for refused in (f"http://inside.test:{port}/", f"http://10.0.0.1:{port}/", "file:///etc/passwd"):
            with pytest.raises(RequestFailed, match="refused"):
                await http.get(refused)
        assert len(receiver.received) == 1


async def test_a_redirect_is_checked_like_everything() -> None:
    async def answer(came: Received) -> Any:
        return RedirectResponse("http://169.254.169.254/latest", 307)

    async with receiving(Receiver(answer)) as receiver, client() as http:
        assert (await http.get(receiver.url)).status_code == 307
        with pytest.raises(RequestFailed, match="refused"):
            await http.get(receiver.url, follow_redirects=True)


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(came: Received) -> Any:
        return Response(b"x" * int(came.path.removeprefix("/")))

    monkeypatch.setattr(checked_httpx, "MAX_ANSWER_BYTES", 1000)
    async with receiving(Receiver(answer)) as receiver, client() as http:
        assert len((await http.get(f"{receiver.url}/1000")).content) == 1000
        with pytest.raises(httpx2.ReadError, match="larger"):
            await http.get(f"{receiver.url}/1001")


def test_headers_that_would_be_two_are_refused() -> None:
    with pytest.raises(RequestFailed, match="line break"):
        client(authorization="a\r\nb: c")
