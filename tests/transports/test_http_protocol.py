"""What a stranger may make one HTTP connection cost: real uvicorn protocols, real TCP, requests as they stand on the wire.

That the event loop does not stand still is shown by what is looked at of what arrives, not by a clock: a loaded machine is slow in
any case.
"""

from __future__ import annotations

import asyncio
import gc
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.server import ServerState

from antiphon.clock import ManualClock
from antiphon.losses import Losses
from antiphon.transports.connections import Connections
from antiphon.transports.http_bounds import HttpBounds
from antiphon.transports.socket import MediaRoutes, http_protocol

HOST = b"Host: x\r\n"
HELLO = b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n"


class Served:
    """One listening port with an application that reads bodies at ``/read`` and ignores them at ``/hello``."""

    def __init__(self, table: Connections) -> None:
        self.table = table
        self.state = ServerState()
        self.port = 0
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/hello", self.hello, methods=["GET", "POST"]),
                Route("/read", self.read, methods=["POST"]),
                Route("/slow", self.slow),
                Route("/twilio/slow", self.slow),
            ]
        )

    async def hello(self, request: Request) -> Response:
        return PlainTextResponse("hello")

    async def slow(self, request: Request) -> Response:
        self.asked.set()
        await self.may_answer.wait()
        return PlainTextResponse("slow")

    async def read(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return PlainTextResponse("gone")
        self.bodies.append(body)
        self.headers.append(request.scope["headers"])
        return PlainTextResponse(str(len(body)))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def until(self, connections: int) -> None:
        async with asyncio.timeout(60):
            while len(self.state.connections) != connections:  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(**bounds: Any) -> AsyncIterator[Served]:
    served = Served(Connections(HttpBounds(**bounds)))
    config = uvicorn.Config(
        served.app, http=http_protocol(MediaRoutes(), served.table), ws="none", lifespan="off", log_level="error"
    )
    config.load()
    factory: Any = config.http_protocol_class
    listening = await asyncio.get_running_loop().create_server(
        lambda: factory(config=config, server_state=served.state, app_state={}), "127.0.0.1", 0
    )
    served.port = listening.sockets[0].getsockname()[1]
    try:
        yield served
        await served.until(0)
        assert len(served.table) == 0
    finally:
        listening.close()
        await listening.wait_closed()


async def ask(served: Served, *parts: bytes) -> bytes:
    """Everything the server says until it hangs up. Parts are sent one after the other, as far as they are taken."""
    reader, writer = await served.connect()
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    answer = b""
    async with asyncio.timeout(60):
        with suppress(ConnectionError):
            while more := await reader.read(65536):
                answer += more
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def get(*lines: bytes, path: bytes = b"/hello") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


# ------------------------------------------------------------------------------------------------ heads


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (get(path=b"/" + b"a" * 9000), 414),
        (get(path=b"/hello?" + b"a" * 9000), 414),
        (get(b"X: " + b"a" * 40_000), 431),
        (get(b"a" * 40_000 + b": x"), 431),
        (get(*[b"a:b"] * 101), 431),
        (get(*[b"X: " + b"y" * 400] * 90), 431),
        (get(*[b"X:"] * 5000), 431),
    ],
    ids=["path", "query", "value", "name", "many", "sum", "empty values"],
)
async def test_a_head_beyond_its_bounds_is_refused_and_hung_up_on(head: bytes, status: int) -> None:
    async with serving() as served:
        answer = await ask(served, head)
        assert statuses(answer) == [status]
        assert b"\r\nconnection: close\r\n" in answer
        assert answer.endswith(b'"}'), "in words"


async def test_who_waited_because_the_loop_was_held_up_is_not_cut_for_it() -> None:
    """In one turn of a loop that stood still for longer than a head may take, the timer is over and nothing has been read."""
    async with serving(idle_timeout_s=0.05, head_timeout_s=0.5) as served:
        reader, writer = await served.connect()
        await served.until(1)
        (connection,) = served.state.connections
        now_s = asyncio.get_running_loop().time()
        connection._act_in_time(now_s - 5.0, 0.5, connection.cut)  # type: ignore[union-attr]
        writer.write(HELLO)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        assert await ask(served, b"GET") == b"", "who is late by itself is cut"


@pytest.mark.parametrize(
    "head",
    [get(path=b"/hello?" + b"a" * 8000), get(b"X: " + b"a" * 30_000), get(*[b"X: y"] * 99)],
    ids=["url", "value", "count"],
)
async def test_a_head_within_them_is_answered(head: bytes) -> None:
    async with serving(idle_timeout_s=0.05) as served:
        assert statuses(await ask(served, head)) == [200]


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a:b\r\n" * 13_000),
        (b"", b"\r\n" * 32_768),
        (HELLO[:-2], b"X: y\r\n" * 10_000),
    ],
    ids=["url", "value", "name", "small headers", "empty lines", "after a good beginning"],
)
async def test_of_an_endless_head_next_to_nothing_is_looked_at_or_kept(begin: bytes, piece: bytes) -> None:
    """The work is bounded by the bytes the parser gets, whatever is sent; a bystander is answered meanwhile."""
    async with serving(head_timeout_s=60) as served:
        parsed = 0

        class Counting:
            def __init__(self, parser: Any) -> None:
                self._parser = parser

            def feed_data(self, data: bytes) -> None:
                nonlocal parsed
                parsed += len(data)
                self._parser.feed_data(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._parser, name)

        bystander = await served.connect()
        gc.collect()
        tracemalloc.start()
        try:
            reader, writer = await served.connect()
            await served.until(2)
            stranger = max(
                served.state.connections, key=lambda each: each.client[1] == writer.get_extra_info("sockname")[1]
            )
            stranger.parser = Counting(stranger.parser)  # type: ignore[union-attr]
            with suppress(ConnectionError):
                writer.write(begin)
                for _ in range(320):  # 20 MiB
                    writer.write(piece)
                    await writer.drain()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert 0 < parsed <= 4 * 65536 or begin == b""
        assert peak < 4 * 1024 * 1024
        del stranger, reader
        bystander[1].write(get(b"Connection: close"))
        async with asyncio.timeout(60):
            assert (await bystander[0].read()).startswith(b"HTTP/1.1 200 ")
        bystander[1].close()


@pytest.mark.parametrize(
    "dribble", [b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000, b"\r\n" * 5000], ids=["head", "empty lines"]
)
async def test_a_head_that_trickles_has_the_time_of_one(dribble: bytes) -> None:
    async with serving(head_timeout_s=0.2) as served:
        _, writer = await served.connect()
        await served.until(1)

        async def trickle() -> None:
            with suppress(ConnectionError):
                for at in range(len(dribble)):
                    writer.write(dribble[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        await served.until(0)
        trickling.cancel()
        writer.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /hello HTTP/1.1\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (b"GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /hello\r\n\r\n", 505),
        (b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT evil:80 HTTP/1.1\r\nHost: evil\r\n\r\n", 400),
        (b"\x16\x03\x01" + bytes(200), 400),
    ],
)
async def test_what_is_no_request_of_http_1_is_refused(request_: bytes, status: int) -> None:
    async with serving() as served:
        assert statuses(await ask(served, request_)) == [status]


@pytest.mark.parametrize(
    "host", [b"x", b"", b"localhost:8080", b"[::1]:8080", b"a_b.example", b"xn--e1afmkfd.example."]
)
async def test_hosts_as_they_are_written(host: bytes) -> None:
    async with serving() as served:
        request_ = b"GET /hello HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        assert statuses(await ask(served, request_)) == [200]


async def test_http_1_0_needs_no_host() -> None:
    async with serving() as served:
        assert statuses(await ask(served, b"GET /hello HTTP/1.0\r\n\r\n")) == [200]


# ------------------------------------------------------------------------------------------------ bodies


def post(path: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines)
    return head + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"


def chunks(size: int, count: int, extension: bytes = b"") -> bytes:
    return (b"%x%s\r\n" % (size, extension) + b"x" * size + b"\r\n") * count + b"0\r\n\r\n"


@pytest.mark.parametrize("path", [b"/read", b"/hello"])
@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        ([b"Content-Length: 1048577"], b"x", 413),
        ([b"Content-Length: 99999999999"], b"x", 413),
        ([CHUNKED], chunks(65536, 17), 413),
        ([CHUNKED], b"1;" + b"a" * 1_000_000 + b"\r\nx\r\n0\r\n\r\n", 400),
        ([CHUNKED], chunks(1, 20_000, b";" + b"e" * 40), 400),
        ([CHUNKED], b"1\r\nx\r\n0\r\n" + b"T: y\r\n" * 101 + b"\r\n", 431),
        ([CHUNKED], b"1\r\nx\r\n0\r\nT: " + b"y" * 1_000_000, 400),
    ],
    ids=["declared", "declared huge", "chunked", "extension", "extensions", "trailers", "trailer"],
)
async def test_a_body_is_bounded_in_all_its_parts(path: bytes, lines: list[bytes], body: bytes, status: int) -> None:
    async with serving(discard_timeout_s=0.2) as served:
        answer = await ask(served, post(path, *lines, body=body))
        if path == b"/read" or b"Content-Length" in lines[0]:
            assert statuses(answer) == [status]
        else:
            assert statuses(answer) in ([200], [status]), "never two answers to one request"
        assert not served.bodies


async def test_bodies_within_the_bound_arrive_however_they_are_framed() -> None:
    async with serving(idle_timeout_s=0.1) as served:
        answer = await ask(
            served,
            post(b"/read", b"Content-Length: 500000", body=b"x" * 500_000),
            post(b"/read", CHUNKED, body=chunks(16, 16_000)),
            post(b"/read", CHUNKED, body=chunks(1, 20_000)),
        )
        assert statuses(answer) == [200, 200, 200]
        assert [len(body) for body in served.bodies] == [500_000, 256_000, 20_000]


async def test_trailers_do_not_become_headers() -> None:
    async with serving() as served:
        body = b"1\r\nx\r\n0\r\nAuthorization: Bearer sk\r\nX-Late: y\r\n\r\n"
        assert statuses(await ask(served, post(b"/read", CHUNKED, b"Connection: close", body=body))) == [200]
        [headers] = served.headers
        assert {name for name, _ in headers} == {b"host", b"transfer-encoding", b"connection"}


# ------------------------------------------------------------------------------------------------ connections that would stay


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"GET / HTTP/1.1\r\nHo"],
        [HELLO],
        [HELLO, b"\r\n"],
        [HELLO, b"GET"],
        [get(b"Content-Length: 99"), b"x"],
        [post(b"/hello", b"Content-Length: 99"), b"x"],
        [post(b"/nowhere", b"Content-Length: 99"), b"x"],
        [post(b"/nowhere", CHUNKED), b"1\r\nx\r\n"],
        [post(b"/nowhere", b"Content-Length: 99")],
        [post(b"/read", b"Content-Length: 99"), b"x"],
        [get(b"Content-Length: 99", b"Connection: close"), b"x"],
        [get(b"Expect: 100-continue", b"Content-Length: 99")],
        [get(b"Upgrade: h2c", b"Connection: Upgrade")],
    ],
)
async def test_every_connection_ends(parts: list[bytes]) -> None:
    times = {"head_timeout_s": 0.1, "idle_timeout_s": 0.1, "discard_timeout_s": 0.1, "request_timeout_s": 0.5}
    async with serving(**times) as served:
        reader, writer = await served.connect()
        for part in parts:
            writer.write(part)
            if part == HELLO:
                await reader.readuntil(b"hello")
            await asyncio.sleep(0.02)
        await served.until(0)
        writer.close()


async def test_a_body_that_nobody_asked_for_may_come_and_the_connection_goes_on() -> None:
    async with serving(idle_timeout_s=0.2) as served:
        reader, writer = await served.connect()
        writer.write(post(b"/hello", b"Content-Length: 5"))
        await reader.readuntil(b"hello")
        writer.write(b"12345" + get(b"Connection: close"))
        async with asyncio.timeout(60):
            assert statuses(await reader.read()) == [200]
        writer.close()


async def test_a_peer_that_does_not_read_is_not_waited_for() -> None:
    async with serving(close_timeout_s=0.1, idle_timeout_s=0.1, request_timeout_s=0.3) as served:
        reader, writer = await served.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(HELLO * 16)
        await served.until(0)
        writer.close()
        del reader


async def test_what_is_sent_ahead_is_bounded_and_answered_in_order() -> None:
    async with serving() as served:
        assert statuses(await ask(served, HELLO * 16 + get(b"Connection: close"))) == [200] * 16
        assert statuses(await ask(served, HELLO * 3 + b"\x00garbage\r\n\r\n")) == [200] * 3, (
            "what was asked before is answered"
        )
        answered = statuses(await ask(served, HELLO * 10_000))
        assert answered == [200] * len(answered)
        assert len(answered) <= 16


async def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    async with serving() as served:
        answer = await ask(served, post(b"/read", b"Content-Length: 2000000"), b"x" * 150_000)
        assert statuses(answer) == [413]


# ------------------------------------------------------------------------------------------------ many connections


async def test_the_one_that_waited_longest_makes_room() -> None:
    async with serving(max_connections=8) as served:
        held = [await served.connect() for _ in range(8)]
        await served.until(8)
        with structlog.testing.capture_logs() as logs:
            answer = await ask(served, get(b"Connection: close"))
        assert statuses(answer) == [200]
        assert [line["event"] for line in logs] == ["http_connections_full"]
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                assert await held[0][0].read() == b""
        assert not any(reader.at_eof() for reader, _ in held[1:])
        assert served.table.counts["http_connections_cut"] == 1
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    "holding", [b"", b"GET / HT", post(b"/read", b"Content-Length: 99"), get(b"Content-Length: 9") + b"x"]
)
async def test_a_thousand_that_hold_on_do_not_keep_a_webhook_out(holding: bytes) -> None:
    async with serving(max_connections=32) as served:
        held = []
        for _ in range(1000):
            _reader, writer = await served.connect()
            with suppress(ConnectionError):
                writer.write(holding)
            held.append(writer)
            assert len(served.table) <= 32
        for _ in range(5):
            assert statuses(await ask(served, get(b"Connection: close"))) == [200]
        for writer in held:
            writer.close()


async def test_requests_that_are_worked_on_leave_a_quarter_to_the_telephone() -> None:
    async with serving(max_connections=8) as served:
        busy = [await served.connect() for _ in range(6)]
        for _, writer in busy:
            served.asked.clear()
            writer.write(get(path=b"/slow"))
            await served.asked.wait()
        refused = await ask(served, get())
        assert statuses(refused) == [503]
        assert b"\r\nretry-after: " in refused
        reader, writer = await served.connect()
        served.asked.clear()
        writer.write(get(b"Connection: close", path=b"/twilio/slow"))
        async with asyncio.timeout(60):
            await served.asked.wait()
        served.may_answer.set()
        async with asyncio.timeout(60):
            assert statuses(await reader.read()) == [200]
        for _, each in [*busy, (reader, writer)]:
            each.close()


async def test_where_file_handles_run_short_connections_are_given_up_and_it_is_told_once() -> None:
    clock = ManualClock()
    async with serving() as served:
        served.table._handles = 0  # as if all were taken
        served.table.losses = Losses(clock.now_ms)
        with structlog.testing.capture_logs() as logs:
            for _ in range(20):
                _, writer = await served.connect()
                writer.close()
            clock.advance(60_000)
            _, writer = await served.connect()
            writer.close()
            async with asyncio.timeout(60):
                while served.table.counts["file_handles_short"] < 21:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        assert [line["event"] for line in logs] == ["file_handles_short"] * 2
        assert logs[1]["repeated"] == 19


async def test_refusals_are_counted_and_a_flood_of_them_is_not_a_flood_of_lines() -> None:
    async with serving() as served:
        with structlog.testing.capture_logs() as logs:
            for _ in range(40):
                await ask(served, b"nonsense\r\n\r\n")
        assert served.table.counts["http_requests_refused"] == 40
        assert len(logs) == 1
        assert logs[0] | {"event": "http_request_refused", "reason": "bad_request", "peer": "127.0.0.1"} == logs[0]
