"""Media sockets on the server's own port: real uvicorn protocols, real TCP, both event loops."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
import uvloop
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from antiphon.clock import ManualClock
from antiphon.transports import socket as media_socket
from antiphon.transports.connections import Connections
from antiphon.transports.handshake import Refusal
from antiphon.transports.http_bounds import HttpBounds
from antiphon.transports.listener import LostReason, MediaSocket, SocketLimits
from antiphon.transports.message_memory import MessageMemory
from antiphon.transports.socket import MediaRoutes, UpgradeRequest
from antiphon.transports.watch import SocketWatch


async def hello(request: Request) -> Response:
    return JSONResponse("hello")


app = Starlette(routes=[Route("/hello", hello)])


class Echo(MediaSocket):
    """Sends every message back and remembers what happened."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.watch, server.limits)
        self.received: list[bytes] = []
        self.events: list[str] = []
        self.changed = asyncio.Event()
        self.echoes = True

    def opened(self) -> None:
        self._note("opened")

    def text(self, payload: bytes) -> None:
        self.received.append(payload)
        if payload == b"fail":
            raise RuntimeError("our bug")
        if self.echoes:
            self.send_text(payload)
        self.changed.set()

    def binary(self, payload: bytes) -> None:
        self.received.append(payload)
        if self.echoes:
            self.send_binary(payload)
        self.changed.set()

    def lost(self, reason: LostReason) -> None:
        self._note(f"lost {reason}")

    def gone(self) -> None:
        self._note("gone")

    def _note(self, event: str) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Server:
    """One listening port, and every media socket that opened on it."""

    def __init__(self, bounds: HttpBounds | None = None, memory: MessageMemory | None = None) -> None:
        self.clock = ManualClock()
        self.watch = SocketWatch(self.clock)
        self.table = Connections(bounds or HttpBounds(), memory=memory)
        self.routes = MediaRoutes()
        self.requests: list[UpgradeRequest] = []
        self.listeners: list[Echo] = []
        self.limits = SocketLimits()
        self.answer: Callable[[], MediaSocket | Refusal] = self._echo
        self.state = ServerState()
        self.port = 0

    def _echo(self) -> MediaSocket:
        self.listeners.append(Echo(self))
        return self.listeners[-1]

    def on_upgrade(self, request: UpgradeRequest) -> MediaSocket | Refusal:
        self.requests.append(request)
        return self.answer()

    def connect(self, path: str = "/media", **options: Any) -> connect:
        options = {"compression": None, "max_size": 2**20} | options
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)
        self.watch.check(self.clock.now_ms())

    async def idle(self) -> None:
        """Until no connection is left, of any kind."""
        async with asyncio.timeout(60):
            while self.state.connections or len(self.watch):  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(**given: Any) -> AsyncIterator[Server]:
    server = Server(**given)
    server.routes.add("/media", server.on_upgrade)
    config = uvicorn.Config(
        app, http=media_socket.http_protocol(server.routes, server.table), ws="none", lifespan="off", log_level="error"
    )
    config.load()
    factory: Any = config.http_protocol_class
    listening = await asyncio.get_running_loop().create_server(
        lambda: factory(config=config, server_state=server.state, app_state={}), "127.0.0.1", 0
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
        await server.idle()
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


async def close_code(client: ClientConnection) -> int | None:
    async with asyncio.timeout(60):
        await client.wait_closed()
    return client.close_code


async def raw_request(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def handshake(path: str = "/media", **headers: str) -> bytes:
    fields = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items() if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def raw_socket(
    server: Server, receive_buffer_bytes: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A media socket whose frames we write ourselves."""
    tcp = socket.socket()
    tcp.setblocking(False)
    if receive_buffer_bytes is not None:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    await asyncio.get_running_loop().sock_connect(tcp, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=tcp)
    writer.write(handshake())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):  # the server was the first, which is what these tests are about
            await writer.wait_closed()


def masked(opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A client's frame, correct or not, under a mask of zeros."""
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    length = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0xFE, len(data))
    return bytes([first]) + length + bytes(4) + data


async def read_close(reader: asyncio.StreamReader) -> int:
    """The code of the close frame the server ends with; frames before it are skipped."""
    async with asyncio.timeout(60):
        while True:
            first, length = await reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
            payload = await reader.readexactly(length)
            if first & 0x0F == Opcode.CLOSE:
                return int.from_bytes(payload[:2], "big")


async def echoes_on_media_paths() -> None:
    async with serving() as server:
        async with server.connect("/media/a%20b?x=1") as client:
            await client.send("one")
            assert await client.recv() == "one"
            await client.send(b"two")
            assert await client.recv() == b"two"
            await client.send("x" * 60_000)
            assert await client.recv() == "x" * 60_000
        assert server.requests[0].path == "/media/a%20b"
        assert server.requests[0].query == "x=1"
        assert server.requests[0].headers["upgrade"] == "websocket"
        await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost hangup", "gone"]


async def everything_else_is_asgi() -> None:
    async with serving() as server:
        answer = await raw_request(server.port, b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b'"hello"')
        for path in ("/mediafoo", "/hello"):
            with pytest.raises(InvalidStatus) as refused:
                await server.connect(path)
            assert refused.value.response.status_code == 404
        await server.idle()
        assert not server.requests


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("scenario", [echoes_on_media_paths, everything_else_is_asgi])
def test_on_both_event_loops(
    scenario: Callable[[], Awaitable[None]], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())  # type: ignore[arg-type]


class TestHandshake:
    async def test_a_refusal_is_an_http_answer(self, server: Server) -> None:
        server.answer = lambda: Refusal(403, "bad_signature")
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect():
                pass
        assert refused.value.response.status_code == 403
        assert refused.value.response.body == b"bad_signature"

    async def test_our_own_failure_is_a_500(self, server: Server) -> None:
        def fail() -> Refusal:
            raise RuntimeError("our bug")

        server.answer = fail
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect():
                pass
        assert refused.value.response.status_code == 500

    async def test_a_browsers_connection_header(self, server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(handshake(Connection="keep-alive, Upgrade"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.close()
        await writer.wait_closed()

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec_WebSocket_Key": ""},
            {"Sec_WebSocket_Key": "short"},
            {"Sec_WebSocket_Key": "A" * 9000},
            {"Sec_WebSocket_Key": "!" * 22 + "=="},
            {"Sec_WebSocket_Key": "ÿÿÿÿ"},
            {"Sec_WebSocket_Version": ""},
            {"Content_Length": "5"},
            {"Transfer_Encoding": "chunked"},
        ],
    )
    async def test_a_broken_handshake_opens_nothing(self, server: Server, headers: dict[str, str]) -> None:
        answer = await raw_request(server.port, handshake(**headers))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert not server.requests, "nobody was asked about it"

    @pytest.mark.parametrize("version", ["8", "0", "14", "99", "13, 8", "x"])
    async def test_another_version_is_told_which_one_is_spoken(self, server: Server, version: str) -> None:
        answer = await raw_request(server.port, handshake(Sec_WebSocket_Version=version))
        assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert b"\r\nsec-websocket-version: 13\r\n" in answer
        assert not server.requests

    async def test_only_get_opens_one(self, server: Server) -> None:
        answer = await raw_request(server.port, handshake().replace(b"GET", b"POST", 1))
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nallow: GET\r\n" in answer

    @pytest.mark.parametrize("path", ["//media", "/media//x", "///media/x"])
    async def test_doubled_slashes_mean_one(self, server: Server, path: str) -> None:
        async with server.connect(path) as client:
            await client.send("up")
            await client.recv()
        [request] = server.requests
        assert request.path == path, "carriers sign what they sent"
        assert request.folded_path.startswith("/media")

    async def test_compression_is_not_negotiated(self, server: Server) -> None:
        async with server.connect(compression="deflate") as client:
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers

    async def test_a_head_that_does_not_end_is_cut(self) -> None:
        async with serving(bounds=HttpBounds(head_timeout_s=0.05)) as server:
            assert await raw_request(server.port, handshake()[:-2]) == b""
            assert not server.requests

    async def test_socket_options(self, server: Server) -> None:
        async with server.connect() as client:
            await client.send("up")
            await client.recv()
            transport: Any = server.listeners[0]._transport
            tcp = transport.underlying_transport.get_extra_info("socket")
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
            assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * media_socket.SEND_BUFFER_BYTES

    async def test_uvicorn_counts_media_sockets(self, server: Server) -> None:
        async with server.connect() as client:
            await client.send("up")
            await client.recv()
            assert len(server.state.connections) == 1
        await server.idle()


class TestRoutes:
    def test_longest_prefix_by_whole_segments(self) -> None:
        routes = MediaRoutes()

        def short(request: UpgradeRequest) -> Refusal:
            return Refusal(403, "short")

        def long(request: UpgradeRequest) -> Refusal:
            return Refusal(403, "long")

        routes.add("/a", short)
        routes.add("/a/b", long)
        found = [routes.find(path) for path in ("/a", "/a/x", "/a/b", "/a/b/c", "/ab", "/", "")]
        assert found == [short, short, long, long, None, None, None]

    @pytest.mark.parametrize("prefix", ["a", "/a/", "/", "/taken"])
    def test_a_prefix_that_cannot_be(self, prefix: str) -> None:
        routes = MediaRoutes()
        routes.add("/taken", lambda request: Refusal(403, ""))
        with pytest.raises(ValueError, match="not a free media path"):
            routes.add(prefix, lambda request: Refusal(403, ""))


class TestFrames:
    """Row 17."""

    async def test_fragmented_messages_are_put_together(self, server: Server) -> None:
        async with server.connect() as client:
            await client.send(["a", "b", "c"])
            assert await client.recv() == "abc"
            await client.send([b"a", b"", b"c"])
            assert await client.recv() == b"ac"

    async def test_a_fragmented_message_is_bounded(self, server: Server) -> None:
        async with raw_socket(server) as (reader, writer):
            writer.write(masked(Opcode.TEXT, b"x" * 60_000, fin=False))
            writer.write(masked(Opcode.CONT, b"x" * 6_000, fin=False))
            assert await read_close(reader) == 1009
        assert server.listeners[0].received == []

    async def test_one_frame_too_big(self, server: Server) -> None:
        async with server.connect() as client:
            await client.send("x" * (64 * 1024 + 1))
            assert await close_code(client) == 1009
        await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost violation", "gone"]

    async def test_ten_megabytes_are_not_stored(self, server: Server) -> None:
        async with raw_socket(server) as (reader, writer):
            writer.write(struct.pack("!BBQ", 0x81, 0xFF, 10_000_000) + bytes(4))
            protocol: Any = next(iter(server.state.connections))
            assert await read_close(reader) == 1009
            with suppress(ConnectionError):  # cut off on the way, as it should be
                for _ in range(100):
                    writer.write(bytes(100_000))
                    await writer.drain()
        await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost violation", "gone"]
        assert len(protocol.get_buffer(-1)) < 256 * 1024, "what follows an oversized frame's head must not be stored"

    @pytest.mark.parametrize("piece", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"])
    @pytest.mark.parametrize("fragmented", [False, True])
    async def test_text_that_is_no_utf_8(self, server: Server, piece: bytes, fragmented: bool) -> None:
        async with raw_socket(server) as (reader, writer):
            text = b'{"type": "' + piece + b'"}'
            frames = [masked(Opcode.TEXT, text)]
            if fragmented:
                frames = [masked(Opcode.TEXT, text[:11], fin=False), masked(Opcode.CONT, text[11:])]
            writer.write(b"".join(frames))
            assert await read_close(reader) == 1007
        assert server.listeners[0].received == []

    async def test_text_beyond_ascii_however_it_is_cut(self, server: Server) -> None:
        said = "Grüße, 你好, 🎧" * 5000  # longer than a stride of the check, and cut inside of characters
        server.limits = SocketLimits(max_message_bytes=2**20)
        async with server.connect() as client:
            await client.send(said)
            assert await client.recv() == said
        data = said.encode()
        async with raw_socket(server) as (_reader, writer):
            listener = server.listeners[1]
            listener.echoes = False
            writer.write(masked(Opcode.TEXT, data[:3], fin=False) + masked(Opcode.CONT, data[3:63]))
            await listener.until(lambda: listener.received == [data[:63]])

    @pytest.mark.parametrize(
        "parts",
        [
            [masked(Opcode.TEXT, b"x", fin=False)],
            [masked(Opcode.TEXT, b"x", fin=False), masked(Opcode.PING, b"")],
            [masked(Opcode.TEXT, b"x", fin=False), masked(Opcode.CONT, b"", fin=False)],
            [masked(Opcode.TEXT, b"x" * 1000)[:600]],
            [masked(Opcode.TEXT, b"x" * 1000)[:1]],
            [masked(Opcode.TEXT, b"x", fin=False), masked(Opcode.CONT, b"x" * 1000)[:600]],
        ],
        ids=["fragment", "fragment and ping", "empty fragments", "frame", "frame's head", "both"],
    )
    async def test_a_message_must_be_whole_within_ten_seconds(self, server: Server, parts: list[bytes]) -> None:
        async with raw_socket(server) as (reader, writer):
            listener = server.listeners[0]
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.02)
            async with asyncio.timeout(60):
                while not listener.kept_bytes():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            server.advance(9_999)
            assert not listener.closing
            server.advance(250)
            assert await read_close(reader) == 1008

    async def test_one_that_is_whole_in_time_is_forgotten(self, server: Server) -> None:
        async with raw_socket(server) as (_, writer):
            listener = server.listeners[0]
            frame = masked(Opcode.TEXT, b"x" * 1000)
            for _ in range(5):
                writer.write(frame[:600])
                async with asyncio.timeout(60):
                    while not listener.kept_bytes():  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
                server.advance(9_000)
                writer.write(frame[600:])
                async with asyncio.timeout(60):
                    while listener.kept_bytes():  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
            server.advance(60_000)
            assert not listener.closing

    async def test_fragments_and_the_frame_in_progress_are_one_message(self, server: Server) -> None:
        server.limits = SocketLimits(max_message_bytes=1_000_000)
        async with raw_socket(server) as (reader, writer):
            listener = server.listeners[0]
            most = 0
            writer.write(struct.pack("!BBQ", 0x01, 0xFF, 900_000) + bytes(4) + bytes(900_000))
            writer.write(struct.pack("!BBQ", 0x00, 0xFF, 900_000) + bytes(4))
            with suppress(ConnectionError):
                for _ in range(85):
                    writer.write(bytes(10_000))
                    await writer.drain()
                    await asyncio.sleep(0)
                    most = max(most, listener.kept_bytes())
            assert await read_close(reader) == 1009
        assert most < 2 * 1_000_000, "no more than was allowed, and what one read brings"

    async def test_all_sockets_share_what_large_messages_may_take(self) -> None:
        memory = MessageMemory(3_000_000)
        async with serving(memory=memory) as server:
            server.limits = SocketLimits(max_message_bytes=4_000_000)
            async with server.connect() as small, server.connect(max_size=None) as large:
                async with raw_socket(server) as (_, writer):
                    writer.write(struct.pack("!BBQ", 0x81, 0xFF, 3_000_000) + bytes(4) + bytes(2_900_000))
                    async with asyncio.timeout(60):
                        while memory.taken_bytes < 2_500_000:  # noqa: ASYNC110
                            await asyncio.sleep(0.005)
                    await large.send("x" * 2_000_000)
                    await server.listeners[1].until(lambda: "lost violation" in server.listeners[1].events)
                    server.advance(1000)
                    assert await close_code(large) == 1013
                    for _ in range(20):
                        await small.send("x" * 60_000)
                        assert len(await small.recv()) == 60_000
                await server.listeners[2].until(lambda: "gone" in server.listeners[2].events)
                assert memory.taken_bytes == 0
                async with server.connect() as again:
                    server.listeners[3].echoes = False
                    await again.send("x" * 2_000_000)
                    await server.listeners[3].until(lambda: len(server.listeners[3].received) == 1)

    async def test_a_peers_broken_frame_is_no_error_of_ours(
        self, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        for frames in (b"\x81\x01x", masked(Opcode.CONT, b"x"), masked(Opcode.CLOSE, b"x"), b"\x83\x80" + bytes(4)):
            async with raw_socket(server) as (reader, writer):
                writer.write(frames)
                assert await read_close(reader) == 1002
        assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []

    @pytest.mark.parametrize(
        "frames",
        [
            masked(Opcode.CONT, b"x"),
            masked(Opcode.TEXT, b"x", fin=False) + masked(Opcode.TEXT, b"y"),
            masked(Opcode.TEXT, b"x", rsv1=True),
            masked(Opcode.PING, b"x", fin=False),
            masked(Opcode.PING, b"x" * 126),
            b"\x81\x01x",
            b"\x83\x80\x00\x00\x00\x00",
            masked(Opcode.CLOSE, b"x"),
            *(
                masked(Opcode.CLOSE, struct.pack("!H", code))
                for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
            ),
        ],
    )
    async def test_protocol_errors(self, server: Server, frames: bytes) -> None:
        async with raw_socket(server) as (reader, writer):
            writer.write(frames)
            assert await read_close(reader) == 1002
        await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events[1] == "lost violation"

    async def test_pings_are_answered(self, server: Server) -> None:
        async with server.connect() as client:
            async with asyncio.timeout(60):
                await (await client.ping(b"here?"))

    async def test_a_flood_is_a_violation(self, server: Server) -> None:
        server.limits = SocketLimits(max_frames_per_check=100)
        async with server.connect() as client:
            for _ in range(120):
                await client.pong()
            await client.send("after")
            await client.recv()
            server.advance(250)
            assert await close_code(client) == 1008
        assert server.listeners[0].events[1] == "lost violation"

    async def test_a_ping_flood_from_a_peer_that_does_not_read_costs_no_memory(self, server: Server) -> None:
        async with raw_socket(server, receive_buffer_bytes=4096) as (_, writer):
            listener = server.listeners[0]
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(40):
                for _ in range(500):
                    writer.write(masked(Opcode.PING, b"x" * 125))
                await writer.drain()
            writer.write(masked(Opcode.TEXT, b"end"))
            listener.echoes = False
            await listener.until(lambda: listener.received == [b"end"])
            assert listener.unsent_bytes() < 70_000


class TestClosing:
    async def test_ours(self, server: Server) -> None:
        async with server.connect() as client:
            listener = server.listeners[0]
            listener.close(1001, "ü" * 100)
            listener.close(1000)
            listener.send_text(b"too late")
            assert await close_code(client) == 1001
            assert client.close_reason == "ü" * 61
        await listener.until(lambda: "gone" in listener.events)
        assert listener.events == ["opened", "gone"], "no news of what we did ourselves"
        assert listener.unsent_bytes() == 0

    @pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
    async def test_theirs(self, server: Server, code: int) -> None:
        async with server.connect() as client:
            await client.close(code)
            assert client.close_code == code
        await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost hangup", "gone"]

    async def test_theirs_without_a_code(self, server: Server) -> None:
        async with raw_socket(server) as (reader, writer):
            writer.write(masked(Opcode.CLOSE, b""))
            assert await read_close(reader) == 1000

    async def test_an_eof_without_a_handshake(self, server: Server) -> None:
        async with raw_socket(server) as (_, writer):
            writer.write_eof()
            await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost reset", "gone"]

    async def test_a_reset(self, server: Server) -> None:
        async with raw_socket(server) as (_, writer):
            tcp = writer.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            await server.listeners[0].until(lambda: "gone" in server.listeners[0].events)
        assert server.listeners[0].events == ["opened", "lost reset", "gone"]

    async def test_a_peer_that_does_not_close_is_cut_after_a_second(self, server: Server) -> None:
        async with raw_socket(server) as (reader, _):
            listener = server.listeners[0]
            listener.close()
            assert await read_close(reader) == 1000
            server.advance(999)
            assert len(server.watch) == 1
            server.advance(1)
            await listener.until(lambda: "gone" in listener.events)
        assert listener.events == ["opened", "gone"]

    async def test_our_failure_ends_this_call_only(self, server: Server) -> None:
        async with server.connect() as healthy, server.connect() as client:
            await client.send("fail")
            assert await close_code(client) == 1011
            await healthy.send("still here")
            assert await healthy.recv() == "still here"
        await server.idle()
        assert server.listeners[1].events == ["opened", "lost reset", "gone"]

    async def test_a_failure_while_opening(self, server: Server) -> None:
        class Failing(Echo):
            def opened(self) -> None:
                raise RuntimeError("our bug")

        server.answer = lambda: Failing(server)
        async with server.connect() as client:
            assert await close_code(client) == 1011

    async def test_a_failure_while_telling_the_owner(self, server: Server) -> None:
        class Failing(Echo):
            def lost(self, reason: LostReason) -> None:
                raise RuntimeError("our second bug")

        server.answer = lambda: Failing(server)
        async with server.connect() as client:
            await client.send("fail")
            assert await close_code(client) in (1011, 1006)

    async def test_a_failure_while_telling_the_owner_of_a_reset(self, server: Server) -> None:
        class Failing(Echo):
            def lost(self, reason: LostReason) -> None:
                raise RuntimeError("our bug")

        failing = Failing(server)
        server.answer = lambda: failing
        async with raw_socket(server) as (_, writer):
            writer.transport.abort()
            await failing.until(lambda: "gone" in failing.events)

    async def test_what_comes_after_our_close_is_not_heard(self, server: Server) -> None:
        async with raw_socket(server) as (reader, writer):
            listener = server.listeners[0]
            listener.close()
            for opcode in (Opcode.TEXT, Opcode.BINARY):
                writer.write(masked(opcode, b"late") + masked(opcode, b"late", fin=False) + masked(Opcode.CONT, b"r"))
            writer.write(masked(Opcode.CLOSE, struct.pack("!H", 1000)))
            assert await read_close(reader) == 1000
            await listener.until(lambda: "gone" in listener.events)
        assert (listener.events, listener.received) == (["opened", "gone"], [])

    async def test_a_failure_while_checking(self, server: Server) -> None:
        class Failing(Echo):
            def tick(self, now_ms: int, silent_ms: int) -> None:
                raise RuntimeError("our bug")

        server.answer = lambda: Failing(server)
        async with server.connect() as client:
            server.advance(250)
            assert await close_code(client) == 1011


def fill(listener: Echo) -> None:
    """Write until the kernel takes no more."""
    while listener._paused_since_ms is None:
        listener.send_text(b"x" * 8000)


class TestSlowReaders:
    """Row 23."""

    @asynccontextmanager
    async def deaf(self, server: Server) -> AsyncIterator[Echo]:
        async with raw_socket(server) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            listener = server.listeners[0]
            fill(listener)
            yield listener

    async def test_too_much_unsent(self, server: Server) -> None:
        async with self.deaf(server) as listener:
            for _ in range(100):
                listener.send_text(b"x" * 8000)
                assert listener.unsent_bytes() <= 256 * 1024 + 8100
            await listener.until(lambda: "gone" in listener.events)
        assert listener.events == ["opened", "lost stalled", "gone"]

    async def test_unsent_for_too_long(self, server: Server) -> None:
        async with self.deaf(server) as listener:
            server.advance(4999)
            assert listener.events == ["opened"]
            server.advance(1)
            await listener.until(lambda: "gone" in listener.events)
        assert listener.events == ["opened", "lost stalled", "gone"]

    async def test_one_that_reads_again_is_forgiven(self, server: Server) -> None:
        async with raw_socket(server) as (reader, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            listener = server.listeners[0]
            fill(listener)
            server.advance(4000)
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            async with asyncio.timeout(60):
                while listener._paused_since_ms is not None:
                    await reader.read(65536)
            server.advance(4000)
            assert listener.events == ["opened"]


class TestWatch:
    def test_a_process_that_was_held_up_takes_nobody_for_gone(self) -> None:
        """Its timers go off before it has read what came meanwhile."""

        class Noted:
            def __init__(self) -> None:
                self.looks: list[tuple[str, int]] = []

            def check(self, now_ms: int) -> None:
                self.looks.append(("check", now_ms))

            def excuse(self, now_ms: int) -> None:
                self.looks.append(("excuse", now_ms))

            def fail_ours(self, error: Exception) -> None:
                raise AssertionError("nothing fails")

        watch, noted = SocketWatch(ManualClock()), Noted()
        watch.add(noted)
        before, after = (0, 250, 500, 1749, 1999), range(5999, 11_000, 250)
        for now_ms in (*before, *after):
            watch.look(now_ms)
        excused = [now_ms for kind, now_ms in noted.looks if kind == "excuse"]
        assert excused == list(range(5999, 5999 + 3750 + 1, 250)), "as long as it was late"
        assert [now_ms for _, now_ms in noted.looks] == [*before, *after]
        noted.looks.clear()
        for now_ms in range(100_000, 106_000, 250):
            watch.look(now_ms)
        assert [kind for kind, _ in noted.looks].index("check") == 21, "never longer than five seconds"

    async def test_what_is_excused(self, server: Server) -> None:
        """A message that is not whole, one in fragments, silence, and all that came at once."""
        async with server.connect():
            listener = server.listeners[0]
            listener.grew(10)
            listener._fragments = bytearray(b"half")
            listener.excuse(60_000)
            listener.frames += listener.limits.max_frames_per_check + 1
            listener.excuse(60_250)
            listener.check(60_500)
            assert listener.events == ["opened"]
            assert listener._heard_at_ms == 60_250
            listener.check(60_250 + listener.limits.message_timeout_ms)
            await listener.until(lambda: "gone" in listener.events)

    async def test_its_own_timer(self) -> None:
        class Once:
            def __init__(self) -> None:
                self.checked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

            def check(self, now_ms: int) -> None:
                if not self.checked.done():
                    self.checked.set_result(now_ms)

            def excuse(self, now_ms: int) -> None:
                raise AssertionError("nothing held it up")

            def fail_ours(self, error: Exception) -> None:
                raise AssertionError("check does not fail")

        watch, watched = SocketWatch(ManualClock(now_ms=42), interval_ms=1), Once()
        watch.add(watched)
        watch.start()
        watch.start()
        async with asyncio.timeout(60):
            assert await watched.checked == 42
        watch.stop()
        watch.stop()
        watch.discard(watched)
        watch.discard(watched)
        assert len(watch) == 0


class TestShutdown:
    async def test_uvicorn_waits_for_calls(self) -> None:
        """A real server, told to stop, goes on until the last media socket has closed."""
        clock, routes = ManualClock(), MediaRoutes()
        server = Server()
        server.watch = SocketWatch(clock)
        routes.add("/media", server.on_upgrade)
        config = uvicorn.Config(
            app,
            http=media_socket.http_protocol(routes),
            ws="none",
            port=0,
            lifespan="off",
            log_level="error",
            loop="none",
        )
        config.load()
        running = uvicorn.Server(config)
        running.lifespan = config.lifespan_class(config)
        await running.startup()
        server.port = running.servers[0].sockets[0].getsockname()[1]
        async with server.connect() as client:
            await client.send("up")
            await client.recv()
            stopping = asyncio.create_task(running.shutdown())
            await asyncio.wait([stopping], timeout=0.15)
            assert not stopping.done()
            await client.send("still")
            assert await client.recv() == "still"
        async with asyncio.timeout(60):
            await stopping


class TestFreed:
    """No connection waits for the garbage collector, which hardly ever looks (``session.returning``)."""

    async def test_nothing_is_left_of_one(self, server: Server) -> None:
        kinds: tuple[type, ...] = (HttpToolsProtocol, WSProtocol, MediaSocket)

        def left() -> list[object]:
            return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]

        gc.collect()
        before = len(left())
        gc.disable()
        try:
            async with server.connect() as client:
                await client.send("hello")
                await client.recv()
                assert not any(isinstance(thing, HttpToolsProtocol) for thing in left()), "it has handed over"
            await raw_request(server.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await server.idle()
            server.listeners.clear()
            async with asyncio.timeout(60):
                while len(left()) > before:  # noqa: ASYNC110  # the loop drops its transports in its own time
                    await asyncio.sleep(0)
        finally:
            gc.enable()
