"""HTTP as vendors' servers speak it, and as broken ones do, byte for byte over a real socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from antiphon.providers.http_transport import LeanTransport, transport_for

LIMITS = httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=30)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Vendor:
    """Answers each request of a connection with the next of ``answers``; after the last it hangs up."""

    def __init__(self, *answers: bytes | Script) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.left = asyncio.Event()
        """A client has closed its connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b"")
                answer = self.answers.pop(0)
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()


@asynccontextmanager
async def client_of(
    vendor: Vendor, timeout: httpx.Timeout | float = 5.0, limits: httpx.Limits = LIMITS
) -> AsyncIterator[httpx.AsyncClient]:
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = LeanTransport(ssl.create_default_context(), limits)
    async with (
        server,
        httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=timeout) as client,
    ):
        yield client


def plain(body: bytes, *more: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more, b"", b"")) + body


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (*pieces, b""))


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    raise ConnectionError


def begins(answer: bytes) -> Script:
    """These bytes, and then nothing for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await hang(reader, writer)

    return script


def breaks_off(answer: bytes) -> Script:
    """These bytes, and the vendor hangs up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        raise ConnectionError

    return script


async def test_a_connection_is_used_again_and_its_requests_are_whole() -> None:
    vendor = Vendor(plain(b"one"), chunked(b"t", b"wo"), plain(b""), plain(b"four"))
    async with client_of(vendor) as client:
        bodies = [
            (await client.post("/v1/x?y=%20z", content=b"ask %d" % at, headers={"x-key": "k"})).content
            for at in range(4)
        ]
    assert bodies == [b"one", b"two", b"", b"four"]
    assert vendor.connections == 1
    assert vendor.bodies == [b"ask 0", b"ask 1", b"ask 2", b"ask 3"]
    assert vendor.heads[0].startswith(b"POST /v1/x?y=%20z HTTP/1.1\r\n") and b"\r\nx-key: k\r\n" in vendor.heads[0]


async def test_pieces_come_as_they_are_written() -> None:
    go_on = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")

    async with client_of(Vendor(talk)) as client, client.stream("POST", "/", content=b"") as response:
        pieces = response.aiter_bytes()
        assert await anext(pieces) == b"first"
        go_on.set()
        assert [piece async for piece in pieces] == [b"second"]


async def test_who_leaves_an_answer_leaves_its_connection() -> None:
    """So that the vendor stops; the next request has another."""
    vendor = Vendor(begins(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"), plain(b"next"))
    async with client_of(vendor) as client:
        async with client.stream("POST", "/", content=b"") as response:
            assert await anext(response.aiter_bytes()) == b"x"
        await asyncio.wait_for(vendor.left.wait(), 5)
        assert (await client.post("/")).content == b"next"
    assert vendor.connections == 2


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + plain(b"after"), b"after"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plain(b"after"), b"after"),
        (b"HTTP/1.1 200 OK\r\n\r\nas long as the connection", b"as long as the connection"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", b"old"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (plain(b"last", b"Connection: close"), b"last"),
        (b"HTTP/1.1 429 Slow down\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno", b"no"),
    ],
)
async def test_answers_of_all_kinds_are_read(answer: bytes, body: bytes) -> None:
    async with client_of(Vendor(answer)) as client:
        response = await client.post("/")
    assert response.content == body
    assert response.headers.get("link") is None


async def test_an_answer_to_head_has_no_body_and_the_connection_stays() -> None:
    vendor = Vendor(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", plain(b"then"))
    async with client_of(vendor) as client:
        assert (await client.head("/")).content == b""
        assert (await client.post("/")).content == b"then"
    assert vendor.connections == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (breaks_off(b""), httpx.RemoteProtocolError),
        (breaks_off(b"SSH-2.0-OpenSSH\r\n"), httpx.RemoteProtocolError),
        (breaks_off(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), httpx.RemoteProtocolError),
        (breaks_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfi"), httpx.RemoteProtocolError),
        (breaks_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), httpx.RemoteProtocolError),
        (breaks_off(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000), httpx.RemoteProtocolError),
        (begins(b""), httpx.ReadTimeout),
        (begins(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome"), httpx.ReadTimeout),
    ],
    ids=["nothing", "another-protocol", "short", "amid-a-chunk", "no-chunk", "long-head", "mute", "mute-amid"],
)
async def test_what_breaks_has_httpx_s_own_names(answer: Script, error: type[Exception]) -> None:
    vendor = Vendor(answer, plain(b"well again"))
    async with client_of(vendor, httpx.Timeout(5.0, read=0.2)) as client:
        with pytest.raises(error):
            await client.post("/")
        assert (await client.post("/")).content == b"well again"


async def test_a_connection_that_its_vendor_has_closed_meanwhile_is_not_used() -> None:
    vendor = Vendor(plain(b"one"))
    async with client_of(vendor) as client:
        assert (await client.post("/")).content == b"one"
        transport = client._transport
        assert isinstance(transport, LeanTransport)
        async with asyncio.timeout(60):
            while transport._all:  # noqa: ASYNC110 (the end of a connection tells nobody)
                await asyncio.sleep(0)
        vendor.answers = [plain(b"two")]
        assert (await client.post("/")).content == b"two"
    assert vendor.connections == 2


async def test_more_than_was_asked_for_spoils_the_connection_only() -> None:
    vendor = Vendor(plain(b"one") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", plain(b"two"))
    async with client_of(vendor) as client:
        assert (await client.post("/")).content == b"one"
        assert (await client.post("/")).content == b"two"
    assert vendor.connections == 2


async def test_no_more_connections_than_allowed_and_their_places_come_back() -> None:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)
    vendor = Vendor(begins(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), plain(b"two"))
    async with client_of(vendor, httpx.Timeout(5.0, pool=0.1), limits) as client:
        async with client.stream("POST", "/", content=b"") as response:
            assert response.status_code == 200
            with pytest.raises(httpx.PoolTimeout):
                await client.post("/")
        assert (await client.post("/")).content == b"two"


async def test_an_answer_that_nobody_reads_is_not_taken_from_the_network() -> None:
    taken = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n")
        for _ in range(640):
            writer.write(bytes(100_000))
            await writer.drain()
        taken.set()

    async with client_of(Vendor(flood)) as client, client.stream("POST", "/", content=b"") as response:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taken.wait(), 0.3)
        size = 0
        async for piece in response.aiter_bytes():
            size += len(piece)
        assert size == 64_000_000 and taken.is_set()


async def test_nobody_there_and_no_time_to_connect() -> None:
    transport = LeanTransport(ssl.create_default_context(), LIMITS)
    async with httpx.AsyncClient(transport=transport, timeout=2.0) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("http://127.0.0.1:1/")
        with pytest.raises(httpx.ConnectError):
            await client.post("https://nowhere.invalid/")


async def test_a_header_cannot_become_two() -> None:
    vendor = Vendor(plain(b""))
    async with client_of(vendor) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.post("/", headers=[(b"x-key", b"a\r\nx-other: b")])
    assert vendor.connections == 0


def test_a_proxy_of_the_environment_is_httpx_s_own_business(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.create_default_context()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "http://proxy.test:3128")
            assert transport_for(tls, LIMITS) is None
